/** What an implementation of an op looks like. */
import type { NodeNamed, OpName } from "@gridfuse/graph";
import type { Environment } from "../environment.ts";
import type { HostTensor } from "../tensor.ts";

/** The results of one op on concrete operands. */
export type Implementation<K extends OpName> = (
  operands: readonly HostTensor[],
  params: NodeNamed<K>["params"],
  environment: Environment,
) => HostTensor | readonly HostTensor[];

export type Implementations<K extends OpName> = { readonly [N in K]: Implementation<N> };

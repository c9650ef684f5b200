/**
 * The meaning of single ops: one direct implementation each, found by name.
 */
import type { Node, OpName } from "@gridfuse/graph";
import { malformed } from "./context.ts";
import { Environment } from "./environment.ts";
import { cumulative } from "./ops/cumulative.ts";
import { linearAlgebra } from "./ops/dot.ts";
import { elementwise, isElementwise } from "./ops/elementwise.ts";
import { indexing } from "./ops/indexing.ts";
import { movement } from "./ops/movement.ts";
import { ordering } from "./ops/ordering.ts";
import { reductions } from "./ops/reductions.ts";
import { sources } from "./ops/sources.ts";
import type { Implementation } from "./ops/types.ts";
import type { HostTensor } from "./tensor.ts";

const implementations: { readonly [K in OpName]?: Implementation<K> } = {
  ...sources,
  ...movement,
  ...indexing,
  ...reductions,
  ...cumulative,
  ...linearAlgebra,
  ...ordering,
};

/**
 * The results of a node without regions, state or effects on concrete operands.
 *
 * @param environment sizes of named dimensions and counters of enclosing scans, where params use them
 * @throws InternalError GF9501 for structured control flow, state and effects
 */
export function evaluateNode(
  { op, params }: Pick<Node, "op" | "params">,
  operands: readonly HostTensor[],
  environment: Environment = new Environment(),
): readonly HostTensor[] {
  const implementation = implementations[op] as Implementation<OpName> | undefined;
  if (implementation !== undefined) {
    const results = implementation(operands, params, environment);
    return Array.isArray(results) ? results : [results as HostTensor];
  }
  if (isElementwise(op)) return [elementwise(op, params, operands)];
  throw malformed(`${op} cannot be evaluated by itself`);
}

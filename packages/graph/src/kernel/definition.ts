/** What a kernel is made of, before it is traced. `vmap` makes one definition from another. */
import type { Dim } from "../ir/types.ts";
import type { FillMode } from "../ir/vocabulary.ts";
import type { Ref } from "../ref.ts";
import type { ArraySpec, ScratchSpec } from "../spec.ts";
import type { GridIndex } from "./grid-index.ts";

export type Semantics = "parallel" | "arbitrary";

export interface GridAxis {
  readonly name: string;
  readonly size: Dim;
  /** Name of the prefetched input that says how many of the `size` steps a call takes. */
  readonly count?: string;
  readonly semantics?: Semantics;
}

/** Refs by name, and coordinates by name or, for a list of axes, in order. */
export type KernelBody = (
  refs: { readonly [name: string]: Ref },
  ids: { readonly [axis: string]: GridIndex } | readonly GridIndex[],
) => unknown;

export interface KernelDefinition {
  readonly name: string;
  readonly axes: readonly GridAxis[];
  /** Whether the axes were given by name. */
  readonly named: boolean;
  /** Leading axes that `vmap` added; the body and the index maps do not see them. */
  readonly mapped: number;
  readonly prefetch: { readonly [name: string]: ArraySpec };
  readonly inputs: { readonly [name: string]: ArraySpec };
  readonly outputs: { readonly [name: string]: ArraySpec };
  readonly scratch: { readonly [name: string]: ScratchSpec };
  /** Input name → output name. */
  readonly aliases: { readonly [input: string]: string };
  readonly fill: FillMode;
  readonly body: KernelBody;
}

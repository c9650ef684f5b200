/** What batching one region knows: where it writes, which axis becomes a dimension, and which points are there at all. */
import type { BatchOperand, Emitter, Node, Region, ValueId } from "@gridfuse/graph";
import { hasEffect } from "./rebuild.ts";

export interface BatchAxis {
  readonly size: number;
  /** Loop leaf of index expressions that stands for this axis's coordinate, if any. */
  readonly loop?: number;
}

export interface Scope {
  readonly e: Emitter;
  readonly axis: BatchAxis;
  readonly env: Map<ValueId, BatchOperand>;
  /** Batched bool: the points that are here at all; undefined for all. The others have no effects and wait for no loop. */
  readonly mask: ValueId | undefined;
  /** Appends the batched nodes of a region inside to `e`. */
  readonly inside: (
    e: Emitter,
    region: Region,
    args: readonly BatchOperand[],
    mask?: ValueId,
  ) => BatchOperand[];
}

/** The value with its batch dimension, added if it has none. */
export function asBatched(e: Emitter, { value, batched }: BatchOperand, size: number): ValueId {
  return batched ? value : e.addBatch(value, size);
}

/** The mask, where what `node` does depends on which points are here: by its effects, and by loops that may not end. */
export function guardOf({ e, mask }: Scope, node: Node): ValueId | undefined {
  if (mask === undefined) return undefined;
  return hasEffect(e.table, node) || mayNotEnd(e, node) ? mask : undefined;
}

const mayNotEnd = (e: Emitter, node: Node): boolean =>
  node.op === "while" ||
  node.regions.some(({ nodes }) => nodes.some((id) => mayNotEnd(e, e.table.nodes[id] as Node)));

export const listed = (value: ValueId | undefined): readonly ValueId[] =>
  value === undefined ? [] : [value];

/** A new trailing param of `region` for `value`. */
export const capture = (
  e: Emitter,
  region: Region,
  value: ValueId | undefined,
): ValueId | undefined =>
  value === undefined ? undefined : e.table.newParam(region, e.table.tensor(value));

/** select_n with a selector that has only the batch dimension. */
export function selectPoints(e: Emitter, which: ValueId, cases: readonly ValueId[]): ValueId {
  const shape = e.shape(cases[0] as ValueId);
  const selector = shape.length === 1 ? which : e.broadcastInDim(which, shape, [0]);
  return e.emit("select_n", [selector, ...cases], {});
}

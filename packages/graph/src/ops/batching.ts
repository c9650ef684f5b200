/**
 * What the batching rules share. A batched value carries the batch as dimension 0, so most rules
 * are the same op with its dimension numbers moved up by one (the rules of JAX's vmap).
 */
import type { Emitter } from "../ir/emit.ts";
import type { NodeNamed, ValueId } from "../ir/table.ts";
import type { OpName } from "../ir/vocabulary.ts";
import type { BatchOperand } from "./define.ts";

/** Dimension numbers of the batched value for those of the plain one. */
export const shifted = (dims: readonly number[]): readonly number[] => dims.map((dim) => dim + 1);

/** The operand with a batch dimension, added where it has none. */
export const withBatch = (e: Emitter, { value, batched }: BatchOperand, size: number): ValueId =>
  batched ? value : e.addBatch(value, size);

/** Batches an op whose meaning does not depend on the number of dimensions. */
export function batchElementwise<K extends OpName>(
  e: Emitter,
  node: NodeNamed<K>,
  operands: readonly BatchOperand[],
  size: number,
): readonly ValueId[] {
  return e.emitAll(
    node.op,
    operands.map((operand) => withBatch(e, operand, size)),
    node.params,
  );
}

/** Broadcasts [size] (a batched scalar) or [] to `shape`, whose dimension 0 is the batch. */
export function spreadScalar(
  e: Emitter,
  { value, batched }: BatchOperand,
  shape: readonly (number | string)[],
): ValueId {
  return e.broadcastInDim(value, shape, batched ? [0] : []);
}

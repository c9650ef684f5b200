/**
 * What gather and scatter share: windows of an operand at computed positions, in XLA's dimension
 * numbers (XLA operation semantics, "Gather" and "Scatter").
 */
import { BuildError } from "@gridfuse/plan/errors";
import { isInteger } from "@gridfuse/plan/scalar";
import { type Dim, formatShape, type Shape, type TensorType } from "../ir/types.ts";
import { describe, requireSize } from "./check.ts";

export const failWindows = (op: string, rule: string, received: unknown): never => {
  throw new BuildError("GF2112", `${op}: ${rule}`, {
    received,
    help: "The dimension numbers are XLA's; see the entry of the op in the op table.",
  });
};

/** Requires distinct dimension numbers below `rank`, increasing where the rule says sorted. */
export function requireDims(
  op: string,
  name: string,
  dims: readonly number[],
  rank: number,
  sorted: boolean,
): void {
  for (const [i, dim] of dims.entries()) {
    if (!Number.isInteger(dim) || dim < 0 || dim >= rank) {
      failWindows(op, `${name} ${formatShape(dims)} must lie from 0 to ${rank - 1}`, dims);
    }
    if (dims.indexOf(dim) !== i)
      failWindows(op, `${name} ${formatShape(dims)} names ${dim} twice`, dims);
    if (sorted && i > 0 && dim < (dims[i - 1] as number)) {
      failWindows(op, `${name} ${formatShape(dims)} must increase`, dims);
    }
  }
}

/** What gather and scatter say alike about operand, indices and the windows between them. */
export interface Windows {
  readonly collapsed: readonly number[];
  readonly indexedDims: readonly number[];
  readonly operandBatchingDims: readonly number[];
  readonly indicesBatchingDims: readonly number[];
}

export function requireWindows(
  op: string,
  operand: TensorType,
  indices: TensorType,
  windows: Windows,
): void {
  const { collapsed, indexedDims, operandBatchingDims, indicesBatchingDims } = windows;
  const rank = operand.shape.length;
  if (!isInteger(indices.dtype) || indices.shape.length === 0) {
    throw new BuildError("GF2111", `${op}: the indices are ${describe([indices])}`, {
      expected: "integer array of rank ≥ 1",
      received: describe([indices]),
      help: "The last dimension of the indices is the index vector.",
    });
  }
  requireDims(op, "collapsed dims", collapsed, rank, true);
  requireDims(op, "operand batching dims", operandBatchingDims, rank, true);
  requireDims(op, "indexed dims", indexedDims, rank, false);
  requireDims(op, "indices batching dims", indicesBatchingDims, indices.shape.length - 1, false);
  const shared = operandBatchingDims.find((d) => collapsed.includes(d) || indexedDims.includes(d));
  if (shared !== undefined) {
    failWindows(
      op,
      `operand dim ${shared} is a batching dim and collapsed or indexed as well`,
      windows,
    );
  }
  const vector = requireSize(op, indices.shape.at(-1) as Dim, "the index vector");
  if (vector !== indexedDims.length) {
    failWindows(
      op,
      `index vectors of ${vector} for ${indexedDims.length} indexed dims`,
      indices.shape,
    );
  }
  if (operandBatchingDims.length !== indicesBatchingDims.length) {
    failWindows(op, "operand and indices have different numbers of batching dims", windows);
  }
  for (const [i, dim] of operandBatchingDims.entries()) {
    const other = indices.shape[indicesBatchingDims[i] as number];
    if (operand.shape[dim] !== other) {
      failWindows(
        op,
        `batching dim ${dim} is ${operand.shape[dim]} in the operand and ${other} in the indices`,
        windows,
      );
    }
  }
}

/** Operand dims that appear in the result of a gather, or in the updates of a scatter. */
export function windowDimsOf(
  rank: number,
  { collapsed, operandBatchingDims }: Pick<Windows, "collapsed" | "operandBatchingDims">,
): readonly number[] {
  const dims: number[] = [];
  for (let d = 0; d < rank; d += 1) {
    if (!collapsed.includes(d) && !operandBatchingDims.includes(d)) dims.push(d);
  }
  return dims;
}

/** Places `windows` at the positions `offsets` and fills the rest with `batch`, both in order. */
export function interleave(offsets: readonly number[], windows: Shape, batch: Shape): Shape {
  const shape: Dim[] = [];
  let window = 0;
  for (let d = 0; d < windows.length + batch.length; d += 1) {
    const isWindow = offsets.includes(d);
    shape.push((isWindow ? windows[window] : batch[d - window]) as Dim);
    if (isWindow) window += 1;
  }
  return shape;
}

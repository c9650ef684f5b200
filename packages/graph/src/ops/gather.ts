/**
 * Gather and scatter: windows at computed positions, in XLA's dimension numbers.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { isInteger } from "@gridfuse/plan/scalar";
import { type Dim, formatShape, type Shape, type TensorType, tensorType } from "../ir/types.ts";
import type { GatherDimensions, ScatterDimensions } from "../ir/vocabulary.ts";
import {
  anyDType,
  describe,
  numeric,
  requireDType,
  requireLength,
  requireRange,
  requireSameDType,
  requireSize,
  requireTensors,
} from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";

const fail = (op: string, rule: string, received: unknown): never => {
  throw new BuildError("GF2112", `${op}: ${rule}`, {
    received,
    help: "The dimension numbers are XLA's; see the entry of the op in the op table.",
  });
};

/** Requires distinct dimension numbers below `rank`, increasing where the rule says sorted. */
function requireDims(
  op: string,
  name: string,
  dims: readonly number[],
  rank: number,
  sorted: boolean,
): void {
  for (const [i, dim] of dims.entries()) {
    if (!Number.isInteger(dim) || dim < 0 || dim >= rank) {
      fail(op, `${name} ${formatShape(dims)} must lie from 0 to ${rank - 1}`, dims);
    }
    if (dims.indexOf(dim) !== i) fail(op, `${name} ${formatShape(dims)} names ${dim} twice`, dims);
    if (sorted && i > 0 && dim < (dims[i - 1] as number)) {
      fail(op, `${name} ${formatShape(dims)} must increase`, dims);
    }
  }
}

/** What gather and scatter say alike about operand, indices and the windows between them. */
interface Windows {
  readonly collapsed: readonly number[];
  readonly indexedDims: readonly number[];
  readonly operandBatchingDims: readonly number[];
  readonly indicesBatchingDims: readonly number[];
}

const windowsOfGather = (d: GatherDimensions): Windows => ({
  collapsed: d.collapsedSliceDims,
  indexedDims: d.startIndexMap,
  operandBatchingDims: d.operandBatchingDims,
  indicesBatchingDims: d.startIndicesBatchingDims,
});

const windowsOfScatter = (d: ScatterDimensions): Windows => ({
  collapsed: d.insertedWindowDims,
  indexedDims: d.scatterDimsToOperandDims,
  operandBatchingDims: d.operandBatchingDims,
  indicesBatchingDims: d.scatterIndicesBatchingDims,
});

function requireWindows(
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
    fail(op, `operand dim ${shared} is a batching dim and collapsed or indexed as well`, windows);
  }
  const vector = requireSize(op, indices.shape.at(-1) as Dim, "the index vector");
  if (vector !== indexedDims.length) {
    fail(op, `index vectors of ${vector} for ${indexedDims.length} indexed dims`, indices.shape);
  }
  if (operandBatchingDims.length !== indicesBatchingDims.length) {
    fail(op, "operand and indices have different numbers of batching dims", windows);
  }
  for (const [i, dim] of operandBatchingDims.entries()) {
    const other = indices.shape[indicesBatchingDims[i] as number];
    if (operand.shape[dim] !== other) {
      fail(
        op,
        `batching dim ${dim} is ${operand.shape[dim]} in the operand and ${other} in the indices`,
        windows,
      );
    }
  }
}

/** Operand dims that appear in the result of a gather, or in the updates of a scatter. */
export const windowDimsOf = (
  rank: number,
  { collapsed, operandBatchingDims }: Pick<Windows, "collapsed" | "operandBatchingDims">,
): readonly number[] =>
  Array.from({ length: rank }, (_, i) => i).filter(
    (i) => !collapsed.includes(i) && !operandBatchingDims.includes(i),
  );

/** Places `windows` at the positions `offsets` and fills the rest with `batch`, both in order. */
function interleave(offsets: readonly number[], windows: Shape, batch: Shape): Shape {
  const [fromWindow, fromBatch] = [[...windows], [...batch]];
  return Array.from(
    { length: windows.length + batch.length },
    (_, i) => (offsets.includes(i) ? fromWindow.shift() : fromBatch.shift()) as Dim,
  );
}

export const gather: OpDefinition<"gather"> = defineOp({
  name: "gather",
  category: "indexing",
  doc: "Windows of the operand at the positions in an index array; a window outside is moved inside or filled.",
  arity: 2,
  infer(operands, { dimensions, sliceSizes }) {
    const [operand, indices] = requireTensors("gather", operands, 2) as [TensorType, TensorType];
    const windows = windowsOfGather(dimensions);
    const rank = operand.shape.length;
    requireWindows("gather", operand, indices, windows);
    requireLength("gather", "sliceSizes", sliceSizes.length, rank);
    for (const [i, size] of sliceSizes.entries()) {
      const single = windows.collapsed.includes(i) || windows.operandBatchingDims.includes(i);
      const dim = operand.shape[i] as Dim;
      const room =
        single && typeof dim === "string" ? 1 : requireSize("gather", dim, `dimension ${i}`);
      requireRange(
        "gather",
        `sliceSizes[${i}] of ${formatShape(operand.shape)}`,
        size,
        0,
        single ? Math.min(1, room) : room,
      );
    }
    const kept = windowDimsOf(rank, windows).map((i) => sliceSizes[i] as number);
    const { offsetDims } = dimensions;
    requireDims("gather", "offset dims", offsetDims, indices.shape.length - 1 + kept.length, true);
    if (offsetDims.length !== kept.length) {
      fail(
        "gather",
        `${offsetDims.length} offset dims for windows of rank ${kept.length}`,
        dimensions,
      );
    }
    return [tensorType(operand.dtype, interleave(offsetDims, kept, indices.shape.slice(0, -1)))];
  },
});

export const scatter: OpDefinition<"scatter"> = defineOp({
  name: "scatter",
  category: "indexing",
  doc: "The operand with windows at the positions in an index array set or combined, in row-major order of the updates.",
  arity: 3,
  infer(operands, { dimensions, combine }) {
    const types = requireTensors("scatter", operands, 3) as [TensorType, TensorType, TensorType];
    const [operand, indices, updates] = types;
    const windows = windowsOfScatter(dimensions);
    requireSameDType("scatter", [operand, updates]);
    requireDType(
      "scatter",
      operand.dtype,
      combine === "add" || combine === "mul" ? numeric : anyDType,
    );
    requireWindows("scatter", operand, indices, windows);
    const { updateWindowDims } = dimensions;
    requireDims("scatter", "update window dims", updateWindowDims, updates.shape.length, true);
    const kept = windowDimsOf(operand.shape.length, windows);
    if (updateWindowDims.length !== kept.length) {
      fail(
        "scatter",
        `${updateWindowDims.length} update window dims for windows of rank ${kept.length}`,
        dimensions,
      );
    }
    const batch = indices.shape.slice(0, -1);
    const window = updateWindowDims.map((i) => updates.shape[i] as Dim);
    const expected = interleave(updateWindowDims, window, batch);
    if (formatShape(expected) !== formatShape(updates.shape)) {
      fail(
        "scatter",
        `updates ${formatShape(updates.shape)} where the indices ask for ${formatShape(expected)}`,
        updates.shape,
      );
    }
    for (const [i, size] of window.entries()) {
      const room = operand.shape[kept[i] as number] as Dim;
      if (size === room) continue;
      requireRange(
        "scatter",
        `window size of dimension ${kept[i]}`,
        requireSize("scatter", size, "an update window"),
        0,
        requireSize("scatter", room, `dimension ${kept[i]}`),
      );
    }
    return [tensorType(operand.dtype, operand.shape)];
  },
});

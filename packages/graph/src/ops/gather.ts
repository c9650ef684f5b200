/** Gather: reading windows at computed positions. */
import { type Dim, formatShape, type TensorType, tensorType } from "../ir/types.ts";
import type { GatherDimensions } from "../ir/vocabulary.ts";
import { shifted } from "./batching.ts";
import { requireLength, requireRange, requireSize, requireTensors } from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";
import {
  failWindows,
  interleave,
  requireDims,
  requireWindows,
  type Windows,
  windowDimsOf,
} from "./windows.ts";

const windowsOfGather = (d: GatherDimensions): Windows => ({
  collapsed: d.collapsedSliceDims,
  indexedDims: d.startIndexMap,
  operandBatchingDims: d.operandBatchingDims,
  indicesBatchingDims: d.startIndicesBatchingDims,
});

/** Dimension numbers of the batched gather, by which sides carry the batch. */
function batchedDimensions(
  d: GatherDimensions,
  operandBatched: boolean,
  indicesBatched: boolean,
): GatherDimensions {
  const both = operandBatched && indicesBatched;
  const ofOperand = (dims: readonly number[]) => (operandBatched ? shifted(dims) : dims);
  const ofIndices = (dims: readonly number[]) => (indicesBatched ? shifted(dims) : dims);
  return {
    // With the batch in the operand alone, it is one more window dim, whole and in front.
    offsetDims: indicesBatched ? shifted(d.offsetDims) : [0, ...shifted(d.offsetDims)],
    collapsedSliceDims: ofOperand(d.collapsedSliceDims),
    startIndexMap: ofOperand(d.startIndexMap),
    operandBatchingDims: [...(both ? [0] : []), ...ofOperand(d.operandBatchingDims)],
    startIndicesBatchingDims: [...(both ? [0] : []), ...ofIndices(d.startIndicesBatchingDims)],
  };
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
        single && typeof dim === "string" ? 1 : requireSize("gather", dim, () => `dimension ${i}`);
      requireRange(
        "gather",
        () => `sliceSizes[${i}] of ${formatShape(operand.shape)}`,
        size,
        0,
        single ? Math.min(1, room) : room,
      );
    }
    const kept = windowDimsOf(rank, windows).map((i) => sliceSizes[i] as number);
    const { offsetDims } = dimensions;
    requireDims("gather", "offset dims", offsetDims, indices.shape.length - 1 + kept.length, true);
    if (offsetDims.length !== kept.length) {
      failWindows(
        "gather",
        `${offsetDims.length} offset dims for windows of rank ${kept.length}`,
        dimensions,
      );
    }
    return [tensorType(operand.dtype, interleave(offsetDims, kept, indices.shape.slice(0, -1)))];
  },
  batch(e, { params }, [operand, indices], size) {
    const [from, at] = [operand as BatchOperand, indices as BatchOperand];
    const leading = from.batched ? [at.batched ? 1 : size] : [];
    return [
      e.emit("gather", [from.value, at.value], {
        ...params,
        dimensions: batchedDimensions(params.dimensions, from.batched, at.batched),
        sliceSizes: [...leading, ...params.sliceSizes],
      }),
    ];
  },
});

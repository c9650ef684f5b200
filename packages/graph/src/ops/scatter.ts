/** Scatter: writing or combining windows at computed positions. */
import { type Dim, formatShape, type TensorType, tensorType } from "../ir/types.ts";
import type { ScatterDimensions } from "../ir/vocabulary.ts";
import { shifted, withBatch } from "./batching.ts";
import {
  anyDType,
  numeric,
  requireDType,
  requireFits,
  requireSameDType,
  requireTensors,
} from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";
import {
  failWindows,
  interleave,
  requireDims,
  requireWindows,
  type Windows,
  windowDimsOf,
} from "./windows.ts";

const windowsOfScatter = (d: ScatterDimensions): Windows => ({
  collapsed: d.insertedWindowDims,
  indexedDims: d.scatterDimsToOperandDims,
  operandBatchingDims: d.operandBatchingDims,
  indicesBatchingDims: d.scatterIndicesBatchingDims,
});

/** Dimension numbers of the batched scatter; operand and updates always carry the batch. */
const batchedDimensions = (d: ScatterDimensions, indicesBatched: boolean): ScatterDimensions => ({
  // With indices that all slices share, the batch is one more window dim, whole and in front.
  updateWindowDims: [...(indicesBatched ? [] : [0]), ...shifted(d.updateWindowDims)],
  insertedWindowDims: shifted(d.insertedWindowDims),
  scatterDimsToOperandDims: shifted(d.scatterDimsToOperandDims),
  operandBatchingDims: [...(indicesBatched ? [0] : []), ...shifted(d.operandBatchingDims)],
  scatterIndicesBatchingDims: indicesBatched
    ? [0, ...shifted(d.scatterIndicesBatchingDims)]
    : d.scatterIndicesBatchingDims,
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
      failWindows(
        "scatter",
        `${updateWindowDims.length} update window dims for windows of rank ${kept.length}`,
        dimensions,
      );
    }
    const batch = indices.shape.slice(0, -1);
    const window = updateWindowDims.map((i) => updates.shape[i] as Dim);
    const expected = interleave(updateWindowDims, window, batch);
    if (formatShape(expected) !== formatShape(updates.shape)) {
      failWindows(
        "scatter",
        `updates ${formatShape(updates.shape)} where the indices ask for ${formatShape(expected)}`,
        updates.shape,
      );
    }
    for (const [i, size] of window.entries()) {
      const dim = kept[i] as number;
      requireFits("scatter", size, operand.shape[dim] as Dim, `window size of dimension ${dim}`);
    }
    return [tensorType(operand.dtype, operand.shape)];
  },
  batch(e, { params }, [operand, indices, updates], size) {
    const at = indices as BatchOperand;
    const into = withBatch(e, operand as BatchOperand, size);
    const from = withBatch(e, updates as BatchOperand, size);
    const dimensions = batchedDimensions(params.dimensions, at.batched);
    return [e.emit("scatter", [into, at.value, from], { ...params, dimensions })];
  },
});

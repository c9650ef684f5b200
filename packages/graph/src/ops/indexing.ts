/** Slices at computed positions. Starts are clamped so that the window lies inside. */
import { type DType, itemSize } from "@gridfuse/plan/scalar";
import type { Emitter } from "../ir/emit.ts";
import type { ValueId } from "../ir/table.ts";
import { type Dim, formatShape, type Shape, type TensorType, tensorType } from "../ir/types.ts";
import { shifted, withBatch } from "./batching.ts";
import {
  requireFits,
  requireLength,
  requireRange,
  requireSameDType,
  requireSize,
  requireStarts,
  requireTensors,
} from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";

const anyBatched = (operands: readonly BatchOperand[]): boolean =>
  operands.some(({ batched }) => batched);

/** Unbatched starts with a start of 0 for the batch in front. */
const withLeadingStart = (e: Emitter, starts: readonly BatchOperand[]): readonly ValueId[] => [
  e.full("int32", [], 0),
  ...starts.map(({ value }) => value),
];

/** dtypes that hold values which int32 does not: these are clamped before they are narrowed. */
const isWiderThanInt32 = (dtype: DType): boolean => itemSize(dtype) > 4 || dtype === "uint32";

/** One start a slice as an int32 column [size, 1], clamped to 0 … last. */
function startColumn(e: Emitter, start: BatchOperand, last: number, size: number): ValueId {
  const wide = isWiderThanInt32(e.dtype(start.value));
  const value = wide ? start.value : e.convert(start.value, "int32");
  const dtype = e.dtype(value);
  const bounds = [e.full(dtype, [], 0), e.full(dtype, [], last)] as const;
  const clamped = e.emit("clamp", [bounds[0], value, bounds[1]], {});
  const narrow = { value: e.convert(clamped, "int32"), batched: start.batched };
  return e.reshape(withBatch(e, narrow, size), [size, 1]);
}

/** The starts of all slices as an index array [size, rank] whose windows lie inside. */
function startIndices(
  e: Emitter,
  starts: readonly BatchOperand[],
  shape: Shape,
  window: Shape,
  size: number,
): ValueId {
  const columns = starts.map((start, i) =>
    startColumn(e, start, (shape[i] as number) - (window[i] as number), size),
  );
  return e.emit("concatenate", columns, { dimension: 1 });
}

const countUp = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

export const dynamicSlice: OpDefinition<"dynamic_slice"> = defineOp({
  name: "dynamic_slice",
  category: "indexing",
  doc: "A window of static sizes at computed starts; the starts are clamped.",
  arity: 1,
  variadic: true,
  infer(operands, { sizes }) {
    const [operand, ...starts] = requireTensors("dynamic_slice", operands, 1, true) as [
      TensorType,
      ...TensorType[],
    ];
    const { dtype, shape } = operand;
    requireStarts("dynamic_slice", starts, shape.length);
    requireLength("dynamic_slice", "sizes", sizes.length, shape.length);
    for (const [i, size] of sizes.entries()) {
      const room = requireSize("dynamic_slice", shape[i], () => `dimension ${i}`);
      requireRange("dynamic_slice", () => `sizes[${i}] of ${formatShape(shape)}`, size, 0, room);
    }
    return [tensorType(dtype, sizes)];
  },
  batch(e, { params }, [operand, ...starts], size) {
    const { value, batched } = operand as BatchOperand;
    const { sizes } = params;
    if (!anyBatched(starts)) {
      const operands = [value, ...withLeadingStart(e, starts)];
      return [e.emit("dynamic_slice", operands, { sizes: [size, ...sizes] })];
    }
    const shape = batched ? e.shape(value).slice(1) : e.shape(value);
    const indices = startIndices(e, starts, shape, sizes, size);
    const dims = countUp(shape.length);
    return [
      e.emit("gather", [value, indices], {
        dimensions: {
          offsetDims: shifted(dims),
          collapsedSliceDims: [],
          startIndexMap: batched ? shifted(dims) : dims,
          operandBatchingDims: batched ? [0] : [],
          startIndicesBatchingDims: batched ? [0] : [],
        },
        sliceSizes: [...(batched ? [1] : []), ...sizes],
        mode: "clip",
        fill: { lo: 0, hi: 0 },
      }),
    ];
  },
});

export const dynamicUpdateSlice: OpDefinition<"dynamic_update_slice"> = defineOp({
  name: "dynamic_update_slice",
  category: "indexing",
  doc: "The operand with a window at computed starts replaced; the starts are clamped.",
  arity: 2,
  variadic: true,
  infer(operands) {
    const types = requireTensors("dynamic_update_slice", operands, 2, true);
    const [operand, update, ...starts] = types as [TensorType, TensorType, ...TensorType[]];
    requireSameDType("dynamic_update_slice", [operand, update]);
    requireStarts("dynamic_update_slice", starts, operand.shape.length);
    requireLength(
      "dynamic_update_slice",
      "shape of the update",
      update.shape.length,
      operand.shape.length,
    );
    for (const [i, size] of update.shape.entries()) {
      const dim = operand.shape[i] as Dim;
      requireFits("dynamic_update_slice", size, dim, () => `update dimension ${i}`);
    }
    return [tensorType(operand.dtype, operand.shape)];
  },
  batch(e, { params }, [operand, update, ...starts], size) {
    const into = withBatch(e, operand as BatchOperand, size);
    const from = withBatch(e, update as BatchOperand, size);
    if (!anyBatched(starts)) {
      const operands = [into, from, ...withLeadingStart(e, starts)];
      return [e.emit("dynamic_update_slice", operands, params)];
    }
    const shape = e.shape(into).slice(1);
    const indices = startIndices(e, starts, shape, e.shape(from).slice(1), size);
    const dims = shifted(countUp(shape.length));
    return [
      e.emit("scatter", [into, indices, from], {
        dimensions: {
          updateWindowDims: dims,
          insertedWindowDims: [],
          scatterDimsToOperandDims: dims,
          operandBatchingDims: [0],
          scatterIndicesBatchingDims: [0],
        },
        combine: "set",
        mode: "clip",
      }),
    ];
  },
});

/** Slices at computed positions. Starts are clamped so that the window lies inside. */
import { type Dim, formatShape, type TensorType, tensorType } from "../ir/types.ts";
import {
  requireFits,
  requireLength,
  requireRange,
  requireSameDType,
  requireSize,
  requireStarts,
  requireTensors,
} from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";

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
      const room = requireSize("dynamic_slice", shape[i], `dimension ${i}`);
      requireRange("dynamic_slice", `sizes[${i}] of ${formatShape(shape)}`, size, 0, room);
    }
    return [tensorType(dtype, sizes)];
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
      requireFits("dynamic_update_slice", size, operand.shape[i] as Dim, `update dimension ${i}`);
    }
    return [tensorType(operand.dtype, operand.shape)];
  },
});

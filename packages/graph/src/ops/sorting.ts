/** Sorting. The order is total: −0 equals +0, and all NaNs come last. */
import { type Dim, type TensorType, tensorType } from "../ir/types.ts";
import { withBatch } from "./batching.ts";
import {
  describe,
  requireAxes,
  requireRange,
  requireSameShape,
  requireSize,
  requireTensors,
} from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";

export const sort: OpDefinition<"sort"> = defineOp({
  name: "sort",
  category: "sorting",
  doc: "Sorts its operands together along a dimension, by the first `keys` of them in turn.",
  arity: 1,
  variadic: true,
  infer(operands, { dimension, keys }) {
    const types = requireTensors("sort", operands, 1, true);
    requireSameShape("sort", types);
    requireAxes("sort", [dimension], (types[0] as TensorType).shape.length, "dimension");
    requireRange("sort", `number of keys of (${describe(types)})`, keys, 1, types.length);
    return types;
  },
  batch: (e, { params }, operands, size) =>
    e.emitAll(
      "sort",
      operands.map((operand) => withBatch(e, operand, size)),
      { ...params, dimension: params.dimension + 1 },
    ),
});

export const topK: OpDefinition<"top_k"> = defineOp({
  name: "top_k",
  category: "sorting",
  doc: "The k greatest elements along the last dimension in descending order, and their int32 indices; the first of equals first, NaN greatest.",
  arity: 1,
  infer(operands, { k }) {
    const [{ dtype, shape }] = requireTensors("top_k", operands, 1) as [TensorType];
    requireRange("top_k", "rank of the operand", shape.length, 1);
    const last = requireSize("top_k", shape.at(-1) as Dim, "the last dimension");
    requireRange("top_k", "k", k, 0, last);
    const result = shape.with(-1, k);
    return [tensorType(dtype, result), tensorType("int32", result)];
  },
  batch: (e, { params }, operands) =>
    e.emitAll("top_k", [(operands[0] as BatchOperand).value], params),
});

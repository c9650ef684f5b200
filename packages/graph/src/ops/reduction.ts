/** Reductions: the named axes disappear. An empty reduction gives the identity. */
import type { DType } from "@gridfuse/plan/scalar";
import { type TensorType, tensorType, type ValueType } from "../ir/types.ts";
import { shifted } from "./batching.ts";
import {
  anyDType,
  bitwise,
  type DTypeClass,
  integers,
  numeric,
  requireAxes,
  requireDType,
  requireRange,
  requireTensors,
} from "./check.ts";
import type { BatchOperand, OpDefinition } from "./define.ts";

type ReductionName =
  | "reduce_sum"
  | "reduce_prod"
  | "reduce_max"
  | "reduce_min"
  | "reduce_and"
  | "reduce_or"
  | "reduce_xor";

const without = ({ dtype, shape }: TensorType, axes: readonly number[], result: DType = dtype) =>
  tensorType(
    result,
    shape.filter((_, i) => !axes.includes(i)),
  );

const reduction = <K extends ReductionName>(
  name: K,
  accepts: DTypeClass,
  doc: string,
): OpDefinition<K> => ({
  name,
  category: "reduction",
  doc,
  arity: 1,
  infer(operands: readonly ValueType[], { axes }: { readonly axes: readonly number[] }) {
    const [operand] = requireTensors(name, operands, 1) as [TensorType];
    requireDType(name, operand.dtype, accepts);
    requireAxes(name, axes, operand.shape.length);
    return [without(operand, axes)];
  },
  batch: (e, { params }, operands) =>
    e.emitAll<ReductionName>(name, [(operands[0] as BatchOperand).value], {
      ...params,
      axes: shifted(params.axes),
    }),
});

export const reduceSum: OpDefinition<"reduce_sum"> = reduction(
  "reduce_sum",
  numeric,
  "Sum; 0 of nothing.",
);
export const reduceProd: OpDefinition<"reduce_prod"> = reduction(
  "reduce_prod",
  numeric,
  "Product; 1 of nothing.",
);
export const reduceMax: OpDefinition<"reduce_max"> = reduction(
  "reduce_max",
  anyDType,
  "Greatest element, NaN if there is one; the least value of the dtype of nothing.",
);
export const reduceMin: OpDefinition<"reduce_min"> = reduction(
  "reduce_min",
  anyDType,
  "Least element, NaN if there is one; the greatest value of the dtype of nothing.",
);
export const reduceAnd: OpDefinition<"reduce_and"> = reduction(
  "reduce_and",
  bitwise,
  "Bitwise and; all ones of nothing.",
);
export const reduceOr: OpDefinition<"reduce_or"> = reduction(
  "reduce_or",
  bitwise,
  "Bitwise or; 0 of nothing.",
);
export const reduceXor: OpDefinition<"reduce_xor"> = reduction(
  "reduce_xor",
  bitwise,
  "Bitwise exclusive or; 0 of nothing.",
);

const position = <K extends "argmax" | "argmin">(name: K, doc: string): OpDefinition<K> => ({
  name,
  category: "reduction",
  doc,
  arity: 1,
  infer(
    operands: readonly ValueType[],
    { axis, indexDType }: { readonly axis: number; readonly indexDType: DType },
  ) {
    const [operand] = requireTensors(name, operands, 1) as [TensorType];
    requireAxes(name, [axis], operand.shape.length);
    requireDType(name, indexDType, integers);
    const size = operand.shape[axis];
    if (typeof size === "number") requireRange(name, `size of axis ${axis}`, size, 1);
    return [without(operand, [axis], indexDType)];
  },
  batch: (e, { params }, operands) =>
    e.emitAll<"argmax" | "argmin">(name, [(operands[0] as BatchOperand).value], {
      ...params,
      axis: params.axis + 1,
    }),
});

export const argmax: OpDefinition<"argmax"> = position(
  "argmax",
  "Index of the greatest element, the first of equals; NaN counts as greatest.",
);
export const argmin: OpDefinition<"argmin"> = position(
  "argmin",
  "Index of the least element, the first of equals; NaN counts as least.",
);

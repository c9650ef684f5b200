/** Inclusive prefix combinations along one axis; `reverse` runs from the end. */
import { type TensorType, tensorType, type ValueType } from "../ir/types.ts";
import {
  anyDType,
  type DTypeClass,
  floats,
  numeric,
  requireAxes,
  requireDType,
  requireTensors,
} from "./check.ts";
import type { BatchOperand, OpDefinition } from "./define.ts";

type CumulativeName = "cumsum" | "cumprod" | "cummax" | "cummin" | "cumlogsumexp";

const cumulative = <K extends CumulativeName>(
  name: K,
  accepts: DTypeClass,
  doc: string,
): OpDefinition<K> => ({
  name,
  category: "cumulative",
  doc,
  arity: 1,
  infer(operands: readonly ValueType[], { axis }: { readonly axis: number }) {
    const [{ dtype, shape }] = requireTensors(name, operands, 1) as [TensorType];
    requireDType(name, dtype, accepts);
    requireAxes(name, [axis], shape.length);
    return [tensorType(dtype, shape)];
  },
  batch: (e, { params }, operands) =>
    e.emitAll<CumulativeName>(name, [(operands[0] as BatchOperand).value], {
      ...params,
      axis: params.axis + 1,
    }),
});

export const cumsum: OpDefinition<"cumsum"> = cumulative(
  "cumsum",
  numeric,
  "Running sum along an axis.",
);
export const cumprod: OpDefinition<"cumprod"> = cumulative(
  "cumprod",
  numeric,
  "Running product along an axis.",
);
export const cummax: OpDefinition<"cummax"> = cumulative(
  "cummax",
  anyDType,
  "Running maximum along an axis; NaN stays from where it stands.",
);
export const cummin: OpDefinition<"cummin"> = cumulative(
  "cummin",
  anyDType,
  "Running minimum along an axis; NaN stays from where it stands.",
);
export const cumlogsumexp: OpDefinition<"cumlogsumexp"> = cumulative(
  "cumlogsumexp",
  floats,
  "Running log Σ eˣ along an axis, without overflow.",
);

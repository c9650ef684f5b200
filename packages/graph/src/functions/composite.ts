/** Functions spelled in others: activations and normalisations, as jax.nn writes them. */
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import type { FloatOf } from "../types/dtype-types.ts";
import type { Real } from "../types/signatures.ts";
import { add, div, erf, exp, log, logistic, maximum, mul, pow, sub, tanh } from "./elementwise.ts";
import { max, sum } from "./reduction.ts";

export const relu = <A extends Tensor>(x: A): Tensor<A["dtype"], A["shape"]> =>
  traced("relu", () => maximum(x as Tensor, 0)) as unknown as Tensor<A["dtype"], A["shape"]>;

/** x · logistic(x). */
export const silu: Real = ((x: Tensor) => traced("silu", () => mul(x, logistic(x)))) as Real;

export interface GeluOptions {
  /** `tanh` (the default, as in jax.nn) or the exact `erf`. */
  readonly form?: "tanh" | "erf";
}
const geluOptions: OptionNames<GeluOptions> = { form: true };
/** Gaussian error linear unit (Hendrycks & Gimpel, 2016). */
export function gelu<A extends Tensor>(
  x: A,
  options: GeluOptions = {},
): Tensor<FloatOf<A["dtype"]>, A["shape"]> {
  return traced("gelu", () => {
    const half: Operand = 0.5;
    if (checked("gelu", options, geluOptions).form === "erf") {
      return mul(mul(x as Tensor, half), add(erf(mul(x as Tensor, Math.SQRT1_2)), 1));
    }
    const cubic = add(x as Tensor, mul(pow(x as Tensor, 3), 0.044715));
    const inner = mul(cubic, Math.sqrt(2 / Math.PI));
    return mul(mul(x as Tensor, half), add(tanh(inner), 1));
  }) as unknown as Tensor<FloatOf<A["dtype"]>, A["shape"]>;
}

export interface AxisOption {
  /** The last one where absent. */
  readonly axis?: number;
}
const axisOption: OptionNames<AxisOption> = { axis: true };

/** e^x over its sum along an axis, shifted by the maximum. */
export function softmax<A extends Tensor>(
  x: A,
  options: AxisOption = {},
): Tensor<FloatOf<A["dtype"]>, A["shape"]> {
  return traced("softmax", () => {
    const { axis = -1 } = checked("softmax", options, axisOption);
    const shifted = exp(sub(x as Tensor, max(x as Tensor, { axis, keepDims: true })));
    return div(shifted, sum(shifted, { axis, keepDims: true }));
  }) as unknown as Tensor<FloatOf<A["dtype"]>, A["shape"]>;
}

/** log(softmax(x)), without the division. */
export function logSoftmax<A extends Tensor>(
  x: A,
  options: AxisOption = {},
): Tensor<FloatOf<A["dtype"]>, A["shape"]> {
  return traced("logSoftmax", () => {
    const { axis = -1 } = checked("logSoftmax", options, axisOption);
    const shifted = sub(x as Tensor, max(x as Tensor, { axis, keepDims: true }));
    return sub(shifted, log(sum(exp(shifted), { axis, keepDims: true })));
  }) as unknown as Tensor<FloatOf<A["dtype"]>, A["shape"]>;
}

/** log(Σ e^x) along an axis, shifted by the maximum. */
export function logSumExp(x: Tensor, options: AxisOption = {}): Tensor {
  return traced("logSumExp", () => {
    const { axis = -1 } = checked("logSumExp", options, axisOption);
    const most = max(x, { axis, keepDims: true });
    const total = log(sum(exp(sub(x, most)), { axis }));
    return add(total, max(x, { axis }));
  });
}

/**
 * Reductions and cumulative functions over axes. As in jax.numpy, narrow integers sum in 32 bits,
 * and float16 and bfloat16 sum in float32 and round once.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, isFloat } from "@gridfuse/plan/scalar";
import type { ValueId } from "../ir/table.ts";
import type { Shape } from "../ir/types.ts";
import { tensorOf } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { type Scope, traced } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { Axes } from "../types/shape-types.ts";
import type {
  BoolReduction,
  RealReduction,
  ReduceOptions,
  Reduction,
  SumReduction,
} from "../types/signatures.ts";
import { div, mul, ne, square, sub } from "./elementwise.ts";

/** `axis` counted from the front. @throws BuildError GF2305 where it lies outside the rank */
export function frontAxis(name: string, axis: number, ndim: number): number {
  if (Number.isInteger(axis) && axis >= -ndim && axis < ndim) return axis < 0 ? axis + ndim : axis;
  throw new BuildError("GF2305", `${name}: axis ${axis} of a tensor of rank ${ndim}`, {
    expected: ndim === 0 ? "no axis" : `${-ndim} … ${ndim - 1}`,
    received: axis,
    help: "axes count from 0, or from −1 at the end",
  });
}

function axesOf(name: string, axis: Axes, ndim: number): readonly number[] {
  if (axis === undefined) return Array.from({ length: ndim }, (_, i) => i);
  const axes = (typeof axis === "number" ? [axis] : axis).map((a) => frontAxis(name, a, ndim));
  if (new Set(axes).size === axes.length) return axes.sort((a, b) => a - b);
  throw new BuildError("GF2305", `${name}: axes [${axes.join(", ")}] repeat`, {
    received: axis,
    help: "name each axis once; −1 is the last one",
  });
}

const keptShape = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((dim, i) => (axes.includes(i) ? 1 : dim));

type ReduceOp =
  | "reduce_sum"
  | "reduce_prod"
  | "reduce_max"
  | "reduce_min"
  | "reduce_and"
  | "reduce_or";

interface Accumulation {
  /** dtype in which to reduce. */
  readonly inside: DType;
  readonly result: DType;
}
const keep = (dtype: DType): Accumulation => ({ inside: dtype, result: dtype });

const narrow: { readonly [D in DType]?: DType } = {
  bool: "int32",
  int8: "int32",
  int16: "int32",
  uint8: "uint32",
  uint16: "uint32",
};
function additive(dtype: DType): Accumulation {
  if (dtype === "float16" || dtype === "bfloat16") return { inside: "float32", result: dtype };
  return keep(narrow[dtype] ?? dtype);
}
const toBool = (): Accumulation => keep("bool");

function reduceWith(
  scope: Scope,
  name: string,
  op: ReduceOp,
  x: Tensor,
  options: ReduceOptions,
  { inside, result }: Accumulation,
): ValueId {
  const { emitter } = scope;
  const axes = axesOf(name, options.axis, x.ndim);
  const value = emitter.convert(scope.resolve(x), inside);
  const reduced = emitter.convert(emitter.emit(op, [value], { axes }), result);
  return options.keepDims === true ? emitter.reshape(reduced, keptShape(x.shape, axes)) : reduced;
}

const reduceOptions: OptionNames<ReduceOptions> = { axis: true, keepDims: true };
const reduction =
  (name: string, op: ReduceOp, accumulation: (dtype: DType) => Accumulation) =>
  (x: Tensor, options: ReduceOptions = {}): Tensor =>
    traced(name, (scope) => {
      checked(name, options, reduceOptions);
      return tensorOf(scope, reduceWith(scope, name, op, x, options, accumulation(x.dtype)));
    });

export const sum: SumReduction = reduction("sum", "reduce_sum", additive) as SumReduction;
export const prod: SumReduction = reduction("prod", "reduce_prod", additive) as SumReduction;
export const max: Reduction = reduction("max", "reduce_max", keep) as Reduction;
export const min: Reduction = reduction("min", "reduce_min", keep) as Reduction;
const someOf = reduction("any", "reduce_or", toBool);
const allOf = reduction("all", "reduce_and", toBool);
const truth = (x: Tensor): Tensor => (x.dtype === "bool" ? x : (ne(x, 0) as Tensor));
export const any: BoolReduction = ((x: Tensor, options?: ReduceOptions) =>
  traced("any", () => someOf(truth(x), options))) as BoolReduction;
export const all: BoolReduction = ((x: Tensor, options?: ReduceOptions) =>
  traced("all", () => allOf(truth(x), options))) as BoolReduction;

/** Number of elements that a reduction over `axes` joins. */
function extent(name: string, shape: Shape, axes: readonly number[]): number {
  let count = 1;
  for (const axis of axes) {
    const dim = shape[axis];
    if (typeof dim !== "number") {
      throw new BuildError(
        "GF2306",
        `${name} needs the size of axis ${axis}, which is named "${dim}"`,
        {
          help: "trace the graph with the size in place of the name, or divide by a size that you pass as an input",
        },
      );
    }
    count *= dim;
  }
  return count;
}

export const mean: RealReduction = ((x: Tensor, options: ReduceOptions = {}) =>
  traced("mean", (scope) => {
    checked("mean", options, reduceOptions);
    const result = isFloat(x.dtype) ? x.dtype : "float32";
    const inside = result === "float64" ? "float64" : "float32";
    const axes = axesOf("mean", options.axis, x.ndim);
    const total = reduceWith(scope, "mean", "reduce_sum", x, options, { inside, result: inside });
    const mean = div(tensorOf(scope, total), extent("mean", x.shape, axes));
    return tensorOf(scope, scope.emitter.convert(mean.id, result));
  })) as RealReduction;

export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements in the divisor; 0 by default. */
  readonly correction?: number;
}
const varianceOptions: OptionNames<VarianceOptions> = { ...reduceOptions, correction: true };
/** Mean square deviation from the mean. */
export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  return traced("variance", () => {
    const { correction = 0, ...rest } = checked("variance", options, varianceOptions);
    const axes = axesOf("variance", options.axis, x.ndim);
    const count = extent("variance", x.shape, axes);
    const deviation = sub(x, mean(x, { axis: axes, keepDims: true }) as Tensor) as Tensor;
    const squares: Tensor = mean(square(deviation), rest as ReduceOptions<Axes, boolean>);
    return correction === 0 ? squares : mul(squares, count / (count - correction));
  });
}

export interface ArgOptions {
  /** The flattened tensor where absent. */
  readonly axis?: number;
  readonly keepDims?: boolean;
}
const argOptions: OptionNames<ArgOptions> = { axis: true, keepDims: true };
const argReduction =
  (name: "argmax" | "argmin") =>
  (x: Tensor, options: ArgOptions = {}): Tensor<"int32"> =>
    traced(name, (scope) => {
      checked(name, options, argOptions);
      const { emitter } = scope;
      const flat = options.axis === undefined && x.ndim !== 1;
      const count = flat ? extent(name, x.shape, axesOf(name, undefined, x.ndim)) : 0;
      const value = flat ? emitter.reshape(scope.resolve(x), [count]) : scope.resolve(x);
      const axis = flat ? 0 : frontAxis(name, options.axis ?? 0, x.ndim);
      const index = emitter.emit(name, [value], { axis, indexDType: "int32" });
      if (options.keepDims !== true) return tensorOf(scope, index);
      const kept = keptShape(x.shape, flat ? axesOf(name, undefined, x.ndim) : [axis]);
      return tensorOf(scope, emitter.reshape(index, kept));
    }) as Tensor<"int32">;
/** Index of the first greatest element; NaN counts as greatest. */
export const argmax: (x: Tensor, options?: ArgOptions) => Tensor<"int32"> = argReduction("argmax");
/** Index of the first least element; NaN counts as least. */
export const argmin: (x: Tensor, options?: ArgOptions) => Tensor<"int32"> = argReduction("argmin");

export interface CumulativeOptions {
  /** The last one where absent. */
  readonly axis?: number;
  /** From the end. */
  readonly reverse?: boolean;
}
export type Cumulative = <A extends Tensor>(
  x: A,
  options?: CumulativeOptions,
) => Tensor<A["dtype"], A["shape"]>;
const cumulativeOptions: OptionNames<CumulativeOptions> = { axis: true, reverse: true };
const cumulative = (
  name: "cumsum" | "cumprod" | "cummax" | "cummin" | "cumlogsumexp",
): Cumulative =>
  ((x: Tensor, options: CumulativeOptions = {}) =>
    traced(name, (scope) => {
      const { axis = -1, reverse = false } = checked(name, options, cumulativeOptions);
      const params = { axis: frontAxis(name, axis, x.ndim), reverse };
      return tensorOf(scope, scope.emitter.emit(name, [scope.resolve(x)], params));
    })) as Cumulative;
export const cumsum: Cumulative = cumulative("cumsum");
export const cumprod: Cumulative = cumulative("cumprod");
export const cummax: Cumulative = cumulative("cummax");
export const cummin: Cumulative = cumulative("cummin");
export const cumlogsumexp: Cumulative = cumulative("cumlogsumexp");

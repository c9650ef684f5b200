/**
 * Methods of tensors. A method is the function of the same name with the tensor as its first
 * argument; this file only says which functions have one.
 */

import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import * as composite from "./functions/composite.ts";
import * as elementwise from "./functions/elementwise.ts";
import * as indexing from "./functions/indexing.ts";
import * as laxIndexing from "./functions/lax-indexing.ts";
import * as linear from "./functions/linear.ts";
import * as movement from "./functions/movement.ts";
import * as reduction from "./functions/reduction.ts";
import * as sorting from "./functions/sorting.ts";
import * as taking from "./functions/take.ts";
import type { Indexer } from "./indexer.ts";
import type { Dim, Shape } from "./ir/types.ts";
import { captureOrigin } from "./origin.ts";
import { Ref } from "./ref.ts";
import { located } from "./scope.ts";
import { type Operand, Tensor } from "./tensor.ts";
import type { FloatOf, Promote } from "./types/dtype-types.ts";
import type { ContractCheck, Matmul, Reshaped, Transpose } from "./types/shape-types.ts";
import type {
  BinaryMethod,
  BoolReductionMethod,
  ComparisonMethod,
  Meet,
  PredicateMethod,
  RealBinaryMethod,
  RealMethod,
  RealReductionMethod,
  ReductionMethod,
  SumReductionMethod,
  UnaryMethod,
} from "./types/signatures.ts";

type Self<T extends Tensor> = Tensor<T["dtype"], T["shape"]>;
/** `f` without its first parameter. */
type Rest<F> = F extends (x: never, ...rest: infer R) => unknown ? R : never;

type UnaryName =
  | "neg"
  | "abs"
  | "sign"
  | "square"
  | "floor"
  | "ceil"
  | "not"
  | "populationCount"
  | "clz";
type RealName =
  | "exp"
  | "exp2"
  | "expm1"
  | "log"
  | "log1p"
  | "log2"
  | "sin"
  | "cos"
  | "tan"
  | "asin"
  | "acos"
  | "atan"
  | "sinh"
  | "cosh"
  | "tanh"
  | "asinh"
  | "acosh"
  | "atanh"
  | "logistic"
  | "sigmoid"
  | "erf"
  | "erfc"
  | "erfInv"
  | "lgamma"
  | "digamma"
  | "sqrt"
  | "rsqrt"
  | "cbrt"
  | "reciprocal"
  | "silu";
type BinaryName =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "rem"
  | "floorDivide"
  | "mod"
  | "pow"
  | "maximum"
  | "minimum"
  | "and"
  | "or"
  | "xor"
  | "shiftLeft"
  | "shiftRight"
  | "shiftRightLogical"
  | "shiftRightArithmetic";
type ComparisonName =
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  | "logicalAnd"
  | "logicalOr"
  | "logicalXor";

type Families = { readonly [K in UnaryName]: UnaryMethod } & {
  readonly [K in RealName]: RealMethod;
} & {
  readonly [K in BinaryName]: BinaryMethod;
} & { readonly [K in ComparisonName]: ComparisonMethod } & {
  readonly [K in "divide" | "atan2" | "nextafter"]: RealBinaryMethod;
} & { readonly [K in "isnan" | "isfinite" | "logicalNot"]: PredicateMethod } & {
  readonly [K in "sum" | "prod"]: SumReductionMethod;
} & { readonly [K in "max" | "min"]: ReductionMethod } & {
  readonly [K in "any" | "all"]: BoolReductionMethod;
};

type CumulativeMethod = <T extends Tensor>(
  this: T,
  options?: reduction.CumulativeOptions,
) => Self<T>;

/** Methods of a tensor; each is the function of the same name. */
export interface Methods extends Families {
  readonly mean: RealReductionMethod;
  readonly cumsum: CumulativeMethod;
  readonly cumprod: CumulativeMethod;
  readonly cummax: CumulativeMethod;
  readonly cummin: CumulativeMethod;
  readonly cumlogsumexp: CumulativeMethod;
  variance(options?: reduction.VarianceOptions): Tensor;
  argmax(options?: reduction.ArgOptions): Tensor<"int32">;
  argmin(options?: reduction.ArgOptions): Tensor<"int32">;

  round<T extends Tensor>(this: T, options?: elementwise.RoundOptions): Self<T>;
  relu<T extends Tensor>(this: T): Self<T>;
  gelu<T extends Tensor>(
    this: T,
    options?: composite.GeluOptions,
  ): Tensor<FloatOf<T["dtype"]>, T["shape"]>;
  softmax<T extends Tensor>(
    this: T,
    options?: composite.AxisOption,
  ): Tensor<FloatOf<T["dtype"]>, T["shape"]>;
  logSoftmax<T extends Tensor>(
    this: T,
    options?: composite.AxisOption,
  ): Tensor<FloatOf<T["dtype"]>, T["shape"]>;
  logSumExp(options?: composite.AxisOption): Tensor;
  clamp<T extends Tensor>(this: T, least: Operand, most: Operand): Self<T>;
  clip<T extends Tensor>(this: T, least: Operand, most: Operand): Self<T>;
  /** `condition.where(x, y)`. */
  where<const A extends Operand, const B extends Operand>(x: A, y: B): Meet<A, B>;
  astype<T extends Tensor, D extends DType>(this: T, dtype: D): Tensor<D, T["shape"]>;
  bitcast<D extends DType>(dtype: D): Tensor<D>;
  reducePrecision<T extends Tensor>(this: T, format: elementwise.PrecisionFormat): Self<T>;

  reshape<T extends Tensor, const N extends readonly Dim[]>(
    this: T,
    shape: N,
  ): Tensor<T["dtype"], Reshaped<N>>;
  ravel<T extends Tensor>(this: T): Tensor<T["dtype"], readonly [number]>;
  broadcastTo<T extends Tensor, const S extends Shape>(this: T, shape: S): Tensor<T["dtype"], S>;
  transpose<T extends Tensor, const P extends readonly number[] | undefined = undefined>(
    this: T,
    permutation?: P,
  ): Tensor<T["dtype"], Transpose<T["shape"], P>>;
  swapaxes<T extends Tensor>(this: T, a: number, b: number): Tensor<T["dtype"]>;
  moveaxis<T extends Tensor>(this: T, from: number, to: number): Tensor<T["dtype"]>;
  squeeze<T extends Tensor>(this: T, axis?: number | readonly number[]): Tensor<T["dtype"]>;
  expandDims<T extends Tensor>(this: T, axis: number | readonly number[]): Tensor<T["dtype"]>;
  slice<T extends Tensor>(this: T, ...rest: Rest<typeof movement.slice>): Tensor<T["dtype"]>;
  sliceAlong<T extends Tensor>(
    this: T,
    ...rest: Rest<typeof movement.sliceAlong>
  ): Tensor<T["dtype"]>;
  pad<T extends Tensor>(this: T, ...rest: Rest<typeof movement.pad>): Tensor<T["dtype"]>;
  split<T extends Tensor>(
    this: T,
    ...rest: Rest<typeof movement.split>
  ): readonly Tensor<T["dtype"]>[];
  flip<T extends Tensor>(this: T, axis?: number | readonly number[]): Self<T>;
  roll<T extends Tensor>(this: T, shift: number, options?: movement.AlongOptions): Self<T>;
  tile<T extends Tensor>(this: T, counts: number | readonly number[]): Tensor<T["dtype"]>;
  repeat<T extends Tensor>(
    this: T,
    count: number,
    options?: movement.AlongOptions,
  ): Tensor<T["dtype"]>;

  /** NumPy-like indexing: `x.index(0, ":", "1:3", ds(i, 8), [2, 0])`. */
  index<T extends Tensor>(this: T, ...indexers: readonly Indexer[]): Tensor<T["dtype"]>;
  /** `x.at(i, ":").set(row)` is x with that row. */
  at(...indexers: readonly Indexer[]): indexing.Place;
  dynamicSlice<T extends Tensor, const S extends readonly number[]>(
    this: T,
    starts: readonly Operand[],
    sizes: S,
  ): Tensor<T["dtype"], S>;
  dynamicUpdateSlice<T extends Tensor>(
    this: T,
    update: Operand,
    starts: readonly Operand[],
  ): Self<T>;
  take<T extends Tensor>(this: T, ...rest: Rest<typeof taking.take>): Tensor<T["dtype"]>;
  takeAlongAxis<T extends Tensor>(
    this: T,
    ...rest: Rest<typeof taking.takeAlongAxis>
  ): Tensor<T["dtype"]>;
  sort<T extends Tensor>(this: T, options?: sorting.SortOptions): Self<T>;
  argsort<T extends Tensor>(this: T, options?: sorting.SortOptions): Tensor<"int32", T["shape"]>;
  topK<T extends Tensor>(
    this: T,
    ...rest: Rest<typeof sorting.topK>
  ): { readonly values: Tensor<T["dtype"]>; readonly indices: Tensor<"int32"> };

  dot<A extends Tensor, B extends Tensor, D extends DType = Promote<A["dtype"], B["dtype"]>>(
    this: A,
    other: B & ContractCheck<A["shape"], B["shape"]>,
    options?: linear.DotOptions<D>,
  ): Tensor<D, [Matmul<A["shape"], B["shape"]>] extends [infer S extends Shape] ? S : Shape>;
  matmul<A extends Tensor, B extends Tensor, D extends DType = Promote<A["dtype"], B["dtype"]>>(
    this: A,
    other: B & ContractCheck<A["shape"], B["shape"]>,
    options?: linear.DotOptions<D>,
  ): Tensor<D, [Matmul<A["shape"], B["shape"]>] extends [infer S extends Shape] ? S : Shape>;
}

type AnyFunction = (...given: never[]) => unknown;

function functionsWithMethods(): { readonly [K in keyof Methods]: AnyFunction } {
  const { neg, abs, sign, square, floor, ceil, round, not, populationCount, clz } = elementwise;
  const { exp, exp2, expm1, log, log1p, log2, sin, cos, tan, asin, acos, atan } = elementwise;
  const { sinh, cosh, tanh, asinh, acosh, atanh, logistic, sigmoid, erf, erfc, erfInv } =
    elementwise;
  const { lgamma, digamma, sqrt, rsqrt, cbrt, reciprocal } = elementwise;
  const { add, sub, mul, div, divide, rem, floorDivide, mod, pow, maximum, minimum } = elementwise;
  const { atan2, nextafter, and, or, xor, shiftLeft, shiftRight } = elementwise;
  const { shiftRightLogical, shiftRightArithmetic, eq, ne, lt, le, gt, ge } = elementwise;
  const { logicalAnd, logicalOr, logicalXor, logicalNot, isnan, isfinite } = elementwise;
  const { where, clamp, clip, astype, bitcast, reducePrecision } = elementwise;
  const { relu, silu, gelu, softmax, logSoftmax, logSumExp } = composite;
  const { sum, prod, max, min, mean, variance, any, all, argmax, argmin } = reduction;
  const { cumsum, cumprod, cummax, cummin, cumlogsumexp } = reduction;
  const { reshape, ravel, broadcastTo, transpose, swapaxes, moveaxis, squeeze } = movement;
  const { expandDims, slice, sliceAlong, pad, split, flip, roll, tile, repeat } = movement;
  const { index, at } = indexing;
  const { dynamicSlice, dynamicUpdateSlice } = laxIndexing;
  const { take, takeAlongAxis } = taking;
  const { sort, argsort, topK } = sorting;
  const { dot, matmul } = linear;
  // biome-ignore format: a list of names
  return {
    neg, abs, sign, square, floor, ceil, round, not, populationCount, clz,
    exp, exp2, expm1, log, log1p, log2, sin, cos, tan, asin, acos, atan,
    sinh, cosh, tanh, asinh, acosh, atanh, logistic, sigmoid, erf, erfc, erfInv,
    lgamma, digamma, sqrt, rsqrt, cbrt, reciprocal,
    add, sub, mul, div, divide, rem, floorDivide, mod, pow, maximum, minimum,
    atan2, nextafter, and, or, xor, shiftLeft, shiftRight,
    shiftRightLogical, shiftRightArithmetic, eq, ne, lt, le, gt, ge,
    logicalAnd, logicalOr, logicalXor, logicalNot, isnan, isfinite,
    where, clamp, clip, astype, bitcast, reducePrecision,
    relu, silu, gelu, softmax, logSoftmax, logSumExp,
    sum, prod, max, min, mean, variance, any, all, argmax, argmin,
    cumsum, cumprod, cummax, cummin, cumlogsumexp,
    reshape, ravel, broadcastTo, transpose, swapaxes, moveaxis, squeeze,
    expandDims, slice, sliceAlong, pad, split, flip, roll, tile, repeat,
    index, at, dynamicSlice, dynamicUpdateSlice, take, takeAlongAxis,
    sort, argsort, topK,
    dot, matmul,
  };
}

let installed = false;

/** Puts the methods on the prototype; `graph` and `kernel` do so before the first tensor exists. */
export function installMethods(): void {
  if (installed) return;
  installed = true;
  for (const [name, value] of Object.entries(functionsWithMethods())) {
    const named = value as (...given: unknown[]) => unknown;
    Object.defineProperty(Tensor.prototype, name, {
      configurable: true,
      writable: true,
      value: function (this: Tensor, ...rest: unknown[]) {
        return named(this, ...rest);
      },
    });
    if (!(name in Ref.prototype)) refuseOnRefs(name);
  }
}

/** Refs have no arithmetic, and JS would only say that something is not a function. */
function refuseOnRefs(name: string): void {
  Object.defineProperty(Ref.prototype, name, {
    configurable: true,
    writable: true,
    value: function (this: Ref) {
      return located(captureOrigin(name), this.scope, () => {
        const short = /"(.*)"/.exec(this.name)?.[1] ?? this.name;
        throw new BuildError("GF2009", `${this.name} is a ref: it has no ${name}`, {
          path: short,
          help: `read it first: \`${short}.get().${name}(…)\``,
        });
      });
    },
  });
}

/**
 * Types of the op families: what a function of operands gives, and what its method form gives.
 * Methods take the tensor as `this`, so that `Tensor<D, S>` stays a plain covariant pair.
 */
import type { DType } from "@gridfuse/plan/scalar";
import type { Shape } from "../ir/types.ts";
import type { Operand, Tensor } from "../tensor.ts";
import type { FloatOf, Promote, PromoteLiteral } from "./dtype-types.ts";
import type { Axes, Broadcast, BroadcastCheck, Reduce } from "./shape-types.ts";

/** dtype of a literal that meets no tensor. */
type LiteralDType<L> = L extends boolean ? "bool" : PromoteLiteral<"int32", L>;

export type DTypeOf<A extends Operand> = A extends Tensor ? A["dtype"] : LiteralDType<A>;
export type ShapeOf<A extends Operand> = A extends Tensor ? A["shape"] : readonly [];

/** dtype in which two operands meet. */
export type Common<A extends Operand, B extends Operand> = A extends Tensor
  ? B extends Tensor
    ? Promote<A["dtype"], B["dtype"]>
    : PromoteLiteral<A["dtype"], B>
  : B extends Tensor
    ? PromoteLiteral<B["dtype"], A>
    : Promote<DTypeOf<A>, DTypeOf<B>>;

/** A tensor of a shape that may be `never` after a mismatch that was already reported. */
type Of<D extends DType, S> = S extends Shape ? Tensor<D, S> : Tensor<D>;

export type Meet<A extends Operand, B extends Operand> = Of<
  Common<A, B>,
  Broadcast<ShapeOf<A>, ShapeOf<B>>
>;
export type MeetAs<D extends DType, A extends Operand, B extends Operand> = Of<
  D,
  Broadcast<ShapeOf<A>, ShapeOf<B>>
>;
/** `unknown`, or the message that the operands do not broadcast. */
export type Fits<A extends Operand, B extends Operand> = B extends Tensor
  ? A extends Tensor
    ? BroadcastCheck<A["shape"], B["shape"]>
    : unknown
  : unknown;

// ── One operand ─────────────────────────────────────────────────────────────────────────────

export type Unary = <A extends Operand>(x: A) => Tensor<DTypeOf<A>, ShapeOf<A>>;
export type UnaryMethod = <A extends Tensor>(this: A) => Tensor<A["dtype"], A["shape"]>;
/** Functions of reals: integers become float32 first. */
export type Real = <A extends Operand>(x: A) => Tensor<FloatOf<DTypeOf<A>>, ShapeOf<A>>;
export type RealMethod = <A extends Tensor>(this: A) => Tensor<FloatOf<A["dtype"]>, A["shape"]>;
export type Predicate = <A extends Operand>(x: A) => Tensor<"bool", ShapeOf<A>>;
export type PredicateMethod = <A extends Tensor>(this: A) => Tensor<"bool", A["shape"]>;

// ── Two operands ────────────────────────────────────────────────────────────────────────────

export type Binary = <const A extends Operand, const B extends Operand>(
  a: A,
  b: B & Fits<A, B>,
) => Meet<A, B>;
export type BinaryMethod = <A extends Tensor, const B extends Operand>(
  this: A,
  other: B & Fits<A, B>,
) => Meet<A, B>;
export type RealBinary = <const A extends Operand, const B extends Operand>(
  a: A,
  b: B & Fits<A, B>,
) => MeetAs<FloatOf<Common<A, B>>, A, B>;
export type RealBinaryMethod = <A extends Tensor, const B extends Operand>(
  this: A,
  other: B & Fits<A, B>,
) => MeetAs<FloatOf<Common<A, B>>, A, B>;
export type Comparison = <const A extends Operand, const B extends Operand>(
  a: A,
  b: B & Fits<A, B>,
) => MeetAs<"bool", A, B>;
export type ComparisonMethod = <A extends Tensor, const B extends Operand>(
  this: A,
  other: B & Fits<A, B>,
) => MeetAs<"bool", A, B>;

// ── Reductions ──────────────────────────────────────────────────────────────────────────────

export interface ReduceOptions<A extends Axes = Axes, K extends boolean = boolean> {
  /** One axis or several, counted from the front or, negative, from the end. All where absent. */
  readonly axis?: A;
  /** Keep reduced axes as size 1. */
  readonly keepDims?: K;
}

type Kept<K> = boolean extends K ? false : K;
/** Result shape; absent options are `undefined` axes and no kept dims. */
export type Reduced<S extends Shape, A extends Axes, K> = Reduce<
  S,
  Axes extends A ? undefined : A,
  Kept<K>
>;

/** int8, int16 and bool sum in int32, uint8 and uint16 in uint32. */
export type SumOf<D extends DType> = D extends "bool" | "int8" | "int16"
  ? "int32"
  : D extends "uint8" | "uint16"
    ? "uint32"
    : D;

export type Reduction = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  x: T,
  options?: ReduceOptions<A, K>,
) => Of<T["dtype"], Reduce<T["shape"], A, K>>;
export type ReductionMethod = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  this: T,
  options?: ReduceOptions<A, K>,
) => Of<T["dtype"], Reduce<T["shape"], A, K>>;
export type SumReduction = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  x: T,
  options?: ReduceOptions<A, K>,
) => Of<SumOf<T["dtype"]>, Reduce<T["shape"], A, K>>;
export type SumReductionMethod = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  this: T,
  options?: ReduceOptions<A, K>,
) => Of<SumOf<T["dtype"]>, Reduce<T["shape"], A, K>>;
export type RealReduction = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  x: T,
  options?: ReduceOptions<A, K>,
) => Of<FloatOf<T["dtype"]>, Reduce<T["shape"], A, K>>;
export type RealReductionMethod = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  this: T,
  options?: ReduceOptions<A, K>,
) => Of<FloatOf<T["dtype"]>, Reduce<T["shape"], A, K>>;
export type BoolReduction = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  x: T,
  options?: ReduceOptions<A, K>,
) => Of<"bool", Reduce<T["shape"], A, K>>;
export type BoolReductionMethod = <
  T extends Tensor,
  const A extends Axes = undefined,
  const K extends boolean = false,
>(
  this: T,
  options?: ReduceOptions<A, K>,
) => Of<"bool", Reduce<T["shape"], A, K>>;

/**
 * The scalar expression language: what a fused kernel computes for one point of its domain.
 *
 * A program is a list of nodes; an operand is the index of an earlier node. The vocabulary is
 * deliberately small (design: "about 45 ops on typed lanes"): everything that is not listed here —
 * exp, sin, tanh, erf, round-half-away, nextafter… — is spelled in it once (`scalar/math`), so that
 * every executor computes the same bits without knowing what a sine is.
 *
 * Meaning, for every executor alike:
 *  - integers wrap; `div` truncates towards zero, x/0 = −1 (all ones), MIN/−1 = MIN;
 *    `rem` has the dividend's sign, x rem 0 = x, MIN rem −1 = 0 (lax on CPU);
 *  - float + − × ÷ √ are IEEE, round to nearest even, denormals kept; float `rem` is C's fmod, exact;
 *  - float16 and bfloat16 nodes compute in float32 and round the result (every node rounds);
 *  - `min`/`max` propagate NaN and order −0 < +0;
 *  - shifts by ≥ width (amount read as unsigned) give 0, or the sign for the arithmetic shift;
 *  - comparisons give bool; on NaN all but `ne` are false;
 *  - `convert`: float→int truncates, saturates, NaN→0; float→bool is x≠0 (NaN true); int→int wraps or
 *    sign-extends by the source's signedness; to narrower floats rounds to nearest even;
 *  - `rare(cond, slow, fast)` has the meaning of `select`; an executor may skip `slow` where no lane needs it;
 *  - a NaN made by arithmetic is only a class; `bitcast` of such a NaN gives the canonical quiet NaN
 *    (0x7fc00000 for float32), while loads, selects, and bitcasts of loaded values keep all bits.
 */
import type { Bits } from "../bits.ts";
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";

export const unaryOps = [
  "neg",
  "abs",
  "sqrt",
  "floor",
  "ceil",
  "trunc",
  /** Nearest integer, ties to even; floats only, as floor/ceil/trunc/sqrt. */
  "roundEven",
  /** Bitwise on integers, logical on bool. */
  "not",
  "populationCount",
  "countLeadingZeros",
] as const;
export type UnaryOp = (typeof unaryOps)[number];

export const binaryOps = [
  "add",
  "sub",
  "mul",
  "div",
  "rem",
  /** High half of the full product; int32 and uint32. */
  "mulhi",
  "min",
  "max",
  "and",
  "or",
  "xor",
  "shiftLeft",
  "shiftRightLogical",
  "shiftRightArithmetic",
] as const;
export type BinaryOp = (typeof binaryOps)[number];

export const compareOps = ["eq", "ne", "lt", "le", "gt", "ge"] as const;
export type CompareOp = (typeof compareOps)[number];

/** Lies in bounds where lo ≤ index < hi. */
export interface IndexRange {
  readonly index: IndexExpr;
  readonly lo: number;
  readonly hi: number;
}

/** An immediate. */
export interface ConstNode {
  readonly op: "const";
  readonly dtype: DType;
  readonly bits: Bits;
}
/** The value of an index expression, as an integer dtype (wrapping). */
export interface IndexNode {
  readonly op: "index";
  readonly dtype: DType;
  readonly index: IndexExpr;
}
/**
 * Element `index` of a buffer. Where a guard range fails nothing is read and the value is `fill`.
 * `index` may refer to earlier nodes (`value` leaves): that is a gather.
 */
export interface LoadNode {
  readonly op: "load";
  readonly dtype: DType;
  readonly buffer: number;
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
  readonly fill: Bits;
}
/** The result of reduction `reduction` of an earlier stage, at the current outer point. */
export interface ReducedNode {
  readonly op: "reduced";
  readonly dtype: DType;
  readonly stage: number;
  readonly reduction: number;
}
/** Operand `index` of a combiner or of a prologue; see the place where the program is used. */
export interface ArgumentNode {
  readonly op: "argument";
  readonly dtype: DType;
  readonly index: number;
}
export interface UnaryNode {
  readonly op: UnaryOp;
  readonly dtype: DType;
  readonly args: readonly [number];
}
export interface BinaryNode {
  readonly op: BinaryOp;
  readonly dtype: DType;
  readonly args: readonly [number, number];
}
/** dtype is always bool; both operands share a dtype. */
export interface CompareNode {
  readonly op: CompareOp;
  readonly dtype: "bool";
  readonly args: readonly [number, number];
}
/** [condition, where true, where false] for select; [condition, slow, fast] for rare. */
export interface SelectNode {
  readonly op: "select" | "rare";
  readonly dtype: DType;
  readonly args: readonly [number, number, number];
}
/** Value conversion, or reinterpretation of the same number of bits, from the operand's dtype. */
export interface ConvertNode {
  readonly op: "convert" | "bitcast";
  readonly dtype: DType;
  readonly args: readonly [number];
}

export type ScalarNode =
  | ConstNode
  | IndexNode
  | LoadNode
  | ReducedNode
  | ArgumentNode
  | UnaryNode
  | BinaryNode
  | CompareNode
  | SelectNode
  | ConvertNode;

export type ScalarOp = ScalarNode["op"];

const noArgs: readonly number[] = [];

export const argsOf = (node: ScalarNode): readonly number[] =>
  (node as { readonly args?: readonly number[] }).args ?? noArgs;

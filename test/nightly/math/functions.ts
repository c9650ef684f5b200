/**
 * The functions of one and two floats that state a bound, as graphs know them, each with a value to hold its
 * float32 form against: JavaScript's Math in float64, or our own float64 expansion, which reference64.ts holds
 * against long arithmetic.
 */
import {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atan2,
  atanh,
  cbrt,
  cos,
  cosh,
  digamma,
  erf,
  erfc,
  erfInv,
  exp,
  exp2,
  expm1,
  lgamma,
  log,
  log1p,
  log2,
  logistic,
  nextafter,
  pow,
  rem,
  rsqrt,
  sin,
  sinh,
  sqrt,
  type Tensor,
  tan,
  tanh,
} from "@gridfuse/graph";
import { floorOf } from "../../../packages/plan/test/exact-functions.ts";

export interface MathFunction {
  readonly of: (...operands: Tensor[]) => Tensor;
  readonly arity: 1 | 2;
  /** f(−x) is −f(x), or f(x), to the bit. */
  readonly parity?: "odd" | "even";
  /** The value to some 53 bits; without it the float64 expansion gives it. */
  readonly reference?: (...operands: number[]) => number;
  /** Bounds are in units of a result of this size where the result itself is smaller. */
  readonly floor?: (x: number) => number;
}

const one = (
  of: (x: Tensor) => unknown,
  rest: Omit<MathFunction, "of" | "arity"> = {},
): MathFunction => ({ of: of as MathFunction["of"], arity: 1, ...rest });
const two = (
  of: (x: Tensor, y: Tensor) => unknown,
  rest: Omit<MathFunction, "of" | "arity"> = {},
): MathFunction => ({ of: of as MathFunction["of"], arity: 2, ...rest });

/** lax has 1^y = x^0 = 1 whatever the other is; ECMAScript gives NaN for some of them. */
const ieeePow = (x: number, y: number): number =>
  x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;

/** The float32 next to x towards y, by its place among them: patterns, with the negative ones counted down. */
function next32(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  if (x === y) return y;
  const place = (v: number): number => {
    const pattern = new Int32Array(Float32Array.of(v).buffer)[0] as number;
    return pattern < 0 ? -(pattern & 0x7fffffff) : pattern;
  };
  const moved = place(x) + (x < y ? 1 : -1);
  const pattern = moved < 0 || (moved === 0 && x < 0) ? -moved | 0x80000000 : moved;
  return new Float32Array(Int32Array.of(pattern).buffer)[0] as number;
}

export const mathFunctions: { readonly [name: string]: MathFunction } = {
  acos: one(acos, { reference: Math.acos }),
  acosh: one(acosh, { reference: Math.acosh }),
  asin: one(asin, { reference: Math.asin, parity: "odd" }),
  asinh: one(asinh, { reference: Math.asinh, parity: "odd" }),
  atan: one(atan, { reference: Math.atan, parity: "odd" }),
  atanh: one(atanh, { reference: Math.atanh, parity: "odd" }),
  cbrt: one(cbrt, { reference: Math.cbrt, parity: "odd" }),
  cos: one(cos, { reference: Math.cos, parity: "even" }),
  cosh: one(cosh, { reference: Math.cosh, parity: "even" }),
  digamma: one(digamma, { floor: (x) => floorOf("digamma", x) }),
  erf: one(erf, { parity: "odd" }),
  erfInv: one(erfInv, { parity: "odd" }),
  erfc: one(erfc),
  exp: one(exp, { reference: Math.exp }),
  exp2: one(exp2, { reference: (x) => 2 ** x }),
  expm1: one(expm1, { reference: Math.expm1 }),
  lgamma: one(lgamma, { floor: (x) => floorOf("lgamma", x) }),
  log: one(log, { reference: Math.log }),
  log1p: one(log1p, { reference: Math.log1p }),
  log2: one(log2, { reference: Math.log2 }),
  logistic: one(logistic, { reference: (x) => 1 / (1 + Math.exp(-x)) }),
  rsqrt: one(rsqrt, { reference: (x) => 1 / Math.sqrt(x) }),
  sin: one(sin, { reference: Math.sin, parity: "odd" }),
  sinh: one(sinh, { reference: Math.sinh, parity: "odd" }),
  sqrt: one(sqrt, { reference: Math.sqrt }),
  tan: one(tan, { reference: Math.tan, parity: "odd" }),
  tanh: one(tanh, { reference: Math.tanh, parity: "odd" }),
  atan2: two(atan2, { reference: (y, x) => Math.atan2(y as number, x as number) }),
  pow: two(pow, { reference: (x, y) => ieeePow(x as number, y as number) }),
  rem: two(rem, { reference: (x, y) => (x as number) % (y as number) }),
  nextafter: two(nextafter, { reference: (x, y) => next32(x as number, y as number) }),
};

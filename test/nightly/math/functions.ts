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
  readonly reference?: (x: number, y?: number) => number;
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

/**
 * `f` but where it needs no call: `series` for |x| < `small`, good to 53 bits there, and `beyond` for |x| > `large`.
 * Most float32 are tiny or huge, and a sweep is as slow as its reference.
 */
const shortened =
  (
    f: (x: number) => number,
    [small, series]: readonly [number, (x: number) => number],
    [large, beyond]: readonly [number, (x: number) => number] = [Infinity, f],
  ) =>
  (x: number | undefined): number => {
    const y = x as number;
    const size = Math.abs(y);
    return size < small ? series(y) : size > large ? beyond(y) : f(y);
  };

/** The first two terms of an odd series: beside them the third is 2^−52 of the first at most. */
const cubic = (factor: number): readonly [number, (x: number) => number] => [
  2 ** -13,
  (x) => x * (1 + factor * x * x),
];
const quadratic = (factor: number): readonly [number, (x: number) => number] => [
  2 ** -13,
  (x) => 1 + factor * x * x,
];
const growing = (x: number): number => (x > 0 ? Infinity : 0);

const logistic64 = (x: number): number => 1 / (1 + Math.exp(-x));

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
  acos: one(acos, {
    reference: shortened(
      Math.acos,
      [2 ** -13, (x) => Math.PI / 2 - x - (x * x * x) / 6],
      [1, () => Number.NaN],
    ),
  }),
  acosh: one(acosh, { reference: Math.acosh }),
  asin: one(asin, {
    reference: shortened(Math.asin, cubic(1 / 6), [1, () => Number.NaN]),
    parity: "odd",
  }),
  asinh: one(asinh, { reference: shortened(Math.asinh, cubic(-1 / 6)), parity: "odd" }),
  atan: one(atan, { reference: shortened(Math.atan, cubic(-1 / 3)), parity: "odd" }),
  atanh: one(atanh, {
    reference: shortened(Math.atanh, cubic(1 / 3), [1, () => Number.NaN]),
    parity: "odd",
  }),
  cbrt: one(cbrt, { reference: Math.cbrt, parity: "odd" }),
  cos: one(cos, { reference: shortened(Math.cos, quadratic(-1 / 2)), parity: "even" }),
  cosh: one(cosh, {
    reference: shortened(Math.cosh, quadratic(1 / 2), [700, () => Infinity]),
    parity: "even",
  }),
  digamma: one(digamma, { floor: (x) => floorOf("digamma", x) }),
  erf: one(erf, { parity: "odd" }),
  erfInv: one(erfInv, { parity: "odd" }),
  erfc: one(erfc),
  exp: one(exp, {
    reference: shortened(Math.exp, [2 ** -18, (x) => 1 + x + (x * x) / 2], [800, growing]),
  }),
  exp2: one(exp2, {
    reference: shortened(
      (x) => 2 ** x,
      [2 ** -18, (x) => 1 + x * Math.LN2 + (x * Math.LN2) ** 2 / 2],
      [1100, growing],
    ),
  }),
  expm1: one(expm1, {
    reference: shortened(
      Math.expm1,
      [2 ** -18, (x) => x * (1 + x / 2 + (x * x) / 6)],
      [800, (x) => (x > 0 ? Infinity : -1)],
    ),
  }),
  lgamma: one(lgamma, { floor: (x) => floorOf("lgamma", x) }),
  log: one(log, { reference: (x) => ((x as number) < 0 ? Number.NaN : Math.log(x as number)) }),
  log1p: one(log1p, {
    reference: shortened(Math.log1p, [2 ** -18, (x) => x * (1 - x / 2 + (x * x) / 3)]),
  }),
  log2: one(log2, { reference: (x) => ((x as number) < 0 ? Number.NaN : Math.log2(x as number)) }),
  logistic: one(logistic, {
    reference: shortened(logistic64, [2 ** -18, (x) => 0.5 + x / 4], [800, (x) => (x > 0 ? 1 : 0)]),
  }),
  rsqrt: one(rsqrt, { reference: (x) => 1 / Math.sqrt(x as number) }),
  sin: one(sin, { reference: shortened(Math.sin, cubic(-1 / 6)), parity: "odd" }),
  sinh: one(sinh, {
    reference: shortened(Math.sinh, cubic(1 / 6), [700, (x) => x * Infinity]),
    parity: "odd",
  }),
  sqrt: one(sqrt, { reference: Math.sqrt }),
  tan: one(tan, { reference: shortened(Math.tan, cubic(1 / 3)), parity: "odd" }),
  tanh: one(tanh, {
    reference: shortened(Math.tanh, cubic(-1 / 3), [20, Math.sign]),
    parity: "odd",
  }),
  atan2: two(atan2, { reference: (y, x) => Math.atan2(y as number, x as number) }),
  pow: two(pow, { reference: (x, y) => ieeePow(x as number, y as number) }),
  rem: two(rem, { reference: (x, y) => (x as number) % (y as number) }),
  nextafter: two(nextafter, { reference: (x, y) => next32(x as number, y as number) }),
};

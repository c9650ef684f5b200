/** Every function with a bound in 400-bit arithmetic, and where to look for its largest errors in float64. */
import type { Big } from "./big-float.ts";
import * as real from "./big-float.ts";
import { between, magnitudes, nearOne, type Sampler } from "./math-support.ts";

export type Reference = (...operands: Big[]) => Big;

const { add, sub, mul, div, one } = real;
const odd =
  (f: Reference): Reference =>
  (x) =>
    real.isNegative(x as Big) ? real.neg(f(real.neg(x as Big))) : f(x as Big);
const asin = (x: Big): Big => real.atan(div(x, real.sqrt(mul(sub(one, x), add(one, x)))));
const acosh = (x: Big): Big => {
  const t = sub(x, one);
  return real.log1p(add(t, real.sqrt(mul(t, add(x, one)))));
};
const asinh = (x: Big): Big => {
  const square = mul(x, x);
  return real.log1p(add(x, div(square, add(one, real.sqrt(add(square, one))))));
};
const sinh = (x: Big): Big => {
  const t = real.expm1(x);
  return real.half(add(t, div(t, add(t, one))));
};
const tanh = (x: Big): Big => {
  const t = real.expm1(real.twice(x));
  return div(t, add(t, real.integer(2)));
};
const atan2 = (y: Big, x: Big): Big => {
  const angle = real.atan(div(y, x));
  if (!real.isNegative(x)) return angle;
  return real.isNegative(y) ? sub(angle, real.pi) : add(angle, real.pi);
};
const cbrt = (x: Big): Big => real.exp(div(real.log(x), real.integer(3)));
/** The root of erf y = x, by Newton's method. */
const erfInv = (x: Big): Big => {
  // erf is concave to the right of 0, so that a start left of the root converges from there.
  const complement = sub(one, x);
  const isFar = real.isLess(complement, real.big(0.1));
  const tail = mul(real.big(0.8), real.sqrt(real.neg(real.log(complement))));
  let y: Big = isFar ? tail : real.half(mul(x, real.sqrt(real.pi)));
  for (let step = 0; step < 60; step++) {
    const slope = mul(real.exp(real.neg(mul(y, y))), div(real.twice(one), real.sqrt(real.pi)));
    const change = div(sub(real.erf(y), x), slope);
    y = sub(y, change);
    if (real.isLess(real.abs(change), mul(real.abs(y), real.big(2 ** -150)))) break;
  }
  return y;
};
const logaddexp = (x: Big, y: Big): Big => real.log(add(real.exp(x), real.exp(y)));

const tiny = magnitudes(1e-100, 1);
const positive = magnitudes(1e-308, 1e308, false);
const single = (...samplers: Sampler[]): (readonly Sampler[])[] => samplers.map((s) => [s]);

/** Each function with lists of samplers, one for each operand. */
export const exactFunctions: Record<string, [Reference, (readonly Sampler[])[]]> = {
  exp: [(x) => real.exp(x as Big), single(between(-745, 709.7), between(-1, 1))],
  exp2: [
    (x) => real.exp(mul(x as Big, real.log(real.integer(2)))),
    single(between(-1074, 1023.9), between(-1, 1)),
  ],
  expm1: [(x) => real.expm1(x as Big), single(between(-40, 709.7), between(-1, 1), tiny)],
  log: [(x) => real.log(x as Big), single(positive, between(0.5, 2))],
  log2: [(x) => real.log2(x as Big), single(positive, between(0.5, 2))],
  log1p: [(x) => real.log1p(x as Big), single(between(-1, 3), tiny, positive)],
  sin: [
    (x) => real.sin(x as Big),
    single(between(-4, 4), between(-1.6e6, 1.6e6), magnitudes(1e6, 1e308)),
  ],
  cos: [
    (x) => real.cos(x as Big),
    single(between(-4, 4), between(-1.6e6, 1.6e6), magnitudes(1e6, 1e308)),
  ],
  tan: [
    (x) => real.tan(x as Big),
    single(between(-4, 4), between(-1.6e6, 1.6e6), magnitudes(1e6, 1e308)),
  ],
  asin: [odd((x) => asin(x as Big)), single(between(-1, 1), tiny)],
  acos: [
    (x) => sub(real.half(real.pi), odd((y) => asin(y as Big))(x as Big)),
    single(between(-1, 1), nearOne(1e-15)),
  ],
  atan: [(x) => real.atan(x as Big), single(between(-3, 3), tiny, magnitudes(1, 1e300))],
  atan2: [(y, x) => atan2(y as Big, x as Big), [[between(-3, 3), between(-3, 3)]]],
  sinh: [odd((x) => sinh(x as Big)), single(between(-710, 710), between(-2, 2), tiny)],
  cosh: [
    (x) => real.half(add(real.exp(x as Big), real.exp(real.neg(x as Big)))),
    single(between(-710, 710), between(-2, 2)),
  ],
  tanh: [odd((x) => tanh(x as Big)), single(between(-20, 20), between(-1, 1), tiny)],
  asinh: [odd((x) => asinh(x as Big)), single(between(-3, 3), tiny, magnitudes(1, 1e308))],
  acosh: [(x) => acosh(x as Big), single(between(1, 3), magnitudes(1, 1e308, false))],
  atanh: [
    (x) => real.half(real.log1p(div(real.twice(x as Big), sub(one, x as Big)))),
    single(between(-1, 1), tiny),
  ],
  logistic: [
    (x) => div(one, add(one, real.exp(real.neg(x as Big)))),
    single(between(-744, 40), between(-2, 2)),
  ],
  logaddexp: [
    (x, y) => logaddexp(x as Big, y as Big),
    [
      [between(0, 700), between(0, 700)],
      [between(1, 3), between(1, 3)],
    ],
  ],
  pow: [
    (x, y) => real.exp(mul(y as Big, real.log(x as Big))),
    [
      [between(0, 9), between(-300, 300)],
      [between(0.5, 2), between(-1000, 1000)],
      [positive, between(-0.9, 0.9)],
    ],
  ],
  cbrt: [odd((x) => cbrt(x as Big)), single(between(-9, 9), magnitudes(1e-308, 1e308))],
  rsqrt: [(x) => div(one, real.sqrt(x as Big)), single(positive)],
  erf: [(x) => real.erf(x as Big), single(between(-6, 6), tiny)],
  erfc: [(x) => sub(one, real.erf(x as Big)), single(between(-4, 12), between(-0.6, 0.6))],
  erfInv: [odd((x) => erfInv(x as Big)), single(between(-0.99, 0.99), tiny, nearOne(2 ** -53))],
  lgamma: [
    (x) => real.lgamma(x as Big),
    single(between(0, 12), magnitudes(1e-300, 1e300, false), between(-30, 0)),
  ],
  digamma: [
    (x) => real.digamma(x as Big),
    single(between(0, 12), magnitudes(1e-300, 1e300, false), between(-30, 0)),
  ],
};

/**
 * Bounds are in units in the last place of the result, or of a number of this size where that is larger: beside
 * their zeros, which lie between the negative integers, the functions of Γ are small differences of large terms.
 */
export function floorOf(name: string, x: number): number {
  if (name === "lgamma" && x < 0) return Math.max(1, -x * Math.log(-x));
  if (name !== "digamma") return 0;
  const reflected = x < 0 ? Math.abs(Math.PI / Math.tan(Math.PI * (x - Math.round(x)))) : 0;
  return Math.max(1, x < 0 ? Math.log(-x) : 0, Math.min(reflected, Number.MAX_VALUE));
}

/**
 * A reference for real functions: binary floats of 400 bits on BigInt, written for obviousness. Results carry
 * well over 300 correct bits except near zeros, which leaves room for every cancellation in the tests.
 */
import { ln2Bits, piBits } from "../src/scalar/math/fixed-point.ts";

/** m·2^e. */
export interface Big {
  readonly m: bigint;
  readonly e: number;
}

const precision = 400;
function bitLength(m: bigint): number {
  const digits = (m < 0n ? -m : m).toString(16);
  return 4 * digits.length + 28 - Math.clz32(Number.parseInt(digits[0] as string, 16));
}

function trim(m: bigint, e: number): Big {
  const excess = bitLength(m) - precision;
  return excess <= 0 ? { m, e } : { m: m >> BigInt(excess), e: e + excess };
}

export const integer = (m: bigint | number): Big => ({ m: BigInt(m), e: 0 });

/** A finite float64, exactly. */
export function big(value: number): Big {
  const bits = new BigUint64Array(Float64Array.of(Math.abs(value)).buffer)[0] as bigint;
  const exponent = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const m = exponent === 0 ? fraction : fraction | (1n << 52n);
  return { m: value < 0 ? -m : m, e: Math.max(exponent, 1) - 1075 };
}

/** The float64 below x in magnitude. */
export function toNumber({ m, e }: Big): number {
  const excess = Math.max(bitLength(m) - 53, 0);
  const exponent = e + excess;
  const half = Math.trunc(exponent / 2);
  return Number(m >> BigInt(excess)) * 2 ** half * 2 ** (exponent - half);
}

export function add(x: Big, y: Big): Big {
  if (x.m === 0n) return y;
  if (y.m === 0n) return x;
  const [low, high] = x.e < y.e ? [x, y] : [y, x];
  // Out of each other's sight: the smaller one cannot matter.
  if (high.e - low.e > 3 * precision) return bitLength(low.m) + low.e > high.e ? low : high;
  return trim((high.m << BigInt(high.e - low.e)) + low.m, low.e);
}
export const neg = (x: Big): Big => ({ m: -x.m, e: x.e });
export const sub = (x: Big, y: Big): Big => add(x, neg(y));
export const mul = (x: Big, y: Big): Big => trim(x.m * y.m, x.e + y.e);
export function div(x: Big, y: Big): Big {
  const shift = precision + bitLength(y.m);
  return trim((x.m << BigInt(shift)) / y.m, x.e - y.e - shift);
}
export function sqrt(x: Big): Big {
  if (x.m === 0n) return x;
  const shift = 2 * precision + Math.abs(x.e % 2);
  const m = x.m << BigInt(shift);
  let root = 1n << BigInt(Math.ceil(bitLength(m) / 2));
  for (;;) {
    const next = (root + m / root) >> 1n;
    if (next >= root) return trim(root, (x.e - shift) / 2);
    root = next;
  }
}
export const half = (x: Big): Big => ({ m: x.m, e: x.e - 1 });
export const twice = (x: Big): Big => ({ m: x.m, e: x.e + 1 });
export const abs = (x: Big): Big => (x.m < 0n ? neg(x) : x);
export const isNegative = (x: Big): boolean => x.m < 0n;
export const isLess = (x: Big, y: Big): boolean => sub(x, y).m < 0n;

export const one: Big = integer(1);
export const pi: Big = { m: piBits(2 * precision), e: -2 * precision };
const ln2: Big = { m: ln2Bits(2 * precision), e: -2 * precision };

/** Σ term(k) until the terms vanish beside the sum. */
function series(first: Big, next: (term: Big, k: number) => Big): Big {
  let sum = first;
  let term = first;
  for (let k = 1; term.m !== 0n; k++) {
    term = next(term, k);
    if (bitLength(term.m) + term.e < bitLength(sum.m) + sum.e - precision) break;
    sum = add(sum, term);
  }
  return sum;
}

/** Nearest integer. */
export function round(x: Big): bigint {
  if (x.e >= 0) return x.m << BigInt(x.e);
  if (-x.e > 4 * precision) return 0n;
  return (x.m + (1n << BigInt(-x.e - 1))) >> BigInt(-x.e);
}

/** e^x − 1, as accurate beside 0 as elsewhere. */
export function expm1(x: Big): Big {
  const n = round(div(x, ln2));
  const r = sub(x, mul(integer(n), ln2));
  if (r.m === 0n) return sub({ m: 1n, e: Number(n) }, one);
  const small = series(r, (term, k) => div(mul(term, r), integer(k + 1)));
  if (n === 0n) return small;
  const scaled = { m: small.m, e: small.e + Number(n) };
  return add(scaled, sub({ m: 1n, e: Number(n) }, one));
}
export const exp = (x: Big): Big => {
  const n = round(div(x, ln2));
  const r = add(one, expm1(sub(x, mul(integer(n), ln2))));
  return { m: r.m, e: r.e + Number(n) };
};

/** 2·Σ s^(2k+1)/(2k+1). */
const twiceAtanh = (s: Big): Big => {
  if (s.m === 0n) return s;
  const square = mul(s, s);
  let power = s;
  return twice(
    series(s, (_, k) => {
      power = mul(power, square);
      return div(power, integer(2 * k + 1));
    }),
  );
};
/** log(1 + x). */
export function log1p(x: Big): Big {
  if (bitLength(x.m) + x.e < -2) return twiceAtanh(div(x, add(x, integer(2))));
  return log(add(x, one));
}
export function log(x: Big): Big {
  const k = bitLength(x.m) + x.e;
  let m: Big = { m: x.m, e: x.e - k };
  let doubled = k;
  if (isLess(m, big(Math.SQRT1_2))) {
    m = twice(m);
    doubled--;
  }
  const tail = twiceAtanh(div(sub(m, one), add(m, one)));
  return add(tail, mul(integer(doubled), ln2));
}
export const log2 = (x: Big): Big => div(log(x), ln2);

/** sin of x + quarters·π/2, with π to as many bits as the reduction eats. */
function sineOf(x: Big, quarters: bigint): Big {
  const bits = 2 * precision + Math.max(0, bitLength(x.m) + x.e);
  const halfPi: Big = { m: piBits(bits), e: -bits - 1 };
  const shift = x.e - halfPi.e;
  const n = shift < 0 ? 0n : ((2n * (x.m << BigInt(shift))) / halfPi.m + 1n) >> 1n;
  const r = n === 0n ? x : subExactly(x, { m: halfPi.m * n, e: halfPi.e });
  const quadrant = (((n + quarters) % 4n) + 4n) % 4n;
  const square = neg(mul(r, r));
  const isCosine = quadrant % 2n === 1n;
  const value = series(isCosine ? one : r, (term, k) =>
    div(mul(term, square), integer(isCosine ? (2 * k - 1) * 2 * k : 2 * k * (2 * k + 1))),
  );
  return quadrant >= 2n ? neg(value) : value;
}
function subExactly(x: Big, y: Big): Big {
  const e = Math.min(x.e, y.e);
  return trim((x.m << BigInt(x.e - e)) - (y.m << BigInt(y.e - e)), e);
}
export const sin = (x: Big): Big => sineOf(x, 0n);
export const cos = (x: Big): Big => sineOf(x, 1n);
export const tan = (x: Big): Big => div(sin(x), cos(x));

export function atan(x: Big): Big {
  if (isNegative(x)) return neg(atan(neg(x)));
  if (isLess(one, x)) return sub(half(pi), atan(div(one, x)));
  // Three halvings of the angle bring the argument below 0.1.
  let t = x;
  for (let i = 0; i < 3; i++) t = div(t, add(one, sqrt(add(one, mul(t, t)))));
  const square = neg(mul(t, t));
  let power = t;
  const angle = series(t, (_, k) => {
    power = mul(power, square);
    return div(power, integer(2 * k + 1));
  });
  return { m: angle.m, e: angle.e + 3 };
}

/** 2/√π·Σ (−1)^k x^(2k+1)/(k!·(2k + 1)) in the form without cancellation (DLMF 7.6.2). */
export function erf(x: Big): Big {
  const square = mul(x, x);
  const sum = series(x, (term, k) => div(mul(term, twice(square)), integer(2 * k + 1)));
  return div(mul(twice(sum), exp(neg(square))), sqrt(pi));
}

/** Bernoulli numbers B(2), B(4), … as exact fractions. */
function bernoulli(count: number): Big[] {
  // Akiyama–Tanigawa on numerators over a common denominator.
  const size = 2 * count + 1;
  const row: [bigint, bigint][] = [];
  const found: Big[] = [];
  for (let m = 0; m < size; m++) {
    row[m] = [1n, BigInt(m + 1)];
    for (let j = m; j >= 1; j--) {
      const [a, b] = row[j - 1] as [bigint, bigint];
      const [c, d] = row[j] as [bigint, bigint];
      const numerator = BigInt(j) * (a * d - c * b);
      const denominator = b * d;
      const g = gcd(numerator, denominator);
      row[j - 1] = [numerator / g, denominator / g];
    }
    if (m >= 2 && m % 2 === 0) {
      const [numerator, denominator] = row[0] as [bigint, bigint];
      found.push(div(integer(numerator), integer(denominator)));
    }
  }
  return found;
}
const gcd = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
};
const evenBernoulli = bernoulli(20);
const far = 40;

/** log |Γ(x)|: Stirling's series after x has been raised beyond 40 (DLMF 5.11.1); reflection (5.5.3). */
export function lgamma(x: Big): Big {
  if (isNegative(x)) {
    const sine = abs(sin(mul(pi, x)));
    return sub(log(div(pi, sine)), lgamma(sub(one, x)));
  }
  let y = x;
  let product = one;
  while (isLess(y, integer(far))) {
    product = mul(product, y);
    y = add(y, one);
  }
  let sum = sub(mul(sub(y, half(one)), log(y)), y);
  sum = add(sum, half(log(twice(pi))));
  let power = div(one, y);
  const step = mul(power, power);
  evenBernoulli.forEach((b, i) => {
    sum = add(sum, div(mul(b, power), integer((2 * i + 1) * (2 * i + 2))));
    power = mul(power, step);
  });
  return sub(sum, log(product));
}

/** Γ′/Γ(x) (DLMF 5.11.2 and 5.5.4). */
export function digamma(x: Big): Big {
  if (isNegative(x)) return sub(digamma(sub(one, x)), div(pi, tan(mul(pi, x))));
  let y = x;
  let sum = integer(0);
  while (isLess(y, integer(far))) {
    sum = sub(sum, div(one, y));
    y = add(y, one);
  }
  sum = add(sum, sub(log(y), half(div(one, y))));
  const step = div(one, mul(y, y));
  let power = step;
  evenBernoulli.forEach((b, i) => {
    sum = sub(sum, div(mul(b, power), integer(2 * i + 2)));
    power = mul(power, step);
  });
  return sum;
}

export interface FloatShape {
  readonly precision: number;
  readonly minExponent: number;
}
export const shapes: { readonly [D in "float32" | "float64"]: FloatShape } = {
  float32: { precision: 24, minExponent: -149 },
  float64: { precision: 53, minExponent: -1074 },
};

/** |got − expected| in units in the last place of `expected` (or of `floor`, if that is larger). */
export function ulps(got: number, expected: Big, shape: FloatShape, floor?: Big): number {
  const scale = floor !== undefined && isLess(abs(expected), floor) ? floor : expected;
  const top = bitLength(scale.m) + scale.e;
  const unit =
    scale.m === 0n ? shape.minExponent : Math.max(top - shape.precision, shape.minExponent);
  const distance = abs(sub(big(got), expected));
  if (distance.m === 0n) return 0;
  const shift = distance.e - unit + 20;
  const units =
    shift >= 0 ? distance.m << BigInt(shift) : distance.m >> BigInt(Math.min(-shift, 9999));
  return Number(units) / 2 ** 20;
}

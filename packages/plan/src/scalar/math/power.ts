/**
 * Powers and roots.
 *
 * `pow` needs log2 x to more digits than the format has, since |y·log2 x| may reach 2^10. It is kept as an
 * unevaluated sum of two floats: with s = (m − 1)/(m + 1) the series 3·atanh(s)/s = 3 + s² + 3/5·s⁴ + … is
 * summed with its first two terms in two pieces, every exact product being one of half-length factors
 * (Dekker, "A floating-point technique for extending the available precision", 1971). Special cases are
 * those of IEEE 754-2019 §9.2.1.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { exp2OfSum } from "./exponential.ts";
import { cut, ln2Bits } from "./fixed-point.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";
import { exponentOf } from "./logarithm.ts";

/** An unevaluated sum, |low| far below |high|. */
interface Pair {
  readonly high: Scalar;
  readonly low: Scalar;
}

/** (3·atanh(s)/s − 3 − z)/z² at z = s². */
const series: PerFormat<readonly number[]> = {
  float32: [0.6000002, 0.4284363, 0.34565383],
  float64: [
    0.6000000000000004, 0.42857142857006403, 0.33333333407190685, 0.27272712293379003,
    0.23078367304680877, 0.19928781759582892, 0.19372175602104671,
  ],
};

/** 2/(3 ln 2) in two pieces, the first with half the digits. */
const scaleBits = (2n << 240n) / (3n * ln2Bits(120));
const scale: PerFormat<readonly [number, number]> = {
  float32: cut(scaleBits, 120, [12, 24]) as [number, number],
  float64: cut(scaleBits, 120, [26, 53]) as [number, number],
};

/** log2 of a positive finite number. */
function log2Pair(f: FloatKit, x: Scalar): Pair {
  const { minNormal, bits: width, fractionBits } = f.format;
  const isSubnormal = f.compareTo("lt", x, minNormal);
  const normal = f.select(isSubnormal, f.times(x, 2 ** width), x);
  const bits = f.asInt(normal);
  const exponent = exponentOf(f, bits);
  const m = f.asFloat(f.sub(bits, f.shiftLeft(exponent, fractionBits)));
  const k = f.toFloat(f.add(exponent, f.select(isSubnormal, f.int(-width), f.int(0))));

  // s = (m − 1)/(m + 1) = high + low, from the remainder of the rounded quotient.
  const numerator = f.plus(m, -1);
  const denominator = f.plus(m, 1);
  const inverse = f.div(f.number(1), denominator);
  const s = f.mul(numerator, inverse);
  const high = f.upperHalf(s);
  const sumHigh = f.upperHalf(denominator);
  const sumLow = f.sub(m, f.plus(sumHigh, -1));
  const remainder = f.sub(f.sub(numerator, f.mul(high, sumHigh)), f.mul(high, sumLow));
  const low = f.mul(inverse, remainder);

  // t = 3 + s² + z²·P(z) = tHigh + tLow, of which only 3 + high² is needed to more digits.
  const z = f.mul(s, s);
  const square = f.mul(high, high); // exact
  const rest = f.add(f.mul(f.mul(z, z), f.polynomial(z, series)), f.mul(low, f.add(high, s)));
  const tHigh = f.upperHalf(f.plus(f.add(square, rest), 3));
  const tLow = f.sub(rest, f.sub(f.plus(tHigh, -3), square));

  // s·t·2/(3 ln 2) + k.
  const product = f.mul(high, tHigh); // exact
  const productLow = f.add(f.mul(low, tHigh), f.mul(tLow, s));
  const pHigh = f.upperHalf(f.add(product, productLow));
  const pLow = f.sub(productLow, f.sub(pHigh, product));
  const [factor, factorRest] = f.pick(scale);
  const whole = f.times(pHigh, factor); // exact
  const small = f.add(f.times(pHigh, factorRest), f.times(pLow, factor + factorRest));
  const sum = f.upperHalf(f.add(f.add(whole, small), k));
  return { high: sum, low: f.sub(small, f.sub(f.sub(sum, k), whole)) };
}

/** |x|^y for finite x ≠ 0. */
function magnitudeOfPower(f: FloatKit, x: Scalar, y: Scalar): Scalar {
  const { high, low } = log2Pair(f, x);
  // Far beyond the range of results the product need only stay finite.
  const limit = 2 ** (f.format.bits === 32 ? 40 : 80);
  const exponent = f.max(f.min(y, limit), -limit);
  const upper = f.upperHalf(exponent);
  const product = f.mul(upper, high); // exact
  const rest = f.add(f.mul(f.sub(exponent, upper), high), f.mul(exponent, low));
  const sum = f.add(product, rest);
  return exp2OfSum(f, sum, f.sub(rest, f.sub(sum, product)));
}

/** x^y as IEEE 754's pow: x^0 = 1^y = 1 even for NaN, a negative x needs an integer y. */
export const pow = (b: ScalarBuilder, x: Scalar, y: Scalar): Scalar =>
  inFormat(b, [x, y], (f, base, exponent) => {
    const zero = f.number(0);
    const one = f.number(1);
    const infinity = f.number(Infinity);
    const magnitude = f.abs(base);
    const half = f.times(exponent, 0.5);
    const isInteger = f.compare("eq", f.unary("trunc", exponent), exponent);
    const isOdd = f.and(isInteger, f.compare("ne", f.unary("trunc", half), half));
    const isNegative = f.compare("lt", f.asInt(base), f.int(0));
    const grows = f.compareTo("gt", exponent, 0);

    const isZero = f.compare("eq", magnitude, zero);
    const isInfinite = f.compare("eq", magnitude, infinity);
    const ofZero = f.select(grows, zero, infinity);
    const ofInfinity = f.select(grows, infinity, zero);
    const finite = magnitudeOfPower(f, magnitude, exponent);
    const unsigned = f.select(isZero, ofZero, f.select(isInfinite, ofInfinity, finite));

    const isInvalid = f.and(f.and(f.compareTo("lt", base, 0), f.not(isInteger)), f.not(isInfinite));
    const signed = f.select(f.and(isNegative, isOdd), f.neg(unsigned), unsigned);
    const result = f.select(isInvalid, f.number(NaN), signed);
    const hasNaN = f.or(f.compare("ne", base, base), f.compare("ne", exponent, exponent));
    const orNaN = f.select(hasNaN, f.add(base, exponent), result);
    const isAlwaysOne = f.or(
      f.or(f.compare("eq", base, one), f.compare("eq", exponent, zero)),
      f.and(f.compare("eq", magnitude, one), f.compare("eq", f.abs(exponent), infinity)),
    );
    return f.select(isAlwaysOne, one, orNaN);
  });

/**
 * x^exponent for a fixed integer, by squaring from the lowest bit, as lax.integer_pow; a negative
 * exponent is the reciprocal of the positive power.
 */
export function integerPow(b: ScalarBuilder, x: Scalar, exponent: number): Scalar {
  const one = b.const(b.dtypeOf(x), 1);
  let product: Scalar | undefined;
  let power = x;
  for (let rest = Math.abs(exponent); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) product = product === undefined ? power : b.mul(product, power);
    if (rest > 1) power = b.mul(power, power);
  }
  if (product === undefined) return one;
  return exponent < 0 ? b.div(one, product) : product;
}

/** 1/√x. */
export function rsqrt(b: ScalarBuilder, x: Scalar): Scalar {
  return inFormat(b, [x], (f, y) => f.div(f.number(1), f.sqrt(y)));
}

export const square = (b: ScalarBuilder, x: Scalar): Scalar => b.mul(x, x);

/** 1/x; on integers, too. */
export const reciprocal = (b: ScalarBuilder, x: Scalar): Scalar =>
  b.div(b.const(b.dtypeOf(x), 1), x);

/**
 * Cube root: a first guess that divides the exponent by 3, then Halley's iteration
 * t ← t·(t³ + 2x)/(2t³ + x), which triples the number of right digits. The last step starts from a t
 * of half the digits, whose square is exact (after Kahan's "Computing a real cube root", 1991).
 */
export const cbrt = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const { bits, bias, fractionBits, minNormal } = f.format;
    const magnitude = f.abs(y);
    const isSubnormal = f.compareTo("lt", magnitude, minNormal);
    const lift = bits === 32 ? 24 : 54; // a multiple of 3
    const a = f.select(isSubnormal, f.times(magnitude, 2 ** lift), magnitude);

    const third = f.times(f.toFloat(f.asInt(a)), 1 / 3);
    const offset = Math.floor(((bias * 2) / 3 - 0.0331) * 2 ** 20);
    const guess = f.add(f.toInt(third), f.int(BigInt(offset) << BigInt(fractionBits - 20)));
    let t = f.asFloat(guess);
    for (let step = 0; step < (bits === 32 ? 1 : 2); step++) t = halley(f, t, a);
    t = f.upperHalf(f.times(t, 1 + 2 ** -(fractionBits / 2 + 1)));
    const quotient = f.div(a, f.mul(t, t));
    const root = f.add(t, f.mul(t, f.div(f.sub(quotient, t), f.add(f.add(t, t), quotient))));

    const scaled = f.times(root, f.format.bits === 32 ? 2 ** -8 : 2 ** -18);
    const signed = f.withSign(f.select(isSubnormal, scaled, root), y);
    const isItself = f.or(f.compareTo("eq", y, 0), f.not(f.compareTo("lt", magnitude, Infinity)));
    return f.select(isItself, y, signed);
  });

/** One step with r = (t/a)·t², in an order that cannot overflow: t·(r + 2)/(2r + 1). */
function halley(f: FloatKit, t: Scalar, a: Scalar): Scalar {
  const r = f.mul(f.mul(f.div(t, a), t), t);
  return f.mul(t, f.div(f.plus(r, 2), f.plus(f.add(r, r), 1)));
}

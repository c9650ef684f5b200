/**
 * atan, atan2, asin and acos.
 *
 * Angles of large slopes come from π/2 − atan(1/t) and π/4 + atan((t − 1)/(t + 1)), with the numerator and
 * the denominator selected before the one division. asin and acos beyond ½ use
 * asin x = π/2 − 2 asin √((1 − x)/2) (NIST DLMF 4.24). Coefficients: minimax fits of our own.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { cut, piBits } from "./fixed-point.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";

/** (atan t − t)/t³ in t², |t| ≤ tan π/8. */
const arctangent: PerFormat<readonly number[]> = {
  float32: [-0.3333295, 0.19977722, -0.13877693, 0.08053515],
  float64: [
    -0.33333333333333326, 0.19999999999997903, -0.14285714285409554, 0.11111111089232135,
    -0.09090908175716683, 0.07692283355123077, -0.06666234385221569, 0.05877087697707311,
    -0.052187843104131604, 0.04504950222570045, -0.033504336421429304, 0.01522320276151097,
  ],
};

/** (asin x − x)/x³ in x², |x| ≤ ½. */
const arcsine: PerFormat<readonly number[]> = {
  float32: [0.16666752, 0.074953094, 0.045469154, 0.02418474, 0.042158417],
  float64: [
    0.16666666666665408, 0.07500000000336983, 0.044642856828344, 0.03038195913668566,
    0.02237175805017146, 0.017359704846973325, 0.013885234070611078, 0.01216922344648228,
    0.006527916130263983, 0.01952844277965275, -0.01622454903384855, 0.031912481411508944,
  ],
};

/** π as a float and what it leaves. */
const pi: PerFormat<readonly [number, number]> = {
  float32: cut(piBits(160), 160, [24, 24]) as [number, number],
  float64: cut(piBits(160), 160, [53, 53]) as [number, number],
};

/** x + x·(x²·P(x²)) and its small second term apart. */
function oddTail(f: FloatKit, x: Scalar, coefficients: PerFormat<readonly number[]>): Scalar {
  const z = f.mul(x, x);
  return f.mul(x, f.mul(z, f.polynomial(z, coefficients)));
}

/** atan(numerator/denominator) of two non-negative numbers, not both 0 or infinite: 0 … π/2. */
function firstQuadrant(f: FloatKit, numerator: Scalar, denominator: Scalar): Scalar {
  const [pi0, pi1] = f.pick(pi);
  const isSteep = f.compare("gt", f.times(denominator, 1 + Math.SQRT2), numerator);
  const isFlat = f.compare("le", numerator, f.times(denominator, Math.SQRT2 - 1));
  const above = f.select(
    isFlat,
    numerator,
    f.select(isSteep, f.sub(numerator, denominator), f.neg(denominator)),
  );
  const below = f.select(
    isFlat,
    denominator,
    f.select(isSteep, f.add(numerator, denominator), numerator),
  );
  const t = f.div(above, below);
  const base = (scale: number): Scalar =>
    f.select(isFlat, f.number(0), f.select(isSteep, f.number(scale / 4), f.number(scale / 2)));
  return f.add(base(pi0), f.add(t, f.add(oddTail(f, t, arctangent), base(pi1))));
}

/** Inverse tangent; keeps −0. */
export const atan = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    // Beyond 2^60 the angle is π/2 to the last digit, and sums stay finite.
    const slope = f.min(f.abs(y), 2 ** 60);
    return f.withSign(firstQuadrant(f, slope, f.number(1)), y);
  });

/** Angle of the point (x, y), −π … π, with C's table for zeros and infinities. */
export const atan2 = (b: ScalarBuilder, y: Scalar, x: Scalar): Scalar =>
  inFormat(b, [y, x], (f, v, u) => {
    const [pi0, pi1] = f.pick(pi);
    const height = f.abs(v);
    const width = f.abs(u);
    const larger = f.binary("max", height, width);
    // Scaled so that neither sums overflow nor subnormal quotients lose digits.
    const scale = f.select(
      f.compareTo("gt", larger, 2 ** (f.format.bias - 2)),
      f.number(0.125),
      f.select(
        f.compareTo("lt", larger, 2 ** -(f.format.bias - 60)),
        f.number(2 ** 58),
        f.number(1),
      ),
    );
    const angle = firstQuadrant(f, f.mul(height, scale), f.mul(width, scale));
    const isLeft = f.compare("lt", f.asInt(u), f.int(0));
    const equal = f.compare("eq", height, width);
    const isDegenerate = f.and(
      equal,
      f.or(f.compareTo("eq", height, 0), f.compareTo("eq", height, Infinity)),
    );
    const corner = f.select(f.compareTo("eq", height, 0), f.number(0), f.number(Math.PI / 4));
    const inRight = f.select(isDegenerate, corner, angle);
    const inLeft = f.sub(f.number(pi0), f.sub(inRight, f.number(pi1)));
    const isInvalid = f.or(f.compare("ne", u, u), f.compare("ne", v, v));
    const result = f.withSign(f.select(isLeft, inLeft, inRight), v);
    return f.select(isInvalid, f.add(u, v), result);
  });

interface ArcSine {
  /** Whether |x| > ½, so that the series ran on √((1 − |x|)/2). */
  readonly isFar: Scalar;
  /** The series' argument and its value less the argument. */
  readonly t: Scalar;
  readonly tail: Scalar;
}

function arcSine(f: FloatKit, magnitude: Scalar): ArcSine {
  const isFar = f.compareTo("gt", magnitude, 0.5);
  const far = f.times(f.sub(f.number(1), magnitude), 0.5);
  const t = f.select(isFar, f.sqrt(far), magnitude);
  return { isFar, t, tail: oddTail(f, t, arcsine) };
}

/** Inverse sine; NaN beyond ±1. */
export const asin = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const [pi0, pi1] = f.pick(pi);
    const { isFar, t, tail } = arcSine(f, f.abs(y));
    const near = f.add(t, tail);
    const complement = f.sub(f.number(pi0 / 2), f.sub(f.times(near, 2), f.number(pi1 / 2)));
    return f.withSign(f.abs(f.select(isFar, complement, near)), y);
  });

/** Inverse cosine, 0 … π; NaN beyond ±1. */
export const acos = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const [pi0, pi1] = f.pick(pi);
    const { isFar, t, tail } = arcSine(f, f.abs(y));
    const isNegative = f.compareTo("lt", y, 0);
    const series = f.add(t, tail);
    const signed = f.select(isNegative, f.neg(series), series);
    const near = f.sub(f.number(pi0 / 2), f.sub(signed, f.number(pi1 / 2)));
    const twice = f.times(series, 2);
    const leftFar = f.sub(f.number(pi0), f.sub(twice, f.number(pi1)));
    return f.select(isFar, f.select(isNegative, leftFar, twice), near);
  });

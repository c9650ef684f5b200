/**
 * Hyperbolic functions, their inverses, and the logistic function, from e^x, e^x − 1, log and log(1 + x).
 *
 * Each is arranged so that nothing cancels: differences of exponentials near 0 become e^x − 1 or a
 * series, and everything is computed on |x| and given the sign at the end (NIST DLMF 4.28 and 4.37;
 * Kahan, "Branch cuts for complex elementary functions", 1987, for the inverses).
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { expm1Near, expScaled } from "./exponential.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";
import { naturalLog, naturalLog1p } from "./logarithm.ts";

/** tanh is ±1 to the last digit from here on. */
const tanhOne: PerFormat<number> = { float32: 10, float64: 20 };

/**
 * Hyperbolic tangent: t/(t + 2) with t = e^(2|x|) − 1. The sign goes to the numerator, so that a NaN need not be
 * looked for in the quotient. A quotient of polynomials would be half the work, and wrong by 5 ulp near 1.
 */
export const tanh = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const magnitude = f.min(f.abs(y), f.pick(tanhOne));
    const t = expm1Near(f, f.times(magnitude, 2));
    return f.div(f.withSign(t, y), f.plus(t, 2));
  });

/** 1/(1 + e^−x), as e^x/(1 + e^x) for negative x, where the other form would overflow. */
export const logistic = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const e = expScaled(f, f.neg(f.abs(y)), 0);
    const numerator = f.select(f.compareTo("lt", y, 0), e, f.number(1));
    return f.div(numerator, f.plus(e, 1));
  });

/** (sinh x − x)/x³ in x², |x| ≤ 1. */
const sinhSeries: PerFormat<readonly number[]> = {
  float32: [0.16666667, 0.0083333105, 1.9842896e-4, 2.7822132e-6],
  float64: [
    0.16666666666666669, 0.008333333333333148, 0.00019841269841431875, 2.7557319157070645e-6,
    2.505212313691506e-8, 1.60572597541852e-10, 7.758749227819664e-13,
  ],
};

/** Hyperbolic sine; keeps −0. */
export const sinh = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const magnitude = f.abs(y);
    const half = expScaled(f, magnitude, -1);
    const large = f.sub(half, f.div(f.number(0.25), half));
    const z = f.mul(y, y);
    const small = f.add(magnitude, f.mul(magnitude, f.mul(z, f.polynomial(z, sinhSeries))));
    return f.withSign(f.select(f.compareTo("lt", magnitude, 1), small, large), y);
  });

/** Hyperbolic cosine, from e^|x|/2. */
export const cosh = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const half = expScaled(f, f.abs(y), -1);
    return f.add(half, f.div(f.number(0.25), half));
  });

/** From here on x² + 1 = x², so that the inverse functions are log 2x. */
const squareDominates: PerFormat<number> = { float32: 2 ** 13, float64: 2 ** 28 };

const logOfTwice = (f: FloatKit, x: Scalar): Scalar => f.plus(naturalLog(f, x), Math.LN2);

/** Inverse hyperbolic sine: log(1 + |x| + x²/(1 + √(x² + 1))). */
export const asinh = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const magnitude = f.abs(y);
    const square = f.mul(y, y);
    const root = f.sqrt(f.plus(square, 1));
    const near = naturalLog1p(f, f.add(magnitude, f.div(square, f.plus(root, 1))));
    const isFar = f.compareTo("gt", magnitude, f.pick(squareDominates));
    return f.withSign(f.b.rare(isFar, logOfTwice(f, magnitude), near), y);
  });

/** Inverse hyperbolic cosine: log(1 + t + √(2t + t²)) with t = x − 1; NaN below 1. */
export const acosh = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const t = f.plus(y, -1);
    const root = f.sqrt(f.add(f.times(t, 2), f.mul(t, t)));
    const isFar = f.compareTo("gt", y, f.pick(squareDominates));
    const near = naturalLog1p(f, f.add(t, root));
    const result = f.b.rare(isFar, logOfTwice(f, y), near);
    return f.select(f.compareTo("lt", y, 1), f.number(NaN), result);
  });

/** Inverse hyperbolic tangent: log(1 + 2|x|/(1 − |x|))/2; ±Inf at ±1, NaN beyond. */
export const atanh = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const magnitude = f.abs(y);
    const ratio = f.div(f.times(magnitude, 2), f.sub(f.number(1), magnitude));
    const result = f.times(naturalLog1p(f, ratio), 0.5);
    // Small numbers as they are: halving a subnormal would lose its last bit.
    const isTiny = f.compareTo("lt", magnitude, f.format.minNormal * 2);
    const signed = f.withSign(f.select(isTiny, magnitude, f.abs(result)), y);
    return f.select(f.compareTo("gt", magnitude, 1), f.number(NaN), signed);
  });

/** log(e^x + e^y) = max + log(1 + e^−|x − y|); the sum where the difference is NaN, as of two infinities. */
export const logaddexp = (b: ScalarBuilder, x: Scalar, y: Scalar): Scalar =>
  inFormat(b, [x, y], (f, p, q) => {
    const difference = f.sub(p, q);
    const e = expScaled(f, f.neg(f.abs(difference)), 0);
    const result = f.add(f.binary("max", p, q), naturalLog1p(f, e));
    return f.select(f.compare("ne", difference, difference), f.add(p, q), result);
  });

/**
 * Logarithm of |Γ| and its derivative.
 *
 * Large arguments by Stirling's series (NIST DLMF 5.11.1, 5.11.2), small ones by the recurrence
 * Γ(x + 1) = x·Γ(x) (5.5.1) down to a minimax polynomial around the zero at 2, or up to where the series of
 * the derivative holds; negative ones by reflection (5.5.3, 5.5.4). Near the zeros on the negative axis, and
 * of digamma at 1.46…, the error is small only beside 1, not beside the result.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";
import { naturalLog, naturalLog1p } from "./logarithm.ts";
import { cotangentOfPi, sineNear } from "./trigonometric.ts";

/** lgamma(2 + t)/t, −¾ ≤ t ≤ 1. */
const aroundTwo: PerFormat<readonly number[]> = {
  float32: [
    0.42278433, 0.32246703, -0.06735238, 0.020580532, -0.007384455, 0.0028928781, -0.0011990663,
    5.020466e-4, -2.0579161e-4, 1.08190914e-4, -6.732867e-5, 2.1174226e-5,
  ],
  float64: [
    0.42278433509846713, 0.3224670334241132, -0.06735230105319819, 0.020580808427785046,
    -0.007385551028667382, 0.0028905103307199738, -0.001192753911892367, 0.0005096695251997637,
    -0.00022315475568376858, 9.945750709836892e-5, -4.492626036422448e-5, 2.050725813659299e-5,
    -9.43936322784061e-6, 4.374624496693758e-6, -2.0396342109001022e-6, 9.560210757506918e-7,
    -4.48390729444217e-7, 2.0991096075187784e-7, -1.0133651904448599e-7, 5.1181435206468976e-8,
    -2.270782106912156e-8, 7.417522639829844e-9, -4.0364895719507995e-9, 4.15593619662705e-9,
    -2.3273456000862485e-9, 4.83147368443546e-10,
  ],
};

/** B(2k)/(2k·(2k − 1)), k = 1 …: Stirling's series of lgamma in odd powers of 1/x. */
const stirling: PerFormat<readonly number[]> = {
  float32: [1 / 12, -1 / 360, 1 / 1260],
  float64: [
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
  ],
};

/** B(2k)/(2k): the series of log x − 1/(2x) − digamma x in even powers of 1/x. */
const stirlingSlope: PerFormat<readonly number[]> = {
  float32: [1 / 12, -1 / 120, 1 / 252, -1 / 240],
  float64: [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160],
};

/** From here on Stirling's series of lgamma is good to the last digit. */
const stirlingFrom = 8;

/** lgamma x for x ≥ 8. */
function lgammaLarge(f: FloatKit, x: Scalar): Scalar {
  const inverse = f.div(f.number(1), x);
  const series = f.mul(inverse, f.polynomial(f.mul(inverse, inverse), stirling));
  const leading = f.mul(f.plus(x, -0.5), f.plus(naturalLog(f, x), -1));
  return f.add(leading, f.plus(series, (Math.log(2 * Math.PI) - 1) / 2));
}

/** lgamma x for 0 < x < 8: the arguments from 3 on are brought into [2, 3), those up to 1.25 by one or two up. */
function lgammaSmall(f: FloatKit, x: Scalar): Scalar {
  let y = x;
  let product = f.number(1);
  for (let step = 0; step < stirlingFrom - 3; step++) {
    const isAbove = f.compareTo("ge", y, 3);
    y = f.select(isAbove, f.plus(y, -1), y);
    product = f.select(isAbove, f.mul(product, y), product);
  }
  const isLow = f.compareTo("lt", x, 0.5);
  const isMiddle = f.compareTo("lt", x, 1.25);
  const u = f.select(isLow, x, f.select(isMiddle, f.plus(x, -1), f.plus(y, -2)));
  // lgamma(2 + u), and for the others lgamma(1 + u) = lgamma(2 + u) − log(1 + u).
  const base = f.mul(u, f.polynomial(u, aroundTwo));
  const once = f.sub(base, naturalLog1p(f, u));
  const low = f.sub(once, naturalLog(f, x));
  const high = f.add(base, naturalLog(f, product));
  return f.select(isLow, low, f.select(isMiddle, once, high));
}

function lgammaPositive(f: FloatKit, x: Scalar): Scalar {
  const isLarge = f.compareTo("ge", x, stirlingFrom);
  return f.select(isLarge, lgammaLarge(f, x), lgammaSmall(f, x));
}

/** log|Γ(x)|; +Inf at 0 and the negative integers, and at ±Inf. */
export const lgamma = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const isNegative = f.compareTo("lt", y, 0.0);
    const magnitude = f.abs(y);
    const positive = lgammaPositive(f, f.select(isNegative, f.plus(magnitude, 1), magnitude));
    // Γ(x)·Γ(1 − x) = π/sin πx.
    const fraction = f.sub(magnitude, f.unary("roundEven", magnitude));
    const sine = f.abs(sineNear(f, f.times(fraction, Math.PI)));
    // Near 0 it is −log|x|, also where π·x would lose the digits of a subnormal.
    const isTiny = f.compareTo("lt", magnitude, f.format.minNormal);
    const logSine = naturalLog(f, f.select(isTiny, magnitude, sine));
    const logPi = f.select(isTiny, f.number(0), f.number(Math.log(Math.PI)));
    const reflected = f.sub(f.sub(logPi, positive), logSine);
    const result = f.select(isNegative, reflected, positive);
    // From 2^fractionBits on every number is an integer, so that the negative ones are poles.
    const isFarLeft = f.compareTo("le", y, -(2 ** f.format.fractionBits));
    const isInfinite = f.or(isFarLeft, f.compareTo("eq", magnitude, Infinity));
    return f.select(isInfinite, f.number(Infinity), result);
  });

/** digamma x for x > 0, by Γ′/Γ(x) = Γ′/Γ(x + n) − Σ 1/(x + k). */
function digammaPositive(f: FloatKit, x: Scalar): Scalar {
  const enough = f.format.dtype === "float32" ? 6 : 10;
  // The least terms first, so that little is lost in the sum before the greatest comes.
  let y = f.plus(x, enough);
  let sum = f.number(0);
  for (let step = enough - 1; step >= 0; step--) {
    const raised = step === 0 ? x : f.plus(x, step);
    const isSmall = f.compareTo("lt", raised, enough);
    sum = f.select(isSmall, f.add(sum, f.div(f.number(1), raised)), sum);
    y = f.select(isSmall, y, raised);
  }
  const inverse = f.div(f.number(1), y);
  const z = f.mul(inverse, inverse);
  const series = f.add(f.times(inverse, 0.5), f.mul(z, f.polynomial(z, stirlingSlope)));
  return f.sub(f.sub(naturalLog(f, y), series), sum);
}

/** Γ′(x)/Γ(x); NaN at 0 and the negative integers, as in lax. */
export const digamma = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const isNegative = f.compareTo("le", y, 0);
    const positive = digammaPositive(f, f.select(isNegative, f.sub(f.number(1), y), y));
    // digamma(1 − x) − digamma(x) = π cot πx.
    const fraction = f.sub(y, f.unary("roundEven", y));
    const cotangent = cotangentOfPi(f, fraction);
    const result = f.select(isNegative, f.sub(positive, cotangent), positive);
    const isPole = f.and(isNegative, f.compareTo("eq", fraction, 0));
    return f.select(isPole, f.number(NaN), result);
  });

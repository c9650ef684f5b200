/**
 * sin, cos and tan.
 *
 * The argument is reduced by the nearest multiple of π (tan: π/2), taken off in four pieces (Cody &
 * Waite 1980); arguments too large for that go through Payne & Hanek's integers. On |r| ≤ π/2 one odd
 * polynomial is enough for sin and cos alike, so there is nothing to select between: the parity of the
 * multiple is the sign. Coefficients: minimax fits of our own, float32's sine then moved by units in the
 * last place until its rounding errors were least.
 *
 * A few operations more or less decide the speed of a kernel. Tried and left: r·(1 + r²·P), which keeps −0
 * by itself, but is wrong by 2.9 ulp; three pieces of π, one multiplication and one subtraction less, but
 * good only to |x| ≤ 400; converting the multiple to an integer, six instructions on x64; Estrin's order
 * of the polynomial, no faster. Over every float32 up to the limit sin is within 2.03 ulp, cos within
 * 2.14, tan within 2.73, and no sin or cos is beyond 1.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { cut, piBits } from "./fixed-point.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";
import { reduceFar } from "./payne-hanek.ts";

/** (sin r − r)/r³ in r², |r| ≤ π/2; relative error 2^−27 and 2^−59. */
const sine: PerFormat<readonly number[]> = {
  float32: [-0.16666667, 0.008333125, -1.9809909e-4, 2.6023672e-6],
  float64: [
    -0.16666666666666666, 0.008333333333333194, -0.00019841269841209036, 2.7557319211105257e-6,
    -2.50521068697946e-8, 1.6058939550971632e-10, -7.642987363198641e-13, 2.7211305577996283e-15,
  ],
};

/** (tan r − r)/r³ in r², |r| ≤ π/4. */
const tangent: PerFormat<readonly number[]> = {
  float32: [0.33333156, 0.13338836, 0.053408206, 0.024441361, 0.0031015521, 0.009396475],
  float64: [
    0.33333333333332776, 0.1333333333341494, 0.05396825392651539, 0.021869489612700046,
    0.008863219111581114, 0.0035922895587331845, 0.0014547550235123918, 0.0005950772392883774,
    0.00022234270220121037, 0.00013660235464353976, -2.649479215864159e-5, 8.955240504254813e-5,
    -4.493068098787526e-5, 2.0876296287754847e-5,
  ],
};

/** π in four pieces; a factor of 12 (float64: 20) bits times any but the last is exact. */
const pi: PerFormat<readonly number[]> = {
  float32: cut(piBits(160), 160, [12, 12, 12, 24]),
  float64: cut(piBits(160), 160, [33, 33, 33, 53]),
};

/** Up to here the multiple of π (π/2) is known to fit those bits, halves included. */
const nearLimit: PerFormat<number> = { float32: 6400, float64: 1.6e6 };

/** x − n·π·2^−halvings = r − rest, where rest is far below the last digit of r, unless r is tiny. */
interface Reduced {
  readonly r: Scalar;
  readonly rest: Scalar;
}

function takeMultiples(f: FloatKit, x: Scalar, n: Scalar, halvings: 0 | 1): Reduced {
  const [a, b, c, rest] = f.pick(pi).map((part) => f.times(n, part * 2 ** -halvings)) as [
    Scalar,
    Scalar,
    Scalar,
    Scalar,
  ];
  return { r: f.sub(f.sub(f.sub(x, a), b), c), rest };
}

/** r + r·(r²·P(r²)), to which the derivative 1 at 0 brings `rest` without another rounding of r. */
function oddSeries(
  f: FloatKit,
  r: Scalar,
  rest: Scalar | undefined,
  coefficients: readonly number[],
): Scalar {
  const z = f.mul(r, r);
  const small = f.mul(r, f.mul(z, f.polynomial(z, coefficients)));
  return f.add(r, rest === undefined ? small : f.sub(small, rest));
}

/** sin(r − rest) for |r| ≤ π/2; −0 becomes 0. */
export const sineNear = (f: FloatKit, r: Scalar, rest?: Scalar): Scalar =>
  oddSeries(f, r, rest, f.pick(sine));

/** Far below the last digit of 1. */
const negligible: PerFormat<number> = { float32: 2 ** -40, float64: 2 ** -80 };

/** The same, keeping −0: where r·r²·P would be a zero of the other sign, r times a little is not. */
function signedSineNear(f: FloatKit, r: Scalar, rest: Scalar): Scalar {
  const z = f.mul(r, r);
  const small = f.mul(r, f.polynomial(z, [f.pick(negligible), ...f.pick(sine)]));
  return f.add(r, f.sub(small, rest));
}

const isFar = (f: FloatKit, x: Scalar): Scalar => f.compareTo("gt", f.abs(x), f.pick(nearLimit));

/** What a periodic function makes of ±Inf (invalid) and NaN. */
const orNaN = (f: FloatKit, x: Scalar, result: Scalar): Scalar =>
  f.select(f.compareTo("lt", f.abs(x), Infinity), result, f.number(NaN));

function sineOf(f: FloatKit, x: Scalar): Scalar {
  const { n, lowBits } = f.nearest(f.times(x, 1 / Math.PI));
  const { r, rest } = takeMultiples(f, x, n, 0);
  const fast = f.mul(signedSineNear(f, r, rest), f.parity(lowBits));
  const far = reduceFar(f, x, "π");
  const ofMagnitude = f.mul(sineNear(f, far.r), f.parity(far.n));
  const slow = f.select(f.compareTo("lt", x, 0), f.neg(ofMagnitude), ofMagnitude);
  return f.b.rare(isFar(f, x), orNaN(f, x, slow), fast);
}

/** Sine; keeps −0. */
export const sin = (b: ScalarBuilder, x: Scalar): Scalar => inFormat(b, [x], sineOf);

/** Cosine: with |x| = r + (n + ½)·π it is −sin r for even n. */
export const cos = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, operand) => {
    const y = f.abs(operand);
    const { n, lowBits } = f.nearest(f.plus(f.times(y, 1 / Math.PI), -0.5));
    const { r, rest } = takeMultiples(f, y, f.plus(n, 0.5), 0);
    const fast = f.mul(sineNear(f, r, rest), f.parity(lowBits, true));
    const far = reduceFar(f, y, "π", 0.5);
    const slow = f.mul(sineNear(f, far.r), f.parity(far.n));
    return f.b.rare(isFar(f, y), orNaN(f, y, slow), fast);
  });

/** tan(r + n·π/2): tan r, or −1/tan r for odd n; −0 stays, as the series has its sign. */
function tangentNear(f: FloatKit, n: Scalar, r: Scalar, rest?: Scalar): Scalar {
  const t = oddSeries(f, r, rest, f.pick(tangent));
  const isOdd = f.compare("ne", f.and(n, f.int(1)), f.int(0));
  return f.select(isOdd, f.div(f.number(-1), t), t);
}

/** Tangent; keeps −0. */
export const tan = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const { n, lowBits } = f.nearest(f.times(y, 2 / Math.PI));
    const { r, rest } = takeMultiples(f, y, n, 1);
    const fast = tangentNear(f, lowBits, r, rest);
    const far = reduceFar(f, y, "π/2");
    const ofMagnitude = tangentNear(f, far.n, far.r);
    const slow = f.select(f.compareTo("lt", y, 0), f.neg(ofMagnitude), ofMagnitude);
    return f.b.rare(isFar(f, y), orNaN(f, y, slow), fast);
  });

/** π·cot(π·x) for |x| ≤ ½, x ≠ 0. */
export function cotangentOfPi(f: FloatKit, x: Scalar): Scalar {
  const { n, lowBits } = f.nearest(f.times(x, 2));
  const r = f.times(f.sub(x, f.times(n, 0.5)), Math.PI);
  const t = oddSeries(f, r, undefined, f.pick(tangent));
  const isOdd = f.compare("ne", f.and(lowBits, f.int(1)), f.int(0));
  return f.select(isOdd, f.times(t, -Math.PI), f.div(f.number(Math.PI), t));
}

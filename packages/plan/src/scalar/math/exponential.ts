/**
 * e^x, 2^x and e^x − 1.
 *
 * x = n·ln 2 + r with |r| ≤ ln 2 / 2, the multiple of ln 2 taken off in two pieces (Cody & Waite,
 * "Software Manual for the Elementary Functions", 1980), so that e^x = 2^n·e^r. The polynomial
 * q in e^r = 1 + r + r²·q(r) is a minimax fit (Remez) of our own.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { cut, ln2Bits } from "./fixed-point.ts";
import { type FloatKit, inFormat, type Nearest, type PerFormat } from "./float-kit.ts";

/** (e^r − 1 − r)/r² on |r| ≤ ln 2 / 2; relative error of e^r 2^−28 and 2^−61. */
const remainder: PerFormat<readonly number[]> = {
  float32: [0.49999994, 0.16666517, 0.041668102, 0.008369166, 0.0013838004],
  float64: [
    0.5, 0.16666666666666677, 0.04166666666666634, 0.00833333333332074, 0.0013888888889056715,
    0.0001984126988886483, 2.4801586986971086e-5, 2.755724124295735e-6, 2.755755630760688e-7,
    2.511009968779015e-8, 2.082962488645377e-9,
  ],
};

/** ln 2 in two pieces; the first leaves room for a factor n of 8 and 11 bits. */
export const ln2Parts: PerFormat<readonly [number, number]> = {
  float32: cut(ln2Bits(120), 120, [15, 24]) as [number, number],
  float64: cut(ln2Bits(120), 120, [40, 53]) as [number, number],
};

/** e^x leaves the format for x above `overflow` and is 0 below `underflow`; within ±`normal` 2^n is normal. */
const limits: PerFormat<{ normal: number; overflow: number; underflow: number }> = {
  float32: { normal: 87, overflow: 88.8, underflow: -104 },
  float64: { normal: 708, overflow: 709.8, underflow: -745.2 },
};

interface Reduced {
  readonly nearest: Nearest;
  readonly r: Scalar;
}

function reduce(f: FloatKit, x: Scalar): Reduced {
  const [high, low] = f.pick(ln2Parts);
  const nearest = f.nearest(f.times(x, Math.LOG2E));
  return { nearest, r: f.sub(f.sub(x, f.times(nearest.n, high)), f.times(nearest.n, low)) };
}

/** e^r − 1 for |r| ≤ ln 2 / 2. */
export const smallExpm1 = (f: FloatKit, r: Scalar): Scalar =>
  f.add(r, f.mul(f.mul(r, r), f.polynomial(r, remainder)));

/** p·2^n where 2^n itself may be out of range: two factors, so that only the last product rounds. */
function scaleFar(f: FloatKit, p: Scalar, n: Scalar): Scalar {
  const half = f.shiftRight(n, 1);
  return f.mul(f.mul(p, f.twoTo(half)), f.twoTo(f.sub(n, half)));
}

/** e^x·2^extra, with |extra| ≤ 1 and no intermediate overflow. */
export function expScaled(f: FloatKit, x: Scalar, extra: number): Scalar {
  const { normal, overflow, underflow } = f.pick(limits);
  const { nearest, r } = reduce(f, x);
  const p = f.plus(smallExpm1(f, r), 1);
  const exponent = f.toInt(f.plus(nearest.n, extra));
  const far = f.select(
    f.compareTo("gt", x, overflow - extra * Math.LN2),
    f.number(Infinity),
    f.select(
      f.compareTo("lt", x, underflow - extra * Math.LN2),
      f.number(0),
      scaleFar(f, p, exponent),
    ),
  );
  const isFar = f.compareTo("gt", f.abs(x), normal - Math.abs(extra));
  return f.b.rare(isFar, far, f.mul(p, f.twoToNearest(nearest, extra)));
}

/** e^x where |x| is known to be so small that 2^n is normal; a NaN stays one. */
export function expNear(f: FloatKit, x: Scalar): Scalar {
  const { nearest, r } = reduce(f, x);
  return f.mul(f.plus(smallExpm1(f, r), 1), f.twoToNearest(nearest));
}

/** e^x − 1 where e^x is finite and normal; loses the sign of −0. */
export function expm1Near(f: FloatKit, x: Scalar): Scalar {
  const { nearest, r } = reduce(f, x);
  const power = f.twoToNearest(nearest);
  return f.add(f.mul(smallExpm1(f, r), power), f.plus(power, -1));
}

/** e^x. */
export const exp = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => expScaled(f, y, 0));

/** 2^(high + low), |low| ≤ 1/2 an afterthought of high: the tail of `pow`, too. */
export function exp2OfSum(f: FloatKit, high: Scalar, low: Scalar | undefined): Scalar {
  const { bias, fractionBits, bits } = f.format;
  const nearest = f.nearest(high);
  const fraction = f.sub(high, nearest.n); // exact
  const p = f.plus(
    smallExpm1(f, f.times(low === undefined ? fraction : f.add(fraction, low), Math.LN2)),
    1,
  );
  const exponent = f.toInt(nearest.n);
  const far = f.select(
    f.compareTo("gt", high, bias + 2),
    f.number(Infinity),
    f.select(
      f.compareTo("lt", high, -(bias + fractionBits + 2)),
      f.number(0),
      scaleFar(f, p, exponent),
    ),
  );
  const isFar = f.compareTo("gt", f.abs(high), bias - bits / 32);
  return f.b.rare(isFar, far, f.mul(p, f.twoToNearest(nearest)));
}

/** 2^x; exact where x is an integer. */
export const exp2 = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => exp2OfSum(f, y, undefined));

/** Beyond these e^x − 1 is −1, or e^x, or infinite; the upper one overflows by itself. */
const expm1Limits: PerFormat<{ low: number; high: number; identity: number }> = {
  float32: { low: -20, high: 89, identity: 2 ** -25 },
  float64: { low: -40, high: 710, identity: 2 ** -54 },
};

/** e^x − 1, accurate near 0. Works on half the power of two, so that e^x may reach the largest float. */
export const expm1 = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const { low, high, identity } = f.pick(expm1Limits);
    const { nearest, r } = reduce(f, f.min(f.max(y, low), high));
    const half = f.twoToNearest(nearest, -1);
    const result = f.times(f.add(f.mul(smallExpm1(f, r), half), f.plus(half, -0.5)), 2);
    return f.select(f.compareTo("lt", f.abs(y), identity), y, result);
  });

/**
 * The error function, its complement, and its inverse.
 *
 * erfc x = e^(−x²)·R/(1 + 2x) with R a polynomial in (x − K)/(x + K), a form that stays flat from ½ to where
 * the result vanishes (Shepherd & Laframboise, "Chebyshev approximation of (1 + 2x) exp(x²) erfc x", Math.
 * Comp. 36, 1981). erfInv is a polynomial in w = −log(1 − x²), or in √w in the tails (Giles, "Approximating
 * the erfinv function", 2012). Coefficients: minimax fits of our own.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { expNear, expScaled, smallExpm1 } from "./exponential.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";
import { naturalLog, naturalLog1p } from "./logarithm.ts";

/** erf(x)/x − 1 in x², |x| ≤ 0.92. */
const central: PerFormat<readonly number[]> = {
  float32: [
    0.12837917, -0.37612635, 0.11283696, -0.026859395, 0.005201023, -8.142587e-4, 8.369573e-5,
  ],
  float64: [
    0.1283791670955126, -0.37612638903183754, 0.11283791670955079, -0.02686617064511912,
    0.0052239776252802584, -0.0008548327010563276, 0.00012055332322060409, -1.4925627675303086e-5,
    1.646157895717754e-6, -1.6357130272108676e-7, 1.47107244726771e-8, -1.159160669918378e-9,
    6.36824257400592e-11,
  ],
};

/** Below this |x| the central series serves. */
const centralLimit = 0.92;

/** −log erfc(t + 2) for 0.92 ≤ t + 2 ≤ 4, where erf becomes 1; float64 takes erfc itself. */
const exponentSeries: readonly number[] = [
  5.3649406, 4.418156, 0.9237507, 0.016506564, -0.0035007687, 7.438974e-4, -1.7847122e-4,
];

/** (1 + 2x)·e^(x²)·erfc x in (x − K)/(x + K), ½ ≤ x up to where erfc x is 0. */
const scaledComplement: PerFormat<{ readonly k: number; readonly series: readonly number[] }> = {
  float32: {
    k: 2,
    series: [
      1.2769784, -0.09276377, -0.16603082, 0.16404875, -0.054211304, -0.008005655, 0.008659459,
      0.0011461916, -0.0012660972, -2.2483982e-4,
    ],
  },
  float64: {
    k: 4,
    series: [
      1.2329951186255526, -0.1396211168405625, 0.015379652102619868, 0.06809705425468886,
      -0.1010390660363119, 0.09373283499851796, -0.06633036581203725, 0.03716751553409617,
      -0.01619773406004002, 0.005031970015519664, -0.0007577732722346713, -0.00019925694709055548,
      0.0001506216025767855, -2.4398127276367762e-5, -1.1221829010642997e-5, 5.706661875953077e-6,
      2.9348439698883713e-7, -8.19753065131908e-7, 7.492266519664676e-8, 1.0345664056949624e-7,
      -1.8034301160038946e-8, -9.722202339281917e-9, 1.847559836196796e-9,
    ],
  },
};

/** erf x for |x| ≤ 0.92. */
function erfCentral(f: FloatKit, x: Scalar): Scalar {
  const z = f.mul(x, x);
  return f.add(x, f.mul(x, f.polynomial(z, central)));
}

/** erfc x for x ≥ ½. */
function erfcTail(f: FloatKit, x: Scalar): Scalar {
  const { k, series } = f.pick(scaledComplement);
  // Beyond 30 it is 0, and squares stay finite.
  const y = f.min(x, 30);
  const t = f.div(f.plus(y, -k), f.plus(y, k));
  // −x² to more digits than the format has: the square of the upper half is exact.
  const upper = f.upperHalf(y);
  const rest = f.mul(f.sub(y, upper), f.add(y, upper));
  const high = expScaled(f, f.neg(f.mul(upper, upper)), 0);
  const ratio = f.div(f.polynomial(t, series), f.plus(f.times(y, 2), 1));
  // e^−rest is so near 1 that what it differs by brings no rounding of its own.
  return f.mul(high, f.add(ratio, f.mul(ratio, smallExpm1(f, f.neg(rest)))));
}

/** Error function; keeps −0. */
export const erf = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const magnitude = f.abs(y);
    const complement =
      f.format.dtype === "float32"
        ? expNear(f, f.neg(f.polynomial(f.plus(f.min(magnitude, 4), -2), exponentSeries)))
        : erfcTail(f, magnitude);
    const outer = f.sub(f.number(1), complement);
    const isCentral = f.compareTo("lt", magnitude, centralLimit);
    return f.withSign(f.select(isCentral, erfCentral(f, magnitude), outer), y);
  });

/** 1 − erf x without cancellation. */
export const erfc = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const tail = erfcTail(f, f.abs(y));
    const isRight = f.compareTo("gt", y, 0);
    const outer = f.select(isRight, tail, f.sub(f.number(2), tail));
    const inner = f.sub(f.number(1), erfCentral(f, y));
    return f.select(f.compareTo("lt", f.abs(y), 0.5), inner, outer);
  });

/** erfInv(x)/x as a polynomial in `of(w) − center`, for w up to `limit`. */
interface Piece {
  readonly limit: number;
  readonly of: "w" | "√w";
  readonly center: number;
  readonly series: readonly number[];
}

const inversePieces: PerFormat<readonly Piece[]> = {
  float32: [
    {
      limit: 5,
      of: "w",
      center: 2.5,
      series: [
        1.5014094, 0.2466403, -0.0041773394, -0.0012527447, 2.1828264e-4, -4.961914e-6,
        -3.4346147e-6, 4.6589253e-7, 1.8037609e-8, -8.77285e-9, 3.3552064e-10,
      ],
    },
    {
      limit: Infinity,
      of: "√w",
      center: 3,
      series: [
        2.8329768, 1.0016749, 0.009445192, -0.007636954, 0.005687808, -0.003598991, 0.0014828559,
        -5.3760537e-5, -3.0774914e-4, 1.1363976e-4,
      ],
    },
  ],
  float64: [
    {
      limit: 6.25,
      of: "w",
      center: 3.125,
      series: [
        1.6536545626831027, 0.24015818242558834, -0.006033670871426996, -0.0007407025341545543,
        0.0001867342080205283, -1.3882523394197347e-5, -1.3654691772622128e-6, 4.234788171206017e-7,
        -2.9070389897047268e-8, -4.112660643007279e-9, 1.0512225675953422e-9,
        -5.414294619373738e-11, -1.2978504374792547e-11, 2.630503435938278e-12,
        -8.079287587598445e-14, -4.0015894290068746e-14, 6.533336011048877e-15,
        -3.987840885234743e-17, -1.234481467525289e-16, 1.5545230698107734e-17,
        6.956274281690206e-19, -3.4876622512872292e-19, 1.6540666923002442e-20,
        3.2193949395991147e-21, -3.001828454190807e-22,
      ],
    },
    {
      limit: 16,
      of: "√w",
      center: 3.25,
      series: [
        3.0838856104922208, 1.0052589676941657, 0.0053709145535708975, -0.00375120850826289,
        0.0024914420970187324, -0.0016882755342527646, 0.0009532893630699749,
        -0.0003550378308210384, 2.403126316695858e-5, 6.828724878004238e-5, -4.731901569892344e-5,
        1.2464433122766459e-5, 2.9258244475491614e-6, -3.984077100985078e-6, 1.4985455715740151e-6,
        -3.026635172352066e-8, -2.711862484816722e-7, 1.3394275098368018e-7, 6.341443336886253e-10,
        -1.618763707955649e-8,
      ],
    },
    {
      limit: Infinity,
      of: "√w",
      center: 5,
      series: [
        4.849906401408584, 1.0103004648645457, -0.00013871931837563522, -0.00021503011984143032,
        7.599527797162866e-5, -1.968177051820814e-5, 4.5260538434517635e-6, -9.930304815137295e-7,
        2.290459467799277e-7, -6.755268133080353e-8, 2.9038615219648917e-8, -1.526147134007692e-8,
        7.787559356154412e-9, -3.464684966294041e-9, 1.3493488449823821e-9, -4.412144700951101e-10,
        5.190909603157855e-11, 4.3693344327268825e-11, -1.650363901693793e-11,
      ],
    },
  ],
};

/** Inverse error function; ±Inf at ±1, NaN beyond. */
export const erfInv = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (f, y) => {
    const w = f.neg(naturalLog1p(f, f.neg(f.mul(y, y))));
    // Near ±1 the rounding of x² would show; (1 − x)·(1 + x) is exact enough there.
    const product = f.mul(f.sub(f.number(1), y), f.plus(y, 1));
    const wOuter = f.neg(naturalLog(f, product));
    const isOuter = f.compareTo("gt", f.abs(y), Math.SQRT1_2);
    const argument = f.select(isOuter, wOuter, w);
    const root = f.sqrt(argument);
    let ratio: Scalar | undefined;
    for (const { limit, of, center, series } of [...f.pick(inversePieces)].reverse()) {
      const t = f.plus(of === "w" ? argument : root, -center);
      const piece = f.polynomial(t, series);
      ratio =
        ratio === undefined ? piece : f.select(f.compareTo("lt", argument, limit), piece, ratio);
    }
    const isPole = f.compareTo("eq", f.abs(y), 1);
    return f.select(isPole, f.times(y, Infinity), f.mul(y, ratio as Scalar));
  });

/**
 * Logarithms: x = 2^k·(1 + f) with √½ ≤ 1 + f < √2, and log(1 + f) from s = f/(2 + f) by the series of
 * 2 atanh s (NIST DLMF 4.6.5), economised by a minimax fit R of our own:
 *
 *   log(1 + f) = f − (f²/2 − s·(f²/2 + R(s²)))
 *
 * which keeps the leading term f exact. Tang, "Table-driven implementation of the logarithm function
 * in IEEE floating-point arithmetic", 1990, discusses the error of this arrangement.
 */
import type { Scalar, ScalarBuilder } from "../builder.ts";
import { ln2Parts } from "./exponential.ts";
import { cut, ln2Bits } from "./fixed-point.ts";
import { type FloatKit, inFormat, type PerFormat } from "./float-kit.ts";

/** R(z)/z, with R = 2 atanh(s)/s − 2 at z = s², s ≤ (√2 − 1)/(√2 + 1). */
const series: PerFormat<readonly number[]> = {
  float32: [0.6666667, 0.39998877, 0.2866185, 0.20839716],
  float64: [
    0.6666666666666666, 0.40000000000000885, 0.28571428570798246, 0.22222222392817578,
    0.18181795532092035, 0.15386245130917564, 0.13268637931733243, 0.13087949030034499,
  ],
};

interface Split {
  /** Exponent, as an integer scalar. */
  readonly k: Scalar;
  readonly f: Scalar;
}

/** Bits of √½: adding the distance to 1 makes the exponent field switch at √½ instead of at 1. */
const rootHalf = (kit: FloatKit): Scalar => kit.asBits(Math.SQRT1_2);

export function exponentOf(kit: FloatKit, bits: Scalar): Scalar {
  return kit.shiftRight(kit.sub(bits, rootHalf(kit)), kit.format.fractionBits);
}

/** x = 2^k·(1 + f), for the bits of a positive normal number. */
function split(kit: FloatKit, bits: Scalar): Split {
  const k = exponentOf(kit, bits);
  const mantissa = kit.sub(bits, kit.shiftLeft(k, kit.format.fractionBits));
  return { k, f: kit.plus(kit.asFloat(mantissa), -1) };
}

/** Where `bits` are not those of a positive normal number: zero, subnormal, negative, Inf, NaN. */
export function isSpecial(kit: FloatKit, bits: Scalar): Scalar {
  const { minNormal, word } = kit.format;
  const offset = kit.b.convert(kit.sub(bits, kit.asBits(minNormal)), word);
  const range = kit.b.convert(kit.sub(kit.asBits(Infinity), kit.asBits(minNormal)), word);
  return kit.b.compare("ge", offset, range);
}

/** What log does there, given how it treats the bits and the exponent correction of a normal number. */
function specialLog(
  kit: FloatKit,
  x: Scalar,
  ofNormal: (bits: Scalar, shift: number) => Scalar,
): Scalar {
  const shift = kit.format.bits;
  const scaled = kit.asInt(kit.times(x, 2 ** shift));
  const ofPositive = kit.select(kit.compareTo("eq", x, Infinity), x, ofNormal(scaled, -shift));
  const ofZero = kit.select(kit.compareTo("eq", x, 0), kit.number(-Infinity), kit.number(NaN));
  return kit.select(kit.compareTo("gt", x, 0), ofPositive, ofZero);
}

interface Tail {
  readonly half: Scalar;
  readonly s: Scalar;
  /** s·(f²/2 + R(s²)). */
  readonly correction: Scalar;
}

function tail(kit: FloatKit, f: Scalar): Tail {
  const s = kit.div(f, kit.plus(f, 2));
  const z = kit.mul(s, s);
  const half = kit.mul(kit.times(f, 0.5), f);
  const r = kit.mul(z, kit.polynomial(z, series));
  return { half, s, correction: kit.mul(s, kit.add(half, r)) };
}

/** k·ln 2 + log(1 + f). */
function assemble(kit: FloatKit, k: Scalar, f: Scalar): Scalar {
  const [high, low] = kit.pick(ln2Parts);
  const { half, correction } = tail(kit, f);
  const small = kit.sub(half, kit.add(correction, kit.times(k, low)));
  return kit.sub(kit.times(k, high), kit.sub(small, f));
}

function logOfBits(kit: FloatKit, bits: Scalar, shift: number): Scalar {
  const { k, f } = split(kit, bits);
  return assemble(kit, shifted(kit, k, shift), f);
}

const shifted = (kit: FloatKit, k: Scalar, shift: number): Scalar =>
  kit.toFloat(shift === 0 ? k : kit.add(k, kit.int(shift)));

export function naturalLog(kit: FloatKit, x: Scalar): Scalar {
  const bits = kit.asInt(x);
  const ofNormal = (of: Scalar, shift: number): Scalar => logOfBits(kit, of, shift);
  return kit.b.rare(isSpecial(kit, bits), specialLog(kit, x, ofNormal), ofNormal(bits, 0));
}

/** Natural logarithm; log(±0) = −Inf, log(x < 0) = NaN. */
export const log = (b: ScalarBuilder, x: Scalar): Scalar => inFormat(b, [x], naturalLog);

/**
 * log(1 + x), accurate near 0. The exponent k is that of 1 + x; x·2^−k + (2^−k − 1) is then f with one
 * rounding, and f = x itself where k = 0.
 */
export function naturalLog1p(kit: FloatKit, x: Scalar): Scalar {
  const { bits: width, fractionBits } = kit.format;
  const sum = kit.plus(x, 1);
  const bits = kit.asInt(sum);
  const k = exponentOf(kit, bits);
  const scale = kit.asFloat(kit.sub(kit.asBits(1), kit.shiftLeft(k, fractionBits)));
  const f = kit.add(kit.mul(x, scale), kit.plus(scale, -1));
  // Where 1 + x = x, and at and below the pole, log does it all.
  const { minNormal, word } = kit.format;
  const offset = kit.b.convert(kit.sub(bits, kit.asBits(minNormal)), word);
  const end = kit.sub(kit.asBits(2 ** width), kit.asBits(minNormal));
  const isFar = kit.b.compare("ge", offset, kit.b.convert(end, word));
  const near = kit.select(kit.compareTo("eq", x, 0), x, assemble(kit, kit.toFloat(k), f));
  return kit.b.rare(isFar, naturalLog(kit, sum), near);
}

/** log(1 + x); keeps −0. */
export const log1p = (b: ScalarBuilder, x: Scalar): Scalar => inFormat(b, [x], naturalLog1p);

/** 1/ln 2 in two pieces, the first with half the digits. */
const log2eBits = (1n << 240n) / ln2Bits(120);
const log2e: PerFormat<readonly [number, number]> = {
  float32: cut(log2eBits, 120, [12, 24]) as [number, number],
  float64: cut(log2eBits, 120, [26, 53]) as [number, number],
};

/** log(1 + f) is made of a high part with half the digits and a rest, each multiplied by 1/ln 2. */
function log2OfBits(kit: FloatKit, bits: Scalar, shift: number): Scalar {
  const { k, f } = split(kit, bits);
  const { half, correction } = tail(kit, f);
  const high = kit.upperHalf(kit.sub(f, half));
  const low = kit.add(kit.sub(kit.sub(f, high), half), correction);
  const [factor, rest] = kit.pick(log2e);
  const whole = shifted(kit, k, shift);
  const product = kit.times(high, factor);
  const small = kit.add(kit.times(kit.add(low, high), rest), kit.times(low, factor));
  const sum = kit.add(whole, product);
  return kit.add(sum, kit.add(kit.add(kit.sub(whole, sum), product), small));
}

/** Base-2 logarithm; exact where x is a power of two. */
export const log2 = (b: ScalarBuilder, x: Scalar): Scalar =>
  inFormat(b, [x], (kit, y) => {
    const bits = kit.asInt(y);
    const ofNormal = (of: Scalar, shift: number): Scalar => log2OfBits(kit, of, shift);
    return kit.b.rare(isSpecial(kit, bits), specialLog(kit, y, ofNormal), ofNormal(bits, 0));
  });

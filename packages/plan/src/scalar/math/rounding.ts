/**
 * Functions that move floats along their grid or classify them: exact, mostly on bit patterns.
 */
import { type DType, isFloat, isSigned, kindOf } from "../../dtype.ts";
import type { Scalar, ScalarBuilder } from "../builder.ts";

/** Explicit fraction bits of each float dtype. */
const fractionBits: Readonly<Partial<Record<DType, number>>> = {
  float16: 10,
  bfloat16: 7,
  float32: 23,
  float64: 52,
};

const patternOf = {
  float16: "uint16",
  bfloat16: "uint16",
  float32: "uint32",
  float64: "uint64",
} as const;

/** −1, 0 or 1 by the sign of x; NaN and ±0 stay what they are. */
export function sign(b: ScalarBuilder, x: Scalar): Scalar {
  const dtype = b.dtypeOf(x);
  const zero = b.const(dtype, 0);
  const one = b.const(dtype, 1);
  const isPositive = b.compare("gt", x, zero);
  if (!isFloat(dtype) && !isSigned(dtype)) return b.select(isPositive, one, zero);
  const isNegative = b.compare("lt", x, zero);
  const signOf = b.select(isNegative, b.const(dtype, -1), x);
  return b.select(isPositive, one, signOf);
}

/** Nearest integer, ties away from zero; keeps the sign of zero. */
export function roundAwayFromZero(b: ScalarBuilder, x: Scalar): Scalar {
  const dtype = b.dtypeOf(x);
  const whole = b.unary("trunc", x);
  const rest = b.sub(x, whole); // exact
  const up = b.select(b.compare("lt", x, b.const(dtype, 0)), b.const(dtype, -1), b.const(dtype, 1));
  const isUp = b.compare("ge", b.abs(rest), b.const(dtype, 0.5));
  return b.select(isUp, b.add(whole, up), whole);
}

/** Whether x is neither infinite nor NaN; true for integers. */
function isFiniteValue(b: ScalarBuilder, x: Scalar): Scalar {
  const dtype = b.dtypeOf(x);
  if (!isFloat(dtype)) return b.const("bool", true);
  return b.compare("lt", b.abs(x), b.const(dtype, Infinity));
}

export { isFiniteValue as isFinite };

/** The float next to x in the direction of y; y itself where they are equal; NaN where either is. */
export function nextafter(b: ScalarBuilder, x: Scalar, y: Scalar): Scalar {
  const dtype = b.dtypeOf(x) as keyof typeof patternOf;
  const word = patternOf[dtype];
  const bits = b.bitcast(x, word);
  const one = b.const(word, 1);
  const zero = b.const(dtype, 0);
  const isNegative = b.compare("lt", x, zero);
  const isToward = b.binary("xor", isNegative, b.compare("lt", y, x));
  const moved = b.select(isToward, b.sub(bits, one), b.add(bits, one));
  // From zero: the smallest subnormal with the sign of y.
  const smallest = b.constBits(dtype, { lo: 1, hi: 0 });
  const fromZero = b.select(b.compare("lt", y, zero), b.neg(smallest), smallest);
  const next = b.select(b.compare("eq", x, zero), fromZero, b.bitcast(moved, dtype));
  const isInvalid = b.binary("or", b.compare("ne", x, x), b.compare("ne", y, y));
  const orSame = b.select(b.compare("eq", x, y), y, next);
  return b.select(isInvalid, b.add(x, y), orSame);
}

/**
 * Rounds x to a format of `exponentBits` and `mantissaBits` (explicit ones) and back: ties to even, too
 * large becomes infinite, and what would be subnormal there becomes ±0, as lax.reduce_precision does.
 */
export function reducePrecision(
  b: ScalarBuilder,
  x: Scalar,
  exponentBits: number,
  mantissaBits: number,
): Scalar {
  const dtype = b.dtypeOf(x) as keyof typeof patternOf;
  const word = patternOf[dtype];
  const fraction = fractionBits[dtype] as number;
  const width = kindOf(word) === "uint" ? Number(word.slice(4)) : 0;
  const constant = (value: bigint): Scalar => b.const(word, value);
  const magnitudeMask = (1n << BigInt(width - 1)) - 1n;
  const bits = b.bitcast(x, word);
  const signBit = b.binary("and", bits, constant(magnitudeMask + 1n));
  let magnitude = b.binary("and", bits, constant(magnitudeMask));

  const dropped = BigInt(fraction - mantissaBits);
  if (dropped > 0n) {
    const shifted = b.binary("shiftRightLogical", magnitude, constant(dropped));
    const isOdd = b.binary("and", shifted, constant(1n));
    const bias = b.add(isOdd, constant((1n << (dropped - 1n)) - 1n));
    magnitude = b.binary("and", b.add(magnitude, bias), constant(-(1n << dropped)));
  }
  const ownExponentBits = width - 1 - fraction;
  if (exponentBits < ownExponentBits) {
    const ownBias = (1n << BigInt(ownExponentBits - 1)) - 1n;
    const bias = (1n << BigInt(exponentBits - 1)) - 1n;
    const at = (exponent: bigint): Scalar => constant((exponent + ownBias) << BigInt(fraction));
    const infinity = b.bitcast(b.const(dtype, Infinity), word);
    magnitude = b.select(b.compare("ge", magnitude, at(bias + 1n)), infinity, magnitude);
    magnitude = b.select(b.compare("lt", magnitude, at(1n - bias)), constant(0n), magnitude);
  }
  const result = b.bitcast(b.binary("or", signBit, magnitude), dtype);
  return b.select(b.compare("ne", x, x), x, result);
}

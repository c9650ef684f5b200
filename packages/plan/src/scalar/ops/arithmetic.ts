/**
 * The arithmetic of node.ts on lanes whose elements are JS numbers.
 *
 * Two facts make JS arithmetic exact here. A float32 + − × ÷ √ computed in float64 and then rounded
 * is the float32 operation (Figueroa, "When is double rounding innocuous?", 1995), and storing a
 * number into an integer array wraps it. What is left over is written out: products of 32 bits,
 * division by zero, and shifts past the width.
 */
import type { NumberLanes } from "../lanes.ts";
import type { BinaryOp, UnaryOp } from "../node.ts";

type Unary = (x: NumberLanes, out: NumberLanes, n: number) => void;
type Binary = (x: NumberLanes, y: NumberLanes, out: NumberLanes, n: number) => void;

const unary =
  (f: (x: number) => number): Unary =>
  (x, out, n) => {
    for (let i = 0; i < n; i++) out[i] = f(x[i] as number);
  };
const binary =
  (f: (x: number, y: number) => number): Binary =>
  (x, y, out, n) => {
    for (let i = 0; i < n; i++) out[i] = f(x[i] as number, y[i] as number);
  };

/** Nearest integer, ties to even, keeping the sign of zero. */
export function roundEven(x: number): number {
  const magnitude = Math.abs(x);
  // From 2^52 on every float64 is an integer; below, the sum has no room for a fraction.
  return magnitude < 2 ** 52 ? Math.sign(x) * (magnitude + 2 ** 52 - 2 ** 52) : x;
}

const floatUnary: Partial<Record<UnaryOp, Unary>> = {
  neg: unary((x) => -x),
  abs: unary(Math.abs),
  sqrt: unary(Math.sqrt),
  floor: unary(Math.floor),
  ceil: unary(Math.ceil),
  trunc: unary(Math.trunc),
  roundEven: unary(roundEven),
};

const floatBinary: Partial<Record<BinaryOp, Binary>> = {
  add: binary((x, y) => x + y),
  sub: binary((x, y) => x - y),
  mul: binary((x, y) => x * y),
  div: binary((x, y) => x / y),
  rem: binary((x, y) => x % y), // ECMAScript's % is fmod, and its result needs no rounding
  min: binary(Math.min), // NaN wins and −0 < +0, as in IEEE 754-2019 minimum and maximum
  max: binary(Math.max),
};

const boolUnary: Partial<Record<UnaryOp, Unary>> = { not: unary((x) => x ^ 1) };
const boolBinary: Partial<Record<BinaryOp, Binary>> = {
  and: binary((x, y) => x & y),
  or: binary((x, y) => x | y),
  xor: binary((x, y) => x ^ y),
  min: binary((x, y) => x & y),
  max: binary((x, y) => x | y),
};

function onesIn(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** High word of the 64-bit product of two unsigned words, from its four 16-bit partial products. */
function mulhiUnsigned(x: number, y: number): number {
  const x0 = x & 0xffff;
  const x1 = x >>> 16;
  const y0 = y & 0xffff;
  const y1 = y >>> 16;
  const low = x1 * y0 + ((x0 * y0) >>> 16);
  const middle = x0 * y1 + (low & 0xffff);
  return (x1 * y1 + Math.floor(low / 0x10000) + Math.floor(middle / 0x10000)) >>> 0;
}
const mulhiSigned = (x: number, y: number): number =>
  (mulhiUnsigned(x, y) - (x < 0 ? y : 0) - (y < 0 ? x : 0)) | 0;

const quotient = (x: number, y: number): number => (y === 0 ? -1 : Math.trunc(x / y));
const remainder = (x: number, y: number): number => (y === 0 ? x : x % y);

const integerUnary = (bits: number): Partial<Record<UnaryOp, Unary>> => {
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  return {
    neg: unary((x) => -x),
    abs: unary(Math.abs),
    not: unary((x) => ~x),
    populationCount: unary((x) => onesIn(x & mask)),
    countLeadingZeros: unary((x) => Math.clz32(x & mask) - (32 - bits)),
  };
};

const integerBinary = (bits: number, signed: boolean): Partial<Record<BinaryOp, Binary>> => {
  const mask = bits === 32 ? -1 : (1 << bits) - 1;
  const unused = 32 - bits;
  const inWidth = (amount: number): boolean => (amount & mask) >>> 0 < bits;
  return {
    add: binary((x, y) => x + y),
    sub: binary((x, y) => x - y),
    mul: binary(Math.imul),
    div: binary(quotient),
    rem: binary(remainder),
    min: binary(Math.min),
    max: binary(Math.max),
    and: binary((x, y) => x & y),
    or: binary((x, y) => x | y),
    xor: binary((x, y) => x ^ y),
    shiftLeft: binary((x, y) => (inWidth(y) ? x << y : 0)),
    shiftRightLogical: binary((x, y) => (inWidth(y) ? (x & mask) >>> y : 0)),
    shiftRightArithmetic: binary((x, y) => ((x << unused) >> unused) >> (inWidth(y) ? y : 31)),
    ...(bits === 32 && { mulhi: binary(signed ? mulhiSigned : mulhiUnsigned) }),
  };
};

const float = { unary: floatUnary, binary: floatBinary };
const integer = (bits: number, signed: boolean): Arithmetic => ({
  unary: integerUnary(bits),
  binary: integerBinary(bits, signed),
});

interface Arithmetic {
  readonly unary: Partial<Record<UnaryOp, Unary>>;
  readonly binary: Partial<Record<BinaryOp, Binary>>;
}

/** By dtype. An op that is missing has no meaning on that dtype. */
export const numberArithmetic: Readonly<Record<string, Arithmetic>> = {
  bool: { unary: boolUnary, binary: boolBinary },
  int8: integer(8, true),
  int16: integer(16, true),
  int32: integer(32, true),
  uint8: integer(8, false),
  uint16: integer(16, false),
  uint32: integer(32, false),
  float16: float,
  bfloat16: float,
  float32: float,
  float64: float,
};

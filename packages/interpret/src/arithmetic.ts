/**
 * Arithmetic on single values, rounded or wrapped to a dtype after every operation.
 *
 * Values are as in lanes: JS numbers, bigints for the 64-bit integers, 0 and 1 for bool. 16-bit
 * floats compute in float32 and round, as the scalar language says.
 */
import {
  type DType,
  fromBits,
  is64BitInteger,
  isFloat,
  isSigned,
  itemSize,
  toBits,
} from "@gridfuse/graph";

/** One element as plain JS computes on it. Typed as number; a bigint where the dtype has 64-bit integers. */
export type Element = number;
export type Combine = (a: Element, b: Element) => Element;

export type CombineName = "add" | "mul" | "max" | "min" | "and" | "or" | "xor";
export type Arithmetic = { readonly [name in CombineName]: Combine };

const one = 1n as unknown as Element;
const none = 0n as unknown as Element;
export const zeroOf = (dtype: DType): Element => (is64BitInteger(dtype) ? none : 0);
export const oneOf = (dtype: DType): Element => (is64BitInteger(dtype) ? one : 1);

/** Rounds or wraps the exact result of + or − to `dtype`. */
function rounding(dtype: DType): (x: Element) => Element {
  switch (dtype) {
    case "float64":
      return (x) => x;
    case "float32":
      return Math.fround;
    case "float16":
    case "bfloat16":
      return (x) => fromBits(dtype, toBits(dtype, Math.fround(x))) as number;
    case "int64":
      return (x) => BigInt.asIntN(64, x as unknown as bigint) as unknown as Element;
    case "uint64":
      return (x) => BigInt.asUintN(64, x as unknown as bigint) as unknown as Element;
    default: {
      const unused = 32 - 8 * itemSize(dtype);
      return isSigned(dtype) ? (x) => (x << unused) >> unused : (x) => (x << unused) >>> unused;
    }
  }
}

/** The seven ways to combine two elements of `dtype`. */
export function arithmeticOf(dtype: DType): Arithmetic {
  const round = rounding(dtype);
  const product: Combine = isFloat(dtype) || is64BitInteger(dtype) ? (a, b) => a * b : Math.imul;
  const ordered = isFloat(dtype)
    ? { max: Math.max as Combine, min: Math.min as Combine } // NaN wins, −0 < +0
    : {
        max: ((a, b) => (a > b ? a : b)) satisfies Combine,
        min: ((a, b) => (a < b ? a : b)) satisfies Combine,
      };
  return {
    add: dtype === "bool" ? (a, b) => a | b : (a, b) => round(a + b),
    mul: dtype === "bool" ? (a, b) => a & b : (a, b) => round(product(a, b)),
    ...ordered,
    and: (a, b) => round(a & b),
    or: (a, b) => round(a | b),
    xor: (a, b) => round(a ^ b),
  };
}

/** The least and the greatest value, infinities included. */
export function extremesOf(dtype: DType): { readonly least: Element; readonly greatest: Element } {
  if (isFloat(dtype)) return { least: -Infinity, greatest: Infinity };
  if (dtype === "bool") return { least: 0, greatest: 1 };
  const bits = 8 * itemSize(dtype);
  const least = isSigned(dtype) ? -(2n ** BigInt(bits - 1)) : 0n;
  const greatest = 2n ** BigInt(isSigned(dtype) ? bits - 1 : bits) - 1n;
  const element = (x: bigint): Element => (bits === 64 ? (x as unknown as Element) : Number(x));
  return { least: element(least), greatest: element(greatest) };
}

/** What combining nothing gives. */
export function identityOf(name: CombineName, dtype: DType): Element {
  switch (name) {
    case "add":
    case "or":
    case "xor":
      return zeroOf(dtype);
    case "mul":
      return oneOf(dtype);
    case "max":
      return extremesOf(dtype).least;
    case "min":
      return extremesOf(dtype).greatest;
    case "and":
      if (dtype === "bool") return 1;
      return arithmeticOf(dtype).xor(zeroOf(dtype), minusOne(dtype));
    default:
      return name satisfies never;
  }
}

/** All ones. */
const minusOne = (dtype: DType): Element =>
  is64BitInteger(dtype) ? (-1n as unknown as Element) : -1;

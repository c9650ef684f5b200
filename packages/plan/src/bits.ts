/**
 * Scalars as bit patterns, and the 16-bit float conversions.
 *
 * Rounding to float16 and bfloat16 is round-to-nearest-even from float32 bits. A float64 source
 * is rounded to odd in float32 first, which makes the two-step rounding equal to a single one
 * (Boldo & Melquiond, "When double rounding is odd", 2005).
 */
import { type DType, itemSize, kindOf } from "./dtype.ts";

/** The bits of one scalar, zero-extended to 64: two unsigned 32-bit words. */
export interface Bits {
  readonly lo: number;
  readonly hi: number;
}

export type ScalarValue = number | bigint | boolean;

const scratch = new DataView(new ArrayBuffer(8));

export const f32Bits = (value: number): number => {
  scratch.setFloat32(0, value, true);
  return scratch.getUint32(0, true);
};
export const f32FromBits = (bits: number): number => {
  scratch.setUint32(0, bits, true);
  return scratch.getFloat32(0, true);
};

/** float64 → float32 with round-to-odd, as float32 bits. */
function f32BitsRoundToOdd(value: number): number {
  const nearest = Math.fround(value);
  let bits = f32Bits(nearest);
  if (nearest === value || Number.isNaN(value)) return bits;
  if (Math.abs(nearest) > Math.abs(value)) bits -= 1; // back to truncation
  return (bits | 1) >>> 0;
}

function bf16BitsFromF32Bits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) & 0x8000) | 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function f16BitsFromF32Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal result: adding 0.5 aligns the ulp of float16's subnormals with bit 0.
    const shifted = f32Bits(Math.fround(f32FromBits(magnitude) + 0.5));
    return sign | (shifted - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

export const bf16Bits = (value: number): number => bf16BitsFromF32Bits(f32BitsRoundToOdd(value));
export const bf16FromBits = (bits: number): number => f32FromBits((bits << 16) >>> 0);
export const f16Bits = (value: number): number => f16BitsFromF32Bits(f32BitsRoundToOdd(value));

export function f16FromBits(bits: number): number {
  const sign = (bits & 0x8000) << 16;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return f32FromBits((sign | 0x7f800000 | (fraction << 13)) >>> 0);
  if (exponent === 0) return (sign ? -1 : 1) * fraction * 2 ** -24;
  return f32FromBits((sign | ((exponent + 112) << 23) | (fraction << 13)) >>> 0);
}

/** The bit pattern of `value` as `dtype`. Integers wrap, floats round to nearest even. */
export function toBits(dtype: DType, value: ScalarValue): Bits {
  const kind = kindOf(dtype);
  if (kind === "bool") return { lo: value ? 1 : 0, hi: 0 };
  if (kind === "float") {
    const number = Number(value);
    switch (dtype) {
      case "float16":
        return { lo: f16Bits(number), hi: 0 };
      case "bfloat16":
        return { lo: bf16Bits(number), hi: 0 };
      case "float32":
        return { lo: f32Bits(number), hi: 0 };
      default:
        scratch.setFloat64(0, number, true);
        return { lo: scratch.getUint32(0, true), hi: scratch.getUint32(4, true) };
    }
  }
  const width = itemSize(dtype) * 8;
  if (width <= 32 && Number.isInteger(value)) {
    // Shifts work on numbers of any size, modulo 2³².
    return { lo: ((value as number) << (32 - width)) >>> (32 - width), hi: 0 };
  }
  const wrapped = BigInt.asUintN(
    width,
    typeof value === "bigint" ? value : BigInt(Math.trunc(Number(value))),
  );
  return { lo: Number(wrapped & 0xffffffffn), hi: Number(wrapped >> 32n) };
}

/** The JS value of a bit pattern: boolean, number, or bigint for the 64-bit integers. */
export function fromBits(dtype: DType, bits: Bits): ScalarValue {
  switch (dtype) {
    case "bool":
      return bits.lo !== 0;
    case "float16":
      return f16FromBits(bits.lo);
    case "bfloat16":
      return bf16FromBits(bits.lo);
    case "float32":
      return f32FromBits(bits.lo);
    case "float64":
      scratch.setUint32(0, bits.lo, true);
      scratch.setUint32(4, bits.hi, true);
      return scratch.getFloat64(0, true);
    case "int64":
    case "uint64": {
      const unsigned = (BigInt(bits.hi) << 32n) | BigInt(bits.lo);
      return dtype === "int64" ? BigInt.asIntN(64, unsigned) : unsigned;
    }
    case "int8":
      return (bits.lo << 24) >> 24;
    case "int16":
      return (bits.lo << 16) >> 16;
    case "int32":
      return bits.lo | 0;
    case "uint8":
    case "uint16":
    case "uint32":
      return bits.lo >>> 0;
    default:
      return dtype satisfies never;
  }
}

/**
 * How generated code holds one scalar of each dtype outside memory.
 *
 *  - bool and integers up to 32 bits: i32, normalised (bool 0/1, narrow ones sign- or zero-extended);
 *  - 64-bit integers: i64; float32: f32; float64: f64;
 *  - float16 and bfloat16: their 16 bits in an i32, widened where arithmetic needs them, so that moving
 *    a value never touches its bits.
 */
import { type Bits, type DType, isSigned, itemSize } from "@gridfuse/plan";
import type { Code, ValueType } from "./code.ts";
import type { MemoryOp } from "./opcodes.ts";

export function heldType(dtype: DType): ValueType {
  switch (dtype) {
    case "int64":
    case "uint64":
      return "i64";
    case "float32":
      return "f32";
    case "float64":
      return "f64";
    default:
      return "i32";
  }
}

export const isHalf = (dtype: DType): dtype is "float16" | "bfloat16" =>
  dtype === "float16" || dtype === "bfloat16";

export function loadOp(dtype: DType): MemoryOp {
  const type = heldType(dtype);
  if (type !== "i32" || itemSize(dtype) === 4) return `${type}.load` as MemoryOp;
  const sign = isSigned(dtype) ? "s" : "u";
  return itemSize(dtype) === 1 ? `i32.load8_${sign}` : `i32.load16_${sign}`;
}

export function storeOp(dtype: DType): MemoryOp {
  const type = heldType(dtype);
  if (type !== "i32" || itemSize(dtype) === 4) return `${type}.store` as MemoryOp;
  return itemSize(dtype) === 1 ? "i32.store8" : "i32.store16";
}

/** Pushes an immediate. */
export function pushConst(code: Code, dtype: DType, { lo, hi }: Bits): void {
  switch (dtype) {
    case "int64":
    case "uint64":
      code.i64((BigInt(hi) << 32n) | BigInt(lo));
      return;
    case "float32":
      code.f32Bits(lo);
      return;
    case "float64":
      code.f64Bits(lo, hi);
      return;
    case "int8":
      code.i32((lo << 24) >> 24);
      return;
    case "int16":
      code.i32((lo << 16) >> 16);
      return;
    case "int32":
    case "uint32":
      code.i32(lo);
      return;
    default:
      code.i32(lo & (itemSize(dtype) === 1 ? 0xff : 0xffff));
  }
}

/** Brings the i32 on the stack back into the range of a narrow integer dtype. */
export function normalise(code: Code, dtype: DType): void {
  switch (dtype) {
    case "int8":
      code.op("i32.extend8_s");
      return;
    case "int16":
      code.op("i32.extend16_s");
      return;
    case "uint8":
      code.i32(0xff).op("i32.and");
      return;
    case "uint16":
      code.i32(0xffff).op("i32.and");
      return;
    default:
  }
}

/** The 32-bit lane of a vector that holds an immediate; bool lanes are masks. */
export function laneWord(dtype: DType, { lo }: Bits): number {
  switch (dtype) {
    case "bool":
      return lo === 0 ? 0 : 0xffffffff;
    case "int8":
      return ((lo << 24) >> 24) >>> 0;
    case "int16":
      return ((lo << 16) >> 16) >>> 0;
    default:
      return lo;
  }
}

export type Words = readonly [number, number, number, number];

/** The vector whose lanes all hold an immediate. */
export function laneWords(dtype: DType, bits: Bits): Words {
  if (itemSize(dtype) === 8) return [bits.lo, bits.hi, bits.lo, bits.hi];
  const word = laneWord(dtype, bits);
  return [word, word, word, word];
}

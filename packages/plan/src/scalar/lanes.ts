/**
 * Lanes: many values of one dtype, in the form in which plain JS computes on them.
 *
 * That is the in-memory form, except that float16 and bfloat16 are widened: their lanes are float32
 * values that the 16-bit format can hold. Copies between the two keep every bit of a float32 or
 * float64, NaN payloads included, because they never pass through a JS number.
 */
import { bf16Bits, bf16FromBits, f16Bits, f16FromBits } from "../bits.ts";
import { type DType, type StorageArray, storageArray } from "../dtype.ts";

/** Lanes of every dtype but the 64-bit integers: their elements are JS numbers, bool is 0 or 1. */
export type NumberLanes =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;
/** Lanes of int64 and uint64. */
export type BigLanes = BigInt64Array | BigUint64Array;
export type Lanes = NumberLanes | BigLanes;

/** n zero lanes of `dtype`. */
export function lanes(dtype: DType, n: number): Lanes {
  return dtype === "float16" || dtype === "bfloat16" ? new Float32Array(n) : storageArray(dtype, n);
}

/** Elements start … start + n − 1 of an array in in-memory form, as fresh lanes. */
export function loadLanes(dtype: DType, storage: StorageArray, start: number, n: number): Lanes {
  if (dtype !== "float16" && dtype !== "bfloat16") return storage.slice(start, start + n);
  const fromBits = dtype === "float16" ? f16FromBits : bf16FromBits;
  const loaded = new Float32Array(n);
  for (let i = 0; i < n; i++) loaded[i] = fromBits(storage[start + i] as number);
  return loaded;
}

/** Writes the first n lanes (default: all) to elements start … of an array in in-memory form. */
export function storeLanes(
  dtype: DType,
  from: Lanes,
  storage: StorageArray,
  start: number,
  n: number = from.length,
): void {
  if (dtype !== "float16" && dtype !== "bfloat16") {
    // The same class on both sides, so `set` is a copy of bytes.
    (storage as Uint8Array).set(
      (n === from.length ? from : from.subarray(0, n)) as Uint8Array,
      start,
    );
    return;
  }
  const toBits = dtype === "float16" ? f16Bits : bf16Bits;
  for (let i = 0; i < n; i++) storage[start + i] = toBits(from[i] as number);
}

/** The same lanes as 32-bit words: one for a float32, two for a float64. */
export const wordsOf = (of: Float32Array | Float64Array): Uint32Array =>
  new Uint32Array(of.buffer, of.byteOffset, of.byteLength / 4);

/** Rounds float32 lanes in place to the nearest float16 or bfloat16, ties to even. */
export function roundLanes(dtype: DType, of: Float32Array, n: number): void {
  if (dtype === "bfloat16") roundToBfloat16(wordsOf(of), n);
  else if (dtype === "float16") roundToFloat16(of, n);
}

function roundToBfloat16(words: Uint32Array, n: number): void {
  for (let i = 0; i < n; i++) {
    const word = words[i] as number;
    const holdsNaN = (word & 0x7fffffff) > 0x7f800000;
    words[i] = holdsNaN ? word | 0x400000 : (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  }
}

function roundToFloat16(of: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) of[i] = f16FromBits(f16Bits(of[i] as number));
}

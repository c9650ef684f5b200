/**
 * `convert` and `bitcast` on lanes.
 *
 * Conversions round once, whatever lies between: a 64-bit integer on its way to a short float is
 * first rounded to odd in 52 bits, so that the second rounding cannot see a false tie (Boldo &
 * Melquiond 2005). The one exception is what node.ts says of 16-bit floats, that their nodes compute
 * in float32: an integer becomes a float32 before it becomes a float16 or a bfloat16.
 */
import { bf16Bits, bf16FromBits, f16Bits, f16FromBits } from "../../bits.ts";
import { bitsDType, type DType, isFloat, isSigned, itemSize, kindOf } from "../../dtype.ts";
import {
  type BigLanes,
  type Lanes,
  lanes,
  type NumberLanes,
  roundLanes,
  wordsOf,
} from "../lanes.ts";

const is64 = (x: Lanes): x is BigLanes => x instanceof BigInt64Array || x instanceof BigUint64Array;

/** Value conversion of n lanes. */
export function convertLanes(x: Lanes, from: DType, out: Lanes, to: DType, n: number): void {
  if (to === "bool") toBool(x, out as Uint8Array, n);
  else if (isFloat(to)) toFloat(x, from, out as Float32Array | Float64Array, to, n);
  else if (isFloat(from)) floatToInteger(x as NumberLanes, out, to, n);
  else integerToInteger(x, out, n);
}

function toBool(x: Lanes, out: Uint8Array, n: number): void {
  // NaN equals nothing, so it is true.
  for (let i = 0; i < n; i++) out[i] = Number(x[i]) === 0 ? 0 : 1;
}

function toFloat(
  x: Lanes,
  from: DType,
  out: Float32Array | Float64Array,
  to: DType,
  n: number,
): void {
  if (is64(x)) {
    for (let i = 0; i < n; i++) {
      out[i] = to === "float64" ? Number(x[i]) : nearestIsStillOpen(x[i] as bigint);
    }
  } else if (from === "float64" && itemSize(to) === 2) {
    const round =
      to === "float16"
        ? (value: number) => f16FromBits(f16Bits(value))
        : (value: number) => bf16FromBits(bf16Bits(value));
    for (let i = 0; i < n; i++) out[i] = round(x[i] as number);
    return;
  } else {
    for (let i = 0; i < n; i++) out[i] = x[i] as number;
  }
  if (itemSize(to) === 2) roundLanes(to, out as Float32Array, n);
}

/** A float64 that rounds to float32 exactly as x itself does: x to odd in 52 bits. */
function nearestIsStillOpen(x: bigint): number {
  const magnitude = x < 0n ? -x : x;
  if (magnitude < 2n ** 53n) return Number(x);
  const odd = (magnitude >> 12n) | ((magnitude & 0xfffn) === 0n ? 0n : 1n);
  return Number(x < 0n ? -odd : odd) * 2 ** 12;
}

function floatToInteger(x: NumberLanes, out: Lanes, to: DType, n: number): void {
  const bits = itemSize(to) * 8;
  const min = isSigned(to) ? -(2 ** (bits - 1)) : 0;
  const beyond = isSigned(to) ? 2 ** (bits - 1) : 2 ** bits; // MAX + 1, a float even of 64 bits
  if (is64(out)) {
    const max = BigInt(beyond) - 1n;
    for (let i = 0; i < n; i++) {
      const value = Math.trunc(x[i] as number);
      out[i] = value >= beyond ? max : BigInt(value > min ? value : value <= min ? min : 0);
    }
  } else {
    for (let i = 0; i < n; i++) {
      const value = x[i] as number;
      out[i] = value >= beyond ? beyond - 1 : value > min ? value : value <= min ? min : 0;
    }
  }
}

function integerToInteger(x: Lanes, out: Lanes, n: number): void {
  if (is64(out)) {
    if (is64(x)) for (let i = 0; i < n; i++) out[i] = x[i] as bigint;
    else for (let i = 0; i < n; i++) out[i] = BigInt(x[i] as number);
  } else if (is64(x)) {
    for (let i = 0; i < n; i++) out[i] = Number(BigInt.asUintN(32, x[i] as bigint));
  } else {
    for (let i = 0; i < n; i++) out[i] = x[i] as number;
  }
}

/** Reinterprets n lanes as another dtype of the same width. A NaN gives the canonical quiet NaN. */
export function bitcastLanes(x: Lanes, from: DType, out: Lanes, to: DType, n: number): void {
  const middle = lanes(bitsDType(from), n);
  encode(x, from, middle, n);
  decode(middle, out, to, n);
}

/** Lanes to their bit patterns. */
function encode(x: Lanes, from: DType, bits: Lanes, n: number): void {
  switch (from) {
    case "float16":
    case "bfloat16": {
      const toBits = from === "float16" ? f16Bits : bf16Bits;
      const quiet = from === "float16" ? 0x7e00 : 0x7fc0;
      for (let i = 0; i < n; i++) {
        const value = x[i] as number;
        bits[i] = Number.isNaN(value) ? quiet : toBits(value);
      }
      return;
    }
    case "float32": {
      const words = wordsOf(x as Float32Array);
      for (let i = 0; i < n; i++) {
        const word = words[i] as number;
        bits[i] = (word & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : word;
      }
      return;
    }
    case "float64": {
      const words = new BigUint64Array(x.buffer, x.byteOffset, n);
      for (let i = 0; i < n; i++) {
        bits[i] = Number.isNaN(x[i] as number) ? 0x7ff8000000000000n : (words[i] as bigint);
      }
      return;
    }
    default:
      for (let i = 0; i < n; i++) bits[i] = x[i] as number;
  }
}

/** Bit patterns to lanes. */
function decode(bits: Lanes, out: Lanes, to: DType, n: number): void {
  if (kindOf(to) === "bool") {
    toBool(bits, out as Uint8Array, n);
  } else if (to === "float16" || to === "bfloat16") {
    const fromBits = to === "float16" ? f16FromBits : bf16FromBits;
    for (let i = 0; i < n; i++) out[i] = fromBits(bits[i] as number);
  } else if (to === "float32") {
    wordsOf(out as Float32Array).set((bits as Uint32Array).subarray(0, n));
  } else if (to === "float64") {
    new BigUint64Array(out.buffer, out.byteOffset, n).set((bits as BigUint64Array).subarray(0, n));
  } else {
    for (let i = 0; i < n; i++) out[i] = bits[i] as number;
  }
}

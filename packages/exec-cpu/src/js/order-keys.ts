/**
 * Keys whose unsigned order is the order that `sort` and `topk` want: −0 equals +0, all NaNs are equal and
 * come last. A key is one 32-bit word, or two (high, low) for 64-bit dtypes.
 *
 * Floats by the usual trick: the bits of a non-negative float order as integers, those of a negative one
 * the other way round.
 */
import { type DType, isSigned, itemSize, kindOf, type StorageArray } from "@gridfuse/plan";

/** Words from the most to the least significant. */
export type OrderKeys = readonly Uint32Array[];

const last = 0xffffffff;

/** Keys of elements start, start + stride, … of an array in in-memory form. */
export function orderKeys(
  dtype: DType,
  data: StorageArray,
  start: number,
  stride: number,
  count: number,
): OrderKeys {
  if (itemSize(dtype) === 8) return wideKeys(dtype, data, start, stride, count);
  const keys = new Uint32Array(count);
  if (kindOf(dtype) === "float") {
    const bits = itemSize(dtype) * 8;
    const words =
      bits === 32
        ? new Uint32Array(data.buffer, data.byteOffset, data.length)
        : (data as Uint16Array);
    const shift = 32 - bits;
    const infinity = dtype === "float16" ? 0x7c000000 : 0x7f800000;
    for (let i = 0; i < count; i++) {
      const word = ((words[start + i * stride] as number) << shift) >>> 0;
      const magnitude = word & 0x7fffffff;
      if (magnitude > infinity) keys[i] = last;
      else if (magnitude === 0) keys[i] = 0x80000000;
      else keys[i] = word >>> 31 ? ~word : word | 0x80000000;
    }
    return [keys];
  }
  const flip = isSigned(dtype) ? 0x80000000 : 0;
  for (let i = 0; i < count; i++) keys[i] = (data[start + i * stride] as number) ^ flip;
  return [keys];
}

function wideKeys(
  dtype: DType,
  data: StorageArray,
  start: number,
  stride: number,
  count: number,
): OrderKeys {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length * 2);
  const high = new Uint32Array(count);
  const low = new Uint32Array(count);
  const isFloat = dtype === "float64";
  const flip = dtype === "int64" ? 0x80000000 : 0;
  for (let i = 0; i < count; i++) {
    const at = 2 * (start + i * stride);
    const lo = words[at] as number;
    const hi = words[at + 1] as number;
    if (!isFloat) {
      high[i] = hi ^ flip;
      low[i] = lo;
      continue;
    }
    const magnitude = hi & 0x7fffffff;
    if (magnitude > 0x7ff00000 || (magnitude === 0x7ff00000 && lo !== 0)) {
      high[i] = last;
      low[i] = last;
    } else if (magnitude === 0 && lo === 0) {
      high[i] = 0x80000000;
    } else {
      high[i] = hi >>> 31 ? ~hi : hi | 0x80000000;
      low[i] = hi >>> 31 ? ~lo : lo;
    }
  }
  return [high, low];
}

/** The same keys in descending order. */
export function reversed(keys: OrderKeys): OrderKeys {
  for (const words of keys) for (let i = 0; i < words.length; i++) words[i] = ~(words[i] as number);
  return keys;
}

const insertionLimit = 48;

/**
 * The stable order of `count` elements by their keys, as a permutation: radix sort by bytes from the least
 * significant up (passes in which all bytes are equal are skipped), insertion where there are few.
 */
export function stableOrder(keys: OrderKeys, count: number): Uint32Array {
  let order = Uint32Array.from({ length: count }, (_, i) => i);
  if (count <= insertionLimit) {
    insertionSort(keys, order);
    return order;
  }
  let spare = new Uint32Array(count);
  const counts = new Uint32Array(256);
  for (const words of [...keys].reverse()) {
    for (let shift = 0; shift < 32; shift += 8) {
      counts.fill(0);
      for (let i = 0; i < count; i++) {
        const digit = ((words[i] as number) >>> shift) & 255;
        counts[digit] = (counts[digit] as number) + 1;
      }
      if (counts.includes(count)) continue;
      let place = 0;
      for (let digit = 0; digit < 256; digit++) {
        const here = counts[digit] as number;
        counts[digit] = place;
        place += here;
      }
      for (let i = 0; i < count; i++) {
        const element = order[i] as number;
        const digit = ((words[element] as number) >>> shift) & 255;
        const to = counts[digit] as number;
        counts[digit] = to + 1;
        spare[to] = element;
      }
      [order, spare] = [spare, order];
    }
  }
  return order;
}

function insertionSort(keys: OrderKeys, order: Uint32Array): void {
  for (let i = 1; i < order.length; i++) {
    const element = order[i] as number;
    let j = i;
    for (; j > 0 && isBefore(keys, element, order[j - 1] as number); j--) {
      order[j] = order[j - 1] as number;
    }
    order[j] = element;
  }
}

function isBefore(keys: OrderKeys, a: number, b: number): boolean {
  for (const words of keys) {
    const x = words[a] as number;
    const y = words[b] as number;
    if (x !== y) return x < y;
  }
  return false;
}

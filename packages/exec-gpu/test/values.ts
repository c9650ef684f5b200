import {
  type DType,
  f32FromBits,
  isFloat,
  itemSize,
  type StorageArray,
  storageArray,
} from "@gridfuse/plan";

/** Bit patterns at which an op may go wrong: zeros, ends of ranges, subnormals, infinities, NaNs, ties. */
const floatPatterns = {
  float32: [
    0x00000000, 0x00000001, 0x00000002, 0x007fffff, 0x00800000, 0x00800001, 0x0d7fffff, 0x0d800000,
    0x20000000, 0x33000000, 0x3effffff, 0x3f000000, 0x3f000001, 0x3f7fffff, 0x3f800000, 0x3fc00000,
    0x40200000, 0x40490fdb, 0x437f8000, 0x46fffe00, 0x477fefff, 0x477ff000, 0x4b000001, 0x4b800000,
    0x4effffff, 0x4f000000, 0x4f7fffff, 0x4f800000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000,
    0x33ffffff, 0x38800000, 0x387fffff, 0x387fe000,
  ],
  float16: [
    0x0000, 0x0001, 0x0002, 0x03ff, 0x0400, 0x3800, 0x3bff, 0x3c00, 0x3c01, 0x4100, 0x4248, 0x6400,
    0x7800, 0x7bff, 0x7c00, 0x7c01, 0x7e00,
  ],
  bfloat16: [
    0x0000, 0x0001, 0x007f, 0x0080, 0x3f00, 0x3f7f, 0x3f80, 0x4020, 0x4049, 0x4b00, 0x4f00, 0x7f7f,
    0x7f80, 0x7f81, 0x7fc0,
  ],
} as const;

/** A small generator of words, so that tests see the same values everywhere (xorshift32, Marsaglia 2003). */
export function words(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function patterns(dtype: DType): number[] {
  const width = itemSize(dtype) * 8;
  if (dtype === "bool") return [0, 1];
  const sign = 2 ** (width - 1);
  if (isFloat(dtype)) {
    const positive = floatPatterns[dtype as keyof typeof floatPatterns];
    return positive.flatMap((bits) => [bits, bits + sign]);
  }
  const small = [0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33];
  return [...small, sign - 2, sign - 1, sign, sign + 1, 2 * sign - 2, 2 * sign - 1];
}

const unsigned = { 1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64" } as const;

/** Two columns of `dtype`: all pairs of special values, then `more` random pairs. */
export function pairs(dtype: DType, more: number): { x: StorageArray; y: StorageArray } {
  const special = patterns(dtype);
  const next = words(itemSize(dtype) * 7919);
  const random = (): number => {
    const word = next();
    if (dtype === "bool") return word & 1;
    if (dtype !== "float32") return word % 2 ** (8 * itemSize(dtype));
    // Exponents near each other meet more often than random ones would.
    return word % 3 === 0 ? word : ((word & 0x807fffff) | ((120 + (word % 17)) << 23)) >>> 0;
  };
  const columns: [number, number][] = special.flatMap((a) =>
    special.map((b): [number, number] => [a, b]),
  );
  for (let i = 0; i < more; i++) columns.push([random(), random()]);
  const column = (which: 0 | 1): StorageArray => {
    const bits = storageArray(unsigned[itemSize(dtype)], columns.length);
    columns.forEach((pair, i) => {
      bits[i] = pair[which];
    });
    return storageArray(dtype, bits.buffer, 0, columns.length);
  };
  return { x: column(0), y: column(1) };
}

/** The bit patterns of an array, all NaNs made one: what two executors must agree on. */
export function comparable(dtype: DType, data: StorageArray): number[] {
  const bits = storageArray(unsigned[itemSize(dtype)], data.buffer, data.byteOffset, data.length);
  const [nan, infinity] = {
    float32: [0x7fc00000, 0x7f800000],
    float16: [0x7e00, 0x7c00],
    bfloat16: [0x7fc0, 0x7f80],
  }[dtype as "float32"] ?? [0, Number.POSITIVE_INFINITY];
  const magnitude = 2 ** (8 * itemSize(dtype) - 1);
  return Array.from(bits as Uint32Array, (word) =>
    word % magnitude > (infinity as number) ? (nan as number) : word,
  );
}

export const showFloat = (bits: number): string => `${f32FromBits(bits)} (${bits.toString(16)})`;

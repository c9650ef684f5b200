/**
 * Tensors to try programs on: deterministic from a seed, with a liking for the awkward values.
 */
import {
  type DType,
  dtypes,
  fromBits,
  isFloat,
  isSigned,
  itemSize,
  type ScalarValue,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";

/** Numbers in [0, 2³²), the same for the same seed on every machine (Mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  /** A whole number in [0, n). */
  below(n: number): number {
    return Math.floor((this.word() / 2 ** 32) * n);
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

const specialFloats: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  3,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  2 ** -14,
  2 ** -24,
  2 ** -126,
  -(2 ** -130),
  2 ** -149,
  5e-324,
  65504,
  3.4028234663852886e38,
  1e300,
  Math.PI,
];

function specialIntegers(dtype: DType): readonly bigint[] {
  const width = BigInt(itemSize(dtype) * 8);
  const top = 1n << (width - 1n);
  return isSigned(dtype)
    ? [0n, 1n, -1n, 2n, 3n, -top, top - 1n, -top + 1n, 7n]
    : [0n, 1n, 2n, 3n, top, 2n * top - 1n, 2n * top - 2n, 7n];
}

/** wild: special values and any bits. tame: small numbers on which sums and products are exact. */
export type Style = "wild" | "tame";

function element(dtype: DType, style: Style, random: Random): ScalarValue {
  if (dtype === "bool") return random.below(2) === 1;
  const small = random.below(isFloat(dtype) || isSigned(dtype) ? 9 : 5);
  const signed = isFloat(dtype) || isSigned(dtype) ? small - 4 : small;
  if (style === "tame") return itemSize(dtype) === 8 && !isFloat(dtype) ? BigInt(signed) : signed;
  switch (random.below(4)) {
    case 0:
      return isFloat(dtype) ? random.pick(specialFloats) : random.pick(specialIntegers(dtype));
    case 1:
      return fromBits(dtype, bitsFor(dtype, random));
    case 2:
      return isFloat(dtype) ? (random.word() / 2 ** 32 - 0.5) * 20 : signed;
    default:
      return signed;
  }
}

function bitsFor(dtype: DType, random: Random): { lo: number; hi: number } {
  const width = itemSize(dtype) * 8;
  const lo = width >= 32 ? random.word() : random.word() >>> (32 - width);
  return { lo, hi: width === 64 ? random.word() : 0 };
}

/** A tensor of elements in the given style. */
export function randomTensor(
  dtype: DType,
  shape: readonly number[],
  random: Random,
  style: Style = "wild",
): HostTensor {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: count }, () => element(dtype, style, random)),
  );
}

export const allDTypes: readonly DType[] = dtypes;

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bf16Bits,
  bf16FromBits,
  f16Bits,
  f16FromBits,
  f32Bits,
  f32FromBits,
  fromBits,
  toBits,
} from "../src/bits.ts";
import { type DType, dtypes, isFloat, itemSize } from "../src/dtype.ts";

interface Format {
  readonly name: string;
  readonly fraction: number;
  readonly exponentBits: number;
  readonly encode: (value: number) => number;
  readonly decode: (bits: number) => number;
}
const formats: Format[] = [
  { name: "float16", fraction: 10, exponentBits: 5, encode: f16Bits, decode: f16FromBits },
  { name: "bfloat16", fraction: 7, exponentBits: 8, encode: bf16Bits, decode: bf16FromBits },
];

/** The value of a bit pattern, by the definition of IEEE 754 §3.4. */
function valueOfPattern({ fraction, exponentBits }: Format, bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >> fraction;
  const trailing = bits & (2 ** fraction - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) return trailing === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * trailing * 2 ** (1 - bias - fraction);
  return sign * (2 ** fraction + trailing) * 2 ** (exponent - bias - fraction);
}

/** Numerator of a finite float64 over the denominator 2^1074. */
function exactly(value: number): bigint {
  const bits = new BigUint64Array(new Float64Array([Math.abs(value)]).buffer)[0] as bigint;
  const exponent = bits >> 52n;
  const trailing = bits & ((1n << 52n) - 1n);
  const magnitude = exponent === 0n ? trailing : ((1n << 52n) | trailing) << (exponent - 1n);
  return value < 0 ? -magnitude : magnitude;
}

/** Nearest pattern, ties to even, found by comparing exact distances to the neighbours. */
function nearestPattern(format: Format, value: number): number {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const target = exactly(Math.abs(value));
  const infinity = (2 ** format.exponentBits - 1) << format.fraction;
  // Patterns of one sign are ordered as their values; find the last one that is not above.
  let low = 0;
  let high = infinity;
  const at = (bits: number): bigint =>
    bits === infinity
      ? 2n * exactly(valueOfPattern(format, infinity - 1)) - at(infinity - 2)
      : exactly(valueOfPattern(format, bits));
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at(middle) <= target) low = middle;
    else high = middle;
  }
  const below = target - at(low);
  const above = at(high) - target;
  const up = above < below || (above === below && low % 2 === 1);
  return sign | (up ? high : low);
}

describe.each(formats)("$name", (format) => {
  const patterns = Array.from({ length: 65536 }, (_, bits) => bits);

  it("decodes all 65536 patterns to the values of the standard", () => {
    const wrong = patterns.filter(
      (bits) => !Object.is(format.decode(bits), valueOfPattern(format, bits)),
    );
    expect(wrong).toEqual([]);
  });

  it("encodes every value back to its own pattern, and NaN to a quiet NaN", () => {
    const wrong = patterns.filter((bits) => {
      const value = format.decode(bits);
      const encoded = format.encode(value);
      return Number.isNaN(value) ? !Number.isNaN(format.decode(encoded)) : encoded !== bits;
    });
    expect(wrong).toEqual([]);
  });

  it("rounds between all neighbours: halves to even, a hair more or less to the nearer", () => {
    const infinity = (2 ** format.exponentBits - 1) << format.fraction;
    const wrong = patterns.slice(0, infinity - 1).filter((bits) => {
      const middle = (format.decode(bits) + format.decode(bits + 1)) / 2;
      const hair = middle * 2 ** -52;
      return (
        format.encode(middle) !== bits + (bits & 1) ||
        format.encode(middle + hair) !== bits + 1 ||
        format.encode(middle - hair) !== bits ||
        format.encode(-middle - hair) !== 0x8000 + bits + 1
      );
    });
    expect(wrong).toEqual([]);
  });

  it("overflows to infinity from half an ulp above the largest number", () => {
    const infinity = (2 ** format.exponentBits - 1) << format.fraction;
    const largest = valueOfPattern(format, infinity - 1);
    const tie = largest + (largest - valueOfPattern(format, infinity - 2)) / 2;
    expect(format.encode(tie)).toBe(infinity);
    expect(format.encode(tie * (1 - 2 ** -53))).toBe(infinity - 1);
    expect(format.encode(-Infinity)).toBe(infinity | 0x8000);
  });

  it("rounds any float64 once, to the nearest", () => {
    const exponents = fc.integer({ min: -170, max: 140 });
    const values = fc
      .tuple(fc.double({ min: 1, max: 2, noNaN: true }), exponents, fc.boolean())
      .map(
        ([significand, exponent, negative]) => (negative ? -1 : 1) * significand * 2 ** exponent,
      );
    fc.assert(
      fc.property(values, (value) => {
        expect(format.encode(value)).toBe(nearestPattern(format, value));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("float32 bits", () => {
  it("round trip", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        expect(f32FromBits(f32Bits(value))).toBe(value);
      }),
    );
    expect(f32Bits(-0)).toBe(0x80000000);
    expect(f32Bits(1)).toBe(0x3f800000);
  });
});

describe("toBits and fromBits", () => {
  const integers = dtypes.filter((dtype) => !isFloat(dtype) && dtype !== "bool");

  it.each(integers)("wrap integers modulo the width of %s", (dtype) => {
    const width = itemSize(dtype) * 8;
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }), (value) => {
        const expected = dtype.startsWith("u")
          ? BigInt.asUintN(width, value)
          : BigInt.asIntN(width, value);
        const back = fromBits(dtype, toBits(dtype, value));
        expect(BigInt(back)).toBe(expected);
        expect(typeof back).toBe(width === 64 ? "bigint" : "number");
      }),
    );
  });

  it("zero-extend to 64 bits", () => {
    expect(toBits("int8", -1)).toEqual({ lo: 0xff, hi: 0 });
    expect(toBits("int64", -1)).toEqual({ lo: 0xffffffff, hi: 0xffffffff });
    expect(toBits("float16", -2)).toEqual({ lo: 0xc000, hi: 0 });
    expect(toBits("float64", -0)).toEqual({ lo: 0, hi: 0x80000000 });
    expect(toBits("bool", true)).toEqual({ lo: 1, hi: 0 });
  });

  it("give back what a float dtype can hold", () => {
    const held: [DType, number][] = [
      ["float16", 65504],
      ["bfloat16", 2 ** 127],
      ["float32", 2 ** -149],
      ["float64", 5e-324],
      ["float64", -0],
      ["float32", -Infinity],
    ];
    for (const [dtype, value] of held) expect(fromBits(dtype, toBits(dtype, value))).toBe(value);
  });
});

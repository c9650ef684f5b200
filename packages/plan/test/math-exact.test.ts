/** Functions that are exact by construction, and the series behind the constants. */
import { describe, expect, it } from "vitest";
import {
  type DType,
  evaluateScalar,
  fromBits,
  math,
  type Scalar,
  ScalarBuilder,
  type ScalarValue,
  toBits,
} from "../src/scalar/index.ts";
import { cut, ln2Bits, piBits } from "../src/scalar/math/fixed-point.ts";

const inf = Infinity;
const nan = Number.NaN;

const compute = (build: (b: ScalarBuilder) => Scalar): ScalarValue | undefined => {
  const b = new ScalarBuilder();
  const result = build(b);
  return evaluateScalar(b.nodes, () => 0)[result];
};

describe("integerPow", () => {
  const power = (dtype: DType, x: ScalarValue, exponent: number): ScalarValue | undefined =>
    compute((b) => math.integerPow(b, b.const(dtype, x), exponent));

  it("multiplies from the lowest bit of the exponent", () => {
    expect(power("int32", -3, 5)).toBe(-243);
    expect(power("uint64", 3n, 40)).toBe(3n ** 40n);
    expect(power("int8", 2, 7)).toBe(-128);
    expect(power("float32", 1.1, 2)).toBe(Math.fround(Math.fround(1.1) ** 2));
    expect(power("float64", -2, -3)).toBe(-0.125);
    expect(power("float32", nan, 0)).toBe(1);
    expect(power("float32", 0, -1)).toBe(inf);
    const b = new ScalarBuilder();
    math.integerPow(b, b.argument("float32", 0), 13);
    expect(b.nodes.filter((node) => node.op === "mul")).toHaveLength(5);
  });
});

describe("nextafter", () => {
  const next = (dtype: DType, x: number, y: number): ScalarValue | undefined =>
    compute((b) => math.nextafter(b, b.const(dtype, x), b.const(dtype, y)));

  it.each(["float16", "bfloat16", "float32", "float64"] as const)("steps along %s", (dtype) => {
    const step = (x: number, by: bigint): number => {
      const { lo, hi } = toBits(dtype, x);
      const moved = ((BigInt(hi) << 32n) | BigInt(lo)) + by;
      return Number(fromBits(dtype, { lo: Number(moved & 0xffffffffn), hi: Number(moved >> 32n) }));
    };
    expect(next(dtype, 1.5, 2)).toBe(step(1.5, 1n));
    expect(next(dtype, 1.5, -inf)).toBe(step(1.5, -1n));
    expect(next(dtype, -1.5, 2)).toBe(step(-1.5, -1n));
    expect(next(dtype, -1.5, -2)).toBe(step(-1.5, 1n));
    const smallest = Number(fromBits(dtype, { lo: 1, hi: 0 }));
    expect(next(dtype, 0, 1)).toBe(smallest);
    expect(next(dtype, -0, -1)).toBe(-smallest);
    expect(next(dtype, smallest, 0)).toBe(0);
    expect(next(dtype, -smallest, 0)).toBe(-0);
    expect(next(dtype, 0, -0)).toBe(-0);
    expect(next(dtype, 3, 3)).toBe(3);
    expect(next(dtype, nan, 3)).toBe(nan);
    expect(next(dtype, 3, nan)).toBe(nan);
    expect(next(dtype, -inf, 0)).toBe(-Number(next(dtype, inf, 0)));
    expect(next(dtype, Number(next(dtype, inf, 0)), inf)).toBe(inf);
  });
});

describe("reducePrecision", () => {
  const reduce = (dtype: DType, x: number, exponent: number, mantissa: number): number =>
    Number(compute((b) => math.reducePrecision(b, b.const(dtype, x), exponent, mantissa)));

  it("is a no-op at the format's own widths", () => {
    for (const x of [1.1, -0, 2 ** -149, inf, nan]) {
      expect(reduce("float32", x, 8, 23)).toBe(Math.fround(x));
      expect(reduce("float64", x, 11, 52)).toBe(x);
    }
  });

  it("rounds as a conversion to bfloat16 and back, ties to even", () => {
    for (const x of [1, 1.00390625, 1.01171875, 1.0039063, -3.3, 1e38, 3.4e38, -inf, 0, -0]) {
      const expected = Number(fromBits("bfloat16", toBits("bfloat16", Math.fround(x))));
      expect(reduce("float32", x, 8, 7)).toBe(expected);
    }
  });

  it("overflows to infinity and flushes what would be subnormal", () => {
    expect(reduce("float32", 65519, 5, 10)).toBe(65504);
    expect(reduce("float32", 65520, 5, 10)).toBe(inf);
    expect(reduce("float32", -1e30, 5, 10)).toBe(-inf);
    expect(reduce("float64", 2 ** -14, 5, 10)).toBe(2 ** -14);
    expect(reduce("float64", -(2 ** -15), 5, 10)).toBe(-0);
    expect(reduce("float32", nan, 5, 2)).toBe(nan);
    expect(reduce("float16", 1.5, 5, 0)).toBe(2);
  });
});

describe("isFinite", () => {
  const finite = (dtype: DType, x: number): ScalarValue | undefined =>
    compute((b) => math.isFinite(b, b.const(dtype, x)));

  it("tells numbers from infinities and NaN", () => {
    expect([1, -0, 65504].map((x) => finite("float16", x))).toEqual([true, true, true]);
    expect([inf, -inf, nan].map((x) => finite("float64", x))).toEqual([false, false, false]);
    expect(finite("int32", 5)).toBe(true);
  });
});

describe("functions of floats", () => {
  it("refuse other operands", () => {
    const b = new ScalarBuilder();
    expect(() => math.exp(b, b.const("int32", 1))).toThrow(/GF2902.*int32/);
    expect(() => math.pow(b, b.const("float32", 1), b.const("float64", 1))).toThrow(/GF2902/);
  });
});

describe("constants from their series", () => {
  it("agree with Math", () => {
    expect(Number(piBits(60)) / 2 ** 60).toBe(Math.PI);
    expect(Number(ln2Bits(60)) / 2 ** 60).toBe(Math.LN2);
    // The hexadecimal digits of π.
    expect(piBits(100).toString(16)).toBe("3243f6a8885a308d313198a2e0");
  });

  it("are cut into pieces that sum to them", () => {
    const parts = cut(piBits(200), 200, [12, 12, 12, 24]);
    expect(parts.map((part) => part === Math.fround(part))).toEqual([true, true, true, true]);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(Math.PI);
    expect(((parts[0] as number) * 2 ** 10) % 1).toBe(0);
  });
});

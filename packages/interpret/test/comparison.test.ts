import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTensors, sameBits, tensorOf, ulpDistance } from "../src/index.ts";
import { vector } from "./support/apply.ts";

describe("sameBits", () => {
  it("tells the zeros apart and takes all NaNs for one", () => {
    expect(sameBits(vector("float32", 0), vector("float32", -0))).toBe(false);
    const other = { dtype: "float32", shape: [1], data: new Float32Array(1) } as const;
    new Uint32Array(other.data.buffer)[0] = 0xffc00007;
    expect(sameBits(vector("float32", Number.NaN), other)).toBe(true);
    expect(sameBits(vector("float32", 1), other)).toBe(false);
  });
  it("tells shapes and dtypes apart", () => {
    expect(sameBits(vector("int32", 1), tensorOf("int32", [], [1]))).toBe(false);
    expect(sameBits(vector("int32", 1), vector("uint32", 1))).toBe(false);
  });
  it("compares 64-bit integers and 16-bit floats", () => {
    expect(sameBits(vector("int64", 2n ** 60n), vector("int64", 2n ** 60n + 1n))).toBe(false);
    expect(sameBits(vector("float16", 1.5), vector("float16", 1.5))).toBe(true);
  });
});

describe("ulpDistance", () => {
  it("counts representable values in between", () => {
    expect(ulpDistance("float32", 1, 1 + 2 ** -23)).toBe(1);
    expect(ulpDistance("float64", 1, 1 - 2 ** -53)).toBe(1);
    expect(ulpDistance("float16", 1, 1 + 2 ** -10)).toBe(1);
    expect(ulpDistance("float16", 0, 2 ** -24)).toBe(1);
    expect(ulpDistance("float16", 65504, Infinity)).toBe(1);
    expect(ulpDistance("bfloat16", 1, 1 + 2 ** -7)).toBe(1);
    expect(ulpDistance("int32", -3, 4)).toBe(7);
  });
  it("passes through zero, where −0 and +0 are one", () => {
    expect(ulpDistance("float32", -0, 0)).toBe(0);
    expect(ulpDistance("float32", -(2 ** -149), 2 ** -149)).toBe(2);
  });
  it("has NaN infinitely far from every number and at NaN", () => {
    expect(ulpDistance("float32", Number.NaN, 1)).toBe(Infinity);
    expect(ulpDistance("float32", Number.NaN, Number.NaN)).toBe(0);
  });
  it("is a metric on a line", () => {
    const value = fc.float({ noNaN: true });
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        const [low, middle, high] = [a, b, c].sort((x, y) => x - y) as [number, number, number];
        expect(ulpDistance("float32", low, high)).toBe(
          ulpDistance("float32", low, middle) + ulpDistance("float32", middle, high),
        );
        expect(ulpDistance("float32", a, b)).toBe(ulpDistance("float32", b, a));
      }),
    );
  });
});

describe("compareTensors", () => {
  const expected = tensorOf("float32", [2, 2], [1, 2, 3, 4]);
  const actual = tensorOf("float32", [2, 2], [1, 2, 3.001, 5]);

  it("reports the first difference and the worst one", () => {
    const difference = compareTensors(actual, expected);
    expect(difference?.differing).toBe(2);
    expect(difference?.at).toEqual([1, 0]);
    expect(difference?.message).toMatch(/2 of 4 elements of float32\[2, 2\] differ/);
    expect(difference?.message).toMatch(
      /first at \[1, 0\]: got 3\.00\d+ \(0x4040\w+\), expected 3/,
    );
    expect(difference?.message).toMatch(/worst at \[1, 1\]: got 5 .*expected 4/);
  });
  it("allows for tolerances", () => {
    expect(compareTensors(actual, expected, { rtol: 0.25, atol: 0 })).toBeUndefined();
    expect(compareTensors(actual, expected, { rtol: 0, atol: 0.01 })?.at).toEqual([1, 1]);
    expect(compareTensors(actual, expected, { ulp: 5000 })?.at).toEqual([1, 1]);
  });
  it("does not let a tolerance reach from infinity to a number, or over a NaN", () => {
    const x = vector("float32", Infinity, Number.NaN);
    expect(compareTensors(vector("float32", 1, Number.NaN), x, { rtol: 1, atol: 9 })?.at).toEqual([
      0,
    ]);
    expect(compareTensors(vector("float32", Infinity, 0), x, { rtol: 1, atol: 9 })?.at).toEqual([
      1,
    ]);
    expect(compareTensors(x, x, { rtol: 0, atol: 0 })).toBeUndefined();
  });
  it("says so where the types differ", () => {
    expect(compareTensors(vector("int32", 1), expected)?.message).toBe(
      "got int32[1], expected float32[2, 2]",
    );
  });
});

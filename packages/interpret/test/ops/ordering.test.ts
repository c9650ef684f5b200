import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HostTensor, tensorOf, valuesOf } from "../../src/index.ts";
import { apply, counting, valuesOfOp, vector } from "../support/apply.ts";

const NaN32 = Number.NaN;
const along = (dimension: number, keys = 1) => ({ dimension, keys, stable: true });
const sorted = (...operands: readonly HostTensor[]) =>
  apply("sort", along(0), ...operands).map(valuesOf);

describe("sort", () => {
  it("puts NaN last, after infinity", () => {
    expect(sorted(vector("float32", NaN32, Infinity, 1, -Infinity))).toEqual([
      [-Infinity, 1, Infinity, NaN],
    ]);
  });

  it("takes −0 and +0 for equal and keeps their order", () => {
    const [zeros, carried] = sorted(vector("float32", 0, -0, 0), vector("int32", 1, 2, 3));
    expect(zeros).toEqual([0, -0, 0]);
    expect(carried).toEqual([1, 2, 3]);
  });

  it("compares keys one after the other and carries the rest", () => {
    const first = vector("int32", 2, 1, 2, 1);
    const second = vector("float32", 1, 5, 0, 4);
    const rest = vector("uint8", 10, 11, 12, 13);
    expect(apply("sort", along(0, 2), first, second, rest).map(valuesOf)).toEqual([
      [1, 1, 2, 2],
      [4, 5, 0, 1],
      [13, 11, 12, 10],
    ]);
  });

  it("works along any dimension, on bool and on 64-bit integers", () => {
    const x = tensorOf("int64", [2, 2], [4n, 1n, 3n, 2n]);
    expect(valuesOfOp("sort", along(0), x)).toEqual([3n, 1n, 4n, 2n]);
    expect(valuesOfOp("sort", along(1), x)).toEqual([1n, 4n, 2n, 3n]);
    expect(sorted(vector("bool", true, false))).toEqual([[false, true]]);
    expect(sorted(vector("uint32", 2 ** 32 - 1, 0))).toEqual([[0, 2 ** 32 - 1]]);
  });

  it("carries the bits of NaNs", () => {
    const data = new Float32Array(2);
    new Uint32Array(data.buffer).set([0x7fc0abcd, 0]);
    const [out] = apply("sort", along(0), { dtype: "float32", shape: [2], data });
    expect([...new Uint32Array(out!.data.buffer)]).toEqual([0, 0x7fc0abcd]);
  });

  it("is a stable permutation", () => {
    const key = fc.constantFrom(0, -0, 1, 2, NaN32, -Infinity);
    fc.assert(
      fc.property(fc.array(key, { maxLength: 20 }), (keys) => {
        const positions = counting("int32", keys.length);
        const [values, order] = sorted(vector("float32", ...keys), positions) as [
          number[],
          number[],
        ];
        expect(values).toEqual(order.map((i) => keys[i]));
        expect([...order].sort((a, b) => a - b)).toEqual(valuesOf(positions));
        const rank = (x: number) => (Number.isNaN(x) ? [1, 0] : [0, x === 0 ? 0 : x]);
        for (let i = 1; i < values.length; i++) {
          const [a, b] = [rank(values[i - 1] as number), rank(values[i] as number)] as const;
          const tie = a[0] === b[0] && a[1] === b[1];
          if (tie) expect(order[i - 1]).toBeLessThan(order[i] as number);
          else expect(a[0]! < b[0]! || (a[0] === b[0] && a[1]! < b[1]!)).toBe(true);
        }
      }),
    );
  });
});

describe("top_k", () => {
  it("gives the greatest, the lower index first on ties, NaN before all", () => {
    const [values, indices] = apply("top_k", { k: 4 }, vector("float32", 1, 3, NaN32, 3, 2));
    expect(valuesOf(values!)).toEqual([NaN, 3, 3, 2]);
    expect(valuesOf(indices!)).toEqual([2, 1, 3, 4]);
  });

  it("works along the last dimension", () => {
    const [values, indices] = apply("top_k", { k: 1 }, tensorOf("int32", [2, 2], [1, 2, 4, 3]));
    expect(valuesOf(values!)).toEqual([2, 4]);
    expect(valuesOf(indices!)).toEqual([1, 0]);
  });

  it("takes none of them", () => {
    expect(apply("top_k", { k: 0 }, vector("int32", 1)).map(valuesOf)).toEqual([[], []]);
  });
});

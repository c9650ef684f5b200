import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fold, tensorOf } from "../../src/index.ts";
import { apply, counting, expectSame, valuesOfOp, vector } from "../support/apply.ts";

const NaN32 = Number.NaN;

describe("reductions", () => {
  const x = counting("int32", 2, 3, 4);

  it("fold the named axes away", () => {
    expect(valuesOfOp("reduce_sum", { axes: [2] }, x)).toEqual([6, 22, 38, 54, 70, 86]);
    expect(valuesOfOp("reduce_sum", { axes: [0, 2] }, x)).toEqual([60, 92, 124]);
    expect(valuesOfOp("reduce_sum", { axes: [0, 1, 2] }, x)).toEqual([276]);
    expect(valuesOfOp("reduce_max", { axes: [1] }, x)).toEqual([8, 9, 10, 11, 20, 21, 22, 23]);
    expectSame(apply("reduce_sum", { axes: [] }, x)[0], x);
  });

  it("wrap integers", () => {
    expect(valuesOfOp("reduce_sum", { axes: [0] }, vector("int8", 100, 100))).toEqual([-56]);
    expect(valuesOfOp("reduce_prod", { axes: [0] }, vector("int32", 65537, 65537))).toEqual([
      131073,
    ]);
    expect(valuesOfOp("reduce_prod", { axes: [0] }, vector("uint64", 2n ** 63n, 2n))).toEqual([0n]);
  });

  it("give the identity over nothing", () => {
    const none = tensorOf("float32", [0], []);
    const integers = tensorOf("int32", [0], []);
    expect(valuesOfOp("reduce_sum", { axes: [0] }, none)).toEqual([0]);
    expect(valuesOfOp("reduce_prod", { axes: [0] }, none)).toEqual([1]);
    expect(valuesOfOp("reduce_max", { axes: [0] }, none)).toEqual([-Infinity]);
    expect(valuesOfOp("reduce_min", { axes: [0] }, none)).toEqual([Infinity]);
    expect(valuesOfOp("reduce_max", { axes: [0] }, integers)).toEqual([-(2 ** 31)]);
    expect(valuesOfOp("reduce_min", { axes: [0] }, integers)).toEqual([2 ** 31 - 1]);
    expect(valuesOfOp("reduce_and", { axes: [0] }, integers)).toEqual([-1]);
    expect(valuesOfOp("reduce_xor", { axes: [0] }, integers)).toEqual([0]);
    expect(valuesOfOp("reduce_and", { axes: [0] }, tensorOf("uint16", [0], []))).toEqual([65535]);
    const bools = tensorOf("bool", [0], []);
    expect(valuesOfOp("reduce_and", { axes: [0] }, bools)).toEqual([true]);
    expect(valuesOfOp("reduce_or", { axes: [0] }, bools)).toEqual([false]);
    expect(valuesOfOp("reduce_min", { axes: [0] }, tensorOf("int64", [0], []))).toEqual([
      2n ** 63n - 1n,
    ]);
  });

  it("propagate NaN in max and min, and order −0 below +0", () => {
    expect(valuesOfOp("reduce_max", { axes: [0] }, vector("float32", 1, NaN32, 3))).toEqual([NaN]);
    expect(valuesOfOp("reduce_min", { axes: [0] }, vector("float32", 0, -0, 0))).toEqual([-0]);
    expect(valuesOfOp("reduce_max", { axes: [0] }, vector("bfloat16", -0, 0))).toEqual([0]);
  });

  it("are bitwise on integers and logical on bool", () => {
    expect(valuesOfOp("reduce_and", { axes: [0] }, vector("uint8", 12, 10))).toEqual([8]);
    expect(valuesOfOp("reduce_or", { axes: [0] }, vector("uint32", 2 ** 31, 1))).toEqual([
      2 ** 31 + 1,
    ]);
    expect(valuesOfOp("reduce_xor", { axes: [0] }, vector("int64", -1n, 1n))).toEqual([-2n]);
    expect(valuesOfOp("reduce_and", { axes: [0] }, vector("bool", true, false))).toEqual([false]);
  });
});

describe("the order of float sums", () => {
  const sum = (...values: readonly number[]) =>
    valuesOfOp("reduce_sum", { axes: [0] }, vector("float32", ...values))[0];

  it("starts every accumulator from +0, so that −0 alone gives +0", () => {
    expect(sum(-0)).toBe(0);
  });

  it("goes through sixteen elements or fewer in order", () => {
    const values = new Array<number>(16).fill(1);
    values[0] = 2 ** 24; // swallows every 1 that comes to it alone
    expect(sum(...values)).toBe(2 ** 24);
    expect(sum(...values, 1)).toBe(2 ** 24 + 14); // accumulators 1 to 15 add up first
  });

  it("adds element i to accumulator i mod 16", () => {
    const big = 2 ** 25;
    const values = new Array<number>(32).fill(0);
    values[0] = big;
    values[16] = 1; // the same accumulator: lost against 2^25
    values[1] = -big; // folded in only later
    expect(sum(...values)).toBe(0);
    values[16] = 0;
    values[18] = 1; // accumulator 2: folded 2 ⊕ 10, then 2 ⊕ 6, then 0 ⊕ 2
    expect(sum(...values)).toBe(0);
    values[18] = 0;
    values[1] = 0;
    values[2] = -big; // accumulators 0 and 2 cancel before 1 and 3 join
    values[3] = 1;
    expect(sum(...values)).toBe(1);
  });

  it("cuts segments of 256 and joins them in a balanced tree", () => {
    const values = new Array<number>(256 * 5).fill(0);
    const big = 2 ** 25;
    values[0] = big; // segments 0 and 1 cancel before the others join
    values[256] = -big;
    values[2 * 256] = 1;
    values[4 * 256] = 1;
    expect(sum(...values)).toBe(2);
    values[256] = 0;
    values[3 * 256] = -big; // segment 3 swallows the 1 of segment 2 first
    expect(sum(...values)).toBe(1);
  });

  it("equals the written-down order for any length", () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true }), { maxLength: 700 }), (values) => {
        const add = (a: number, b: number) => Math.fround(a + b);
        const segment = (part: readonly number[]) => {
          const lane = (i: number) => part.filter((_, at) => at % 16 === i).reduce(add, 0);
          let lanes = Array.from({ length: 16 }, (_, i) => lane(i));
          while (lanes.length > 1) {
            const half = lanes.length / 2;
            lanes = lanes.slice(0, half).map((value, i) => add(value, lanes[i + half] as number));
          }
          return lanes[0] as number;
        };
        const tree = (parts: readonly number[]): number => {
          if (parts.length === 1) return parts[0] as number;
          // the left subtree holds the largest power of two below the whole
          const left = 2 ** (Math.ceil(Math.log2(parts.length)) - 1);
          return add(tree(parts.slice(0, left)), tree(parts.slice(left)));
        };
        const parts: number[] = [];
        if (values.length <= 16) {
          expect(fold(values, "add", "float32")).toEqual(values.reduce(add, 0));
          return;
        }
        for (let i = 0; i < values.length; i += 256) parts.push(segment(values.slice(i, i + 256)));
        expect(fold(values, "add", "float32")).toEqual(parts.length === 0 ? 0 : tree(parts));
      }),
      { numRuns: 50 },
    );
  });

  it("rounds to 16 bits at every step", () => {
    const ones = new Array<number>(4096).fill(1);
    expect(valuesOfOp("reduce_sum", { axes: [0] }, vector("bfloat16", ...ones))).toEqual([4096]);
    const lane = Array.from({ length: 32 }, (_, i) => (i === 0 ? 2048 : i === 16 ? 1 : 0));
    expect(valuesOfOp("reduce_sum", { axes: [0] }, vector("float16", ...lane))).toEqual([2048]);
  });
});

describe("argmax and argmin", () => {
  const params = { axis: 0, indexDType: "int32" } as const;
  it("name the first extreme element", () => {
    expect(valuesOfOp("argmax", params, vector("int32", 1, 5, 5, 2))).toEqual([1]);
    expect(valuesOfOp("argmin", params, vector("float32", 3, 0, -0))).toEqual([1]);
    expect(valuesOfOp("argmax", { ...params, axis: 1 }, counting("int64", 2, 3))).toEqual([2, 2]);
  });
  it("count the first NaN as the extreme", () => {
    const x = vector("float32", 9, NaN32, 10, NaN32);
    expect(valuesOfOp("argmax", params, x)).toEqual([1]);
    expect(valuesOfOp("argmin", params, x)).toEqual([1]);
  });
  it("give the index as the dtype that was asked for", () => {
    expect(
      valuesOfOp("argmax", { axis: 0, indexDType: "uint64" }, vector("bool", false, true)),
    ).toEqual([1n]);
  });
});

describe("cumulative ops", () => {
  it("are inclusive, from either end", () => {
    const x = vector("int32", 1, 2, 3);
    expect(valuesOfOp("cumsum", { axis: 0, reverse: false }, x)).toEqual([1, 3, 6]);
    expect(valuesOfOp("cumsum", { axis: 0, reverse: true }, x)).toEqual([6, 5, 3]);
    expect(valuesOfOp("cumprod", { axis: 0, reverse: false }, x)).toEqual([1, 2, 6]);
  });
  it("run along any axis", () => {
    expect(valuesOfOp("cumsum", { axis: 0, reverse: false }, counting("int32", 2, 3))).toEqual([
      0, 1, 2, 3, 5, 7,
    ]);
    expect(valuesOfOp("cumsum", { axis: 1, reverse: true }, counting("int32", 2, 3))).toEqual([
      3, 3, 2, 12, 9, 5,
    ]);
    expect(
      valuesOfOp("cumsum", { axis: 0, reverse: false }, tensorOf("int32", [0, 2], [])),
    ).toEqual([]);
  });
  it("keep a NaN from where it stands", () => {
    const x = vector("float32", 1, NaN32, 3);
    expect(valuesOfOp("cummax", { axis: 0, reverse: false }, x)).toEqual([1, NaN, NaN]);
    expect(valuesOfOp("cummin", { axis: 0, reverse: true }, x)).toEqual([NaN, NaN, 3]);
  });
  it("add in order", () => {
    const x = vector("float32", 2 ** 25, 1, -(2 ** 25));
    expect(valuesOfOp("cumsum", { axis: 0, reverse: false }, x)).toEqual([2 ** 25, 2 ** 25, 0]);
  });
  it("keep the first element as it is", () => {
    expect(valuesOfOp("cumsum", { axis: 0, reverse: false }, vector("float32", -0))).toEqual([-0]);
  });
  it("cumlogsumexp does not overflow, and knows its infinities", () => {
    const x = vector("float32", 1000, 1000, -Infinity, Infinity);
    const got = valuesOfOp("cumlogsumexp", { axis: 0, reverse: false }, x) as number[];
    expect(got[1]).toBeCloseTo(1000 + Math.log(2), 3);
    expect(got[2]).toBe(got[1]);
    expect(got[3]).toBe(Infinity);
    const lows = vector("float32", -Infinity, -Infinity);
    expect(valuesOfOp("cumlogsumexp", { axis: 0, reverse: false }, lows)).toEqual([
      -Infinity,
      -Infinity,
    ]);
  });
});

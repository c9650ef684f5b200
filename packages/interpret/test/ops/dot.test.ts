import type { DType } from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import { tensorOf } from "../../src/index.ts";
import { apply, counting, expectSame, valuesOfOp, vector } from "../support/apply.ts";

const inner = { contract: [[0], [0]], batch: [[], []] } as const;
const matmul = { contract: [[1], [0]], batch: [[], []] } as const;
const as = (dtype: DType, accumulate: DType = dtype) => ({ dtype, accumulate });

describe("dot_general", () => {
  it("multiplies matrices", () => {
    const lhs = counting("int32", 2, 3);
    const rhs = counting("int32", 3, 2);
    expect(valuesOfOp("dot_general", { ...matmul, ...as("int32") }, lhs, rhs)).toEqual([
      10, 13, 28, 40,
    ]);
  });

  it("puts batch dims first, then the free ones of the left and of the right", () => {
    const lhs = counting("float32", 4, 2, 3); // [k, b, m]
    const rhs = counting("float32", 5, 4, 2); // [n, k, b]
    const [out] = apply(
      "dot_general",
      { contract: [[0], [1]], batch: [[1], [2]], ...as("float32") },
      lhs,
      rhs,
    );
    expect(out?.shape).toEqual([2, 3, 5]);
    let expected = 0;
    for (let k = 0; k < 4; k++) {
      expected += (lhs.data[k * 6 + 1 * 3 + 2] as number) * (rhs.data[3 * 8 + k * 2 + 1] as number);
    }
    expect(out?.data[1 * 15 + 2 * 5 + 3]).toBe(expected);
  });

  it("contracts several dims, in row-major order, and none", () => {
    const x = counting("int32", 2, 2);
    expect(
      valuesOfOp(
        "dot_general",
        {
          contract: [
            [0, 1],
            [1, 0],
          ],
          batch: [[], []],
          ...as("int32"),
        },
        x,
        x,
      ),
    ).toEqual([0 * 0 + 1 * 2 + 2 * 1 + 3 * 3]);
    const outer = { contract: [[], []], batch: [[], []], ...as("int32") } as const;
    expectSame(
      apply("dot_general", outer, vector("int32", 1, 2), vector("int32", 3, 4))[0],
      tensorOf("int32", [2, 2], [3, 4, 6, 8]),
    );
  });

  it("sums over nothing to +0", () => {
    const none = tensorOf("float32", [0], []);
    expect(valuesOfOp("dot_general", { ...inner, ...as("float32") }, none, none)).toEqual([0]);
  });

  it("starts from +0: the product of −0 is swallowed", () => {
    const minus = vector("float32", -0);
    const one = vector("float32", 1);
    expect(valuesOfOp("dot_general", { ...inner, ...as("float32") }, minus, one)).toEqual([0]);
  });

  it("rounds products and sums in the accumulation dtype, in order", () => {
    const lhs = vector("float32", 2 ** 25, 1, -(2 ** 25));
    const ones = vector("float32", 1, 1, 1);
    expect(valuesOfOp("dot_general", { ...inner, ...as("float32") }, lhs, ones)).toEqual([0]);
    expect(valuesOfOp("dot_general", { ...inner, ...as("float32", "float64") }, lhs, ones)).toEqual(
      [1],
    );
  });

  it("accumulates bfloat16 wide and rounds once, or at every step if asked", () => {
    const lhs = vector("bfloat16", 256, 1, 1);
    const ones = vector("bfloat16", 1, 1, 1);
    expect(
      valuesOfOp("dot_general", { ...inner, ...as("bfloat16", "float32") }, lhs, ones),
    ).toEqual([258]);
    expect(valuesOfOp("dot_general", { ...inner, ...as("bfloat16") }, lhs, ones)).toEqual([256]);
  });

  it("widens int8 to the int32 it accumulates in", () => {
    const x = vector("int8", 100, 100);
    expect(valuesOfOp("dot_general", { ...inner, ...as("int32") }, x, x)).toEqual([20000]);
  });
});

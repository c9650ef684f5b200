import { toBits } from "@gridfuse/graph";
import { axis, constant, sub, add as sum, mul as times } from "@gridfuse/plan/index-expr";
import { describe, expect, it } from "vitest";
import { Environment, evaluateNode, tensorOf } from "../../src/index.ts";
import { apply, counting, expectSame, valuesOfOp, vector } from "../support/apply.ts";

const matrix = counting("int32", 2, 3); // [[0, 1, 2], [3, 4, 5]]

describe("broadcast_in_dim", () => {
  it("maps operand dims to result dims and repeats size 1", () => {
    const column = tensorOf("int32", [2, 1], [7, 8]);
    expect(
      valuesOfOp("broadcast_in_dim", { shape: [2, 3], broadcastDimensions: [0, 1] }, column),
    ).toEqual([7, 7, 7, 8, 8, 8]);
    expect(
      valuesOfOp(
        "broadcast_in_dim",
        { shape: [2, 3], broadcastDimensions: [1] },
        vector("int32", 1, 2, 3),
      ),
    ).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it("spreads a scalar, even to nothing", () => {
    const one = tensorOf("bool", [], [true]);
    expect(valuesOfOp("broadcast_in_dim", { shape: [2], broadcastDimensions: [] }, one)).toEqual([
      true,
      true,
    ]);
    expect(valuesOfOp("broadcast_in_dim", { shape: [2, 0], broadcastDimensions: [] }, one)).toEqual(
      [],
    );
  });
});

describe("reshape, transpose, rev", () => {
  it("reshape keeps row-major order", () => {
    expectSame(apply("reshape", { shape: [3, 2] }, matrix)[0], counting("int32", 3, 2));
  });
  it("transpose takes result dim i from operand dim permutation[i]", () => {
    expect(valuesOfOp("transpose", { permutation: [1, 0] }, matrix)).toEqual([0, 3, 1, 4, 2, 5]);
    const cube = counting("int32", 2, 3, 4);
    const [turned] = apply("transpose", { permutation: [2, 0, 1] }, cube);
    expect(turned?.shape).toEqual([4, 2, 3]);
    expect(turned?.data[1 * 6 + 1 * 3 + 2]).toBe(1 * 12 + 2 * 4 + 1);
  });
  it("rev turns dimensions around", () => {
    expect(valuesOfOp("rev", { dimensions: [1] }, matrix)).toEqual([2, 1, 0, 5, 4, 3]);
    expect(valuesOfOp("rev", { dimensions: [0, 1] }, matrix)).toEqual([5, 4, 3, 2, 1, 0]);
    expect(valuesOfOp("rev", { dimensions: [0] }, tensorOf("int32", [0, 2], []))).toEqual([]);
  });
});

describe("slice", () => {
  it("steps from start below limit", () => {
    expect(
      valuesOfOp("slice", { start: [1], limit: [6], strides: [2] }, counting("int32", 7)),
    ).toEqual([1, 3, 5]);
    expect(valuesOfOp("slice", { start: [0, 1], limit: [2, 3], strides: [1, 1] }, matrix)).toEqual([
      1, 2, 4, 5,
    ]);
    expect(
      valuesOfOp("slice", { start: [3], limit: [3], strides: [1] }, counting("int32", 7)),
    ).toEqual([]);
  });
});

describe("pad", () => {
  const nine = tensorOf("int32", [], [9]);
  const pad = (lo: number, hi: number, interior: number, size = 3) =>
    valuesOfOp("pad", { config: [{ lo, hi, interior }] }, counting("int32", size), nine);

  it("adds elements before, after and between", () => {
    expect(pad(1, 2, 0)).toEqual([9, 0, 1, 2, 9, 9]);
    expect(pad(0, 0, 2)).toEqual([0, 9, 9, 1, 9, 9, 2]);
  });
  it("crops by negative amounts, after dilation", () => {
    expect(pad(-1, 0, 0)).toEqual([1, 2]);
    expect(pad(-1, -1, 1)).toEqual([9, 1, 9]);
    expect(pad(-2, 3, 0)).toEqual([2, 9, 9, 9]);
  });
  it("dilates nothing to nothing", () => {
    expect(pad(1, 1, 5, 0)).toEqual([9, 9]);
  });
  it("pads each dimension by its own rule", () => {
    const config = [
      { lo: 0, hi: 1, interior: 0 },
      { lo: 1, hi: -1, interior: 0 },
    ];
    expect(valuesOfOp("pad", { config }, matrix, nine)).toEqual([9, 0, 1, 9, 3, 4, 9, 9, 9]);
  });
});

describe("concatenate", () => {
  it("joins along one dimension, empty operands included", () => {
    const empty = tensorOf("int32", [2, 0], []);
    expect(valuesOfOp("concatenate", { dimension: 1 }, matrix, empty, matrix)).toEqual([
      0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5,
    ]);
    expect(valuesOfOp("concatenate", { dimension: 0 }, matrix, matrix)).toEqual([
      0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5,
    ]);
  });
});

describe("view", () => {
  it("reads at index expressions of the result's coordinates", () => {
    const index = [sub(constant(6), times(axis(0, 4), 2))];
    expect(
      valuesOfOp("view", { shape: [4], index, fill: { lo: 0, hi: 0 } }, counting("int32", 7)),
    ).toEqual([6, 4, 2, 0]);
  });
  it("gives the fill where an index lies outside", () => {
    const index = [sum(axis(0, 4), constant(-1))];
    const fill = toBits("int32", -5);
    expect(valuesOfOp("view", { shape: [4], index, fill }, counting("int32", 2))).toEqual([
      -5, 0, 1, -5,
    ]);
  });
  it("reads counters of enclosing scans", () => {
    const environment = new Environment();
    environment.counters.set(4, 2);
    const index = [{ k: "loop", loop: 4, lo: 0, hi: 2, key: "l4:3" }] as const;
    const params = { shape: [1], index, fill: { lo: 0, hi: 0 } };
    const [out] = evaluateNode({ op: "view", params }, [counting("int32", 3)], environment);
    expect(out?.data[0]).toBe(2);
  });
});

describe("movement", () => {
  it("keeps the bits of every NaN", () => {
    const data = new Float64Array(2);
    new BigUint64Array(data.buffer).set([0x7ff0000000000001n, 0xfff8000000000abcn]);
    const x = { dtype: "float64", shape: [2], data } as const;
    const [turned] = apply("rev", { dimensions: [0] }, x);
    expect([...new BigUint64Array(turned!.data.buffer)]).toEqual([
      0xfff8000000000abcn,
      0x7ff0000000000001n,
    ]);
  });
});

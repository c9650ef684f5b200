import { type OpParams, toBits } from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import { scalarOf, tensorOf } from "../../src/index.ts";
import { apply, counting, expectSame, valuesOfOp, vector } from "../support/apply.ts";

const at = (...starts: readonly number[]) => starts.map((start) => scalarOf("int32", start));
const nothing = {
  offsetDims: [],
  collapsedSliceDims: [],
  startIndexMap: [],
  operandBatchingDims: [],
  startIndicesBatchingDims: [],
};

describe("dynamic_slice", () => {
  const x = counting("int32", 4, 5);
  it("reads a window", () => {
    expect(valuesOfOp("dynamic_slice", { sizes: [2, 2] }, x, ...at(1, 2))).toEqual([7, 8, 12, 13]);
  });
  it("moves a window that does not fit back inside", () => {
    expect(valuesOfOp("dynamic_slice", { sizes: [2, 2] }, x, ...at(9, -3))).toEqual([
      10, 11, 15, 16,
    ]);
  });
  it("takes starts of any integer dtype", () => {
    const starts = [scalarOf("int64", 2n), scalarOf("uint32", 2 ** 32 - 1)];
    expect(valuesOfOp("dynamic_slice", { sizes: [1, 1] }, x, ...starts)).toEqual([14]);
  });
});

describe("dynamic_update_slice", () => {
  it("writes a window, moved inside where it does not fit", () => {
    const x = counting("int32", 4);
    expect(valuesOfOp("dynamic_update_slice", {}, x, vector("int32", 8, 9), ...at(1))).toEqual([
      0, 8, 9, 3,
    ]);
    expect(valuesOfOp("dynamic_update_slice", {}, x, vector("int32", 8, 9), ...at(7))).toEqual([
      0, 1, 8, 9,
    ]);
    expect([...x.data]).toEqual([0, 1, 2, 3]);
  });
});

describe("gather", () => {
  const table = counting("int32", 4, 3);
  const rows = (mode: "clip" | "fill"): OpParams["gather"] => ({
    dimensions: { ...nothing, offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0] },
    sliceSizes: [1, 3],
    mode,
    fill: toBits("int32", -1),
  });

  it("takes rows by index", () => {
    const indices = tensorOf("int32", [3, 1], [2, 0, 2]);
    expect(valuesOfOp("gather", rows("clip"), table, indices)).toEqual([6, 7, 8, 0, 1, 2, 6, 7, 8]);
  });

  it("clips a window into the operand, or fills all of it", () => {
    const indices = tensorOf("int32", [2, 1], [-1, 9]);
    expect(valuesOfOp("gather", rows("clip"), table, indices)).toEqual([0, 1, 2, 9, 10, 11]);
    expect(valuesOfOp("gather", rows("fill"), table, indices)).toEqual([-1, -1, -1, -1, -1, -1]);
  });

  it("fills the whole window when a part of it is outside", () => {
    const params: OpParams["gather"] = {
      dimensions: { ...nothing, offsetDims: [1], startIndexMap: [0] },
      sliceSizes: [2],
      mode: "fill",
      fill: toBits("float32", Number.NaN),
    };
    const x = vector("float32", 1, 2, 3);
    expect(valuesOfOp("gather", params, x, tensorOf("int32", [2, 1], [2, 1]))).toEqual([
      NaN,
      NaN,
      2,
      3,
    ]);
  });

  it("starts windows in several dims, in the order of startIndexMap", () => {
    const params: OpParams["gather"] = {
      dimensions: {
        ...nothing,
        offsetDims: [0],
        collapsedSliceDims: [0],
        startIndexMap: [1, 0],
      },
      sliceSizes: [1, 2],
      mode: "clip",
      fill: { lo: 0, hi: 0 },
    };
    // index vectors are (column, row); the window's dim comes first in the result
    const indices = tensorOf("int32", [2, 2], [1, 0, 0, 3]);
    const [out] = apply("gather", params, table, indices);
    expectSame(out, tensorOf("int32", [2, 2], [1, 9, 2, 10]));
  });

  it("pairs batching dims: take_along_axis", () => {
    const x = tensorOf("int32", [2, 3], [10, 11, 12, 20, 21, 22]);
    const indices = tensorOf("int32", [2, 2, 1], [2, 0, 1, 1]);
    const params: OpParams["gather"] = {
      dimensions: {
        offsetDims: [],
        collapsedSliceDims: [1],
        startIndexMap: [1],
        operandBatchingDims: [0],
        startIndicesBatchingDims: [0],
      },
      sliceSizes: [1, 1],
      mode: "fill",
      fill: { lo: 0, hi: 0 },
    };
    expectSame(apply("gather", params, x, indices)[0], tensorOf("int32", [2, 2], [12, 10, 21, 21]));
  });

  it("takes no index at all, and no rows", () => {
    const none = tensorOf("int32", [0, 1], []);
    expect(valuesOfOp("gather", rows("clip"), table, none)).toEqual([]);
    const whole: OpParams["gather"] = {
      dimensions: { ...nothing, offsetDims: [0, 1] },
      sliceSizes: [4, 3],
      mode: "fill",
      fill: { lo: 0, hi: 0 },
    };
    expectSame(apply("gather", whole, table, tensorOf("int32", [0], []))[0], table);
  });
});

describe("scatter", () => {
  const elements = (
    combine: OpParams["scatter"]["combine"],
    mode: "clip" | "fill" = "fill",
  ): OpParams["scatter"] => ({
    dimensions: {
      updateWindowDims: [],
      insertedWindowDims: [0],
      scatterDimsToOperandDims: [0],
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
    },
    combine,
    mode,
  });
  const x = vector("int32", 1, 2, 3);
  const indices = tensorOf("int32", [3, 1], [0, 2, 0]);
  const updates = vector("int32", 5, 6, 7);

  it("lets the last of colliding updates win, or combines them in order", () => {
    expect(valuesOfOp("scatter", elements("set"), x, indices, updates)).toEqual([7, 2, 6]);
    expect(valuesOfOp("scatter", elements("add"), x, indices, updates)).toEqual([13, 2, 9]);
    expect(valuesOfOp("scatter", elements("mul"), x, indices, updates)).toEqual([35, 2, 18]);
    expect(valuesOfOp("scatter", elements("min"), x, indices, updates)).toEqual([1, 2, 3]);
    expect(valuesOfOp("scatter", elements("max"), x, indices, updates)).toEqual([7, 2, 6]);
  });

  it("drops what is outside, or clips it", () => {
    const outside = tensorOf("int32", [3, 1], [-1, 3, 1]);
    expect(valuesOfOp("scatter", elements("set"), x, outside, updates)).toEqual([1, 7, 3]);
    expect(valuesOfOp("scatter", elements("set", "clip"), x, outside, updates)).toEqual([5, 7, 6]);
  });

  it("drops a whole window of which a part is outside", () => {
    const params: OpParams["scatter"] = {
      dimensions: {
        updateWindowDims: [1],
        insertedWindowDims: [],
        scatterDimsToOperandDims: [0],
        operandBatchingDims: [],
        scatterIndicesBatchingDims: [],
      },
      combine: "set",
      mode: "fill",
    };
    const windows = tensorOf("int32", [2, 2], [10, 11, 20, 21]);
    expect(valuesOfOp("scatter", params, x, tensorOf("int32", [2, 1], [0, 2]), windows)).toEqual([
      10, 11, 3,
    ]);
  });

  it("pairs batching dims", () => {
    const params: OpParams["scatter"] = {
      dimensions: {
        updateWindowDims: [],
        insertedWindowDims: [1],
        scatterDimsToOperandDims: [1],
        operandBatchingDims: [0],
        scatterIndicesBatchingDims: [0],
      },
      combine: "add",
      mode: "fill",
    };
    const matrix = counting("float32", 2, 3);
    const out = apply(
      "scatter",
      params,
      matrix,
      tensorOf("int32", [2, 1, 1], [2, 0]),
      tensorOf("float32", [2, 1], [0.5, 0.25]),
    );
    expectSame(out[0], tensorOf("float32", [2, 3], [0, 1, 2.5, 3.25, 4, 5]));
  });

  it("rounds each addition in the dtype", () => {
    const big = vector("float16", 2048);
    const twice = tensorOf("int32", [2, 1], [0, 0]);
    expect(valuesOfOp("scatter", elements("add"), big, twice, vector("float16", 1, 1))).toEqual([
      2048,
    ]);
  });
});

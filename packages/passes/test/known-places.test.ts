/** A gather whose places are known while compiling is a view, with lax's meaning of places outside. */
import {
  dynamicSlice,
  dynamicUpdateSlice,
  gather,
  graph,
  iota,
  kernel,
  stack,
  tensor,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { lower } from "../src/lower.ts";
import { opsOf } from "./support/build.ts";

const x: HostTensor = tensorOf(
  "float32",
  [5, 4],
  Array.from({ length: 20 }, (_, i) => i),
);

/** Ops that are left after the last tensor-level pass. */
function opsAfter({ program }: ReturnType<typeof graph>): string[] {
  let ops: string[] = [];
  lower(ownCopy(program), {
    afterPass: (_, { table, main }) => {
      ops = opsOf(table, main);
    },
  });
  return ops;
}

/** Windows at (start + step · i, column) for i = 0, 1, 2. */
const windows = (
  start: number,
  step: number,
  column: number,
  sliceSizes: readonly [number, number],
  mode: "clip" | "fill",
) =>
  graph({ x: tensor("float32", [5, 4]) }, ({ x }) => {
    const places = iota("int32", [3]).mul(step).add(start);
    const indices = stack([places, places.mul(0).add(column)], { axis: 1 });
    const dimensions = {
      offsetDims: [1, 2],
      collapsedSliceDims: [],
      startIndexMap: [0, 1],
      operandBatchingDims: [],
      startIndicesBatchingDims: [],
    };
    return { y: gather(x, indices, { dimensions, sliceSizes, mode }) };
  });

describe("a gather at known places", () => {
  it("means what it meant, inside and outside", () => {
    const size = fc.constantFrom<readonly [number, number]>([1, 1], [1, 4], [2, 1], [3, 2]);
    const mode = fc.constantFrom<"clip" | "fill">("clip", "fill");
    const place = fc.integer({ min: -3, max: 6 });
    fc.assert(
      fc.property(place, fc.integer({ min: -2, max: 2 }), place, size, mode, (...given) => {
        expect(disagreements(windows(...given).program, { x }, { backends: ["js"] })).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it("is no gather where a view can say it", () => {
    expect(opsAfter(windows(1, 1, 0, [1, 4], "fill"))).not.toContain("gather");
    expect(opsAfter(windows(-4, 4, 2, [2, 2], "clip"))).not.toContain("gather");
  });

  it("stays one where windows are filled as a whole", () => {
    expect(opsAfter(windows(3, 1, 0, [2, 4], "fill"))).toContain("gather");
  });
});

describe("reads at a coordinate", () => {
  it("of a parallel axis are reads of the array", () => {
    const scaled = kernel(
      "scaled",
      {
        grid: { i: 5 },
        prefetch: { scale: tensor("float32", [5]) },
        inputs: { x: tensor("float32", [5, 4]).blocks([1, 4], ({ i }) => [i, 0]) },
        outputs: { y: tensor("float32", [5, 4]).blocks([1, 4], ({ i }) => [i, 0]) },
      },
      ({ x, y, scale }, { i }) => y.set(x.get().mul(scale.get(i))),
    );
    const traced = graph(scaled.inputs, scaled);
    const scale = tensorOf("float32", [5], [1, 2, 3, 4, 5]);
    expect(disagreements(traced.program, { x, scale })).toEqual([]);
    expect(opsAfter(traced)).not.toContain("gather");
  });

  it("at constants are slices, clamped", () => {
    const corner = graph({ x: tensor("float32", [5, 4]) }, ({ x }) => ({
      y: dynamicSlice(x, [4, 9], [2, 3]),
    }));
    expect(disagreements(corner.program, { x })).toEqual([]);
    expect(opsAfter(corner)).toEqual(["slice"]);
  });
});

describe("a window as large as the array", () => {
  const whole = graph({ x: tensor("float32", [5, 4]), i: tensor("int32", []) }, ({ x, i }) => ({
    y: dynamicSlice(x.mul(2), [i, i], [5, 4]),
    z: dynamicUpdateSlice(x, x.mul(3), [i, i]),
  }));

  it("is the array, wherever it is said to begin", () => {
    const ops = opsAfter(whole);
    expect(ops).not.toContain("dynamic_slice");
    expect(ops).not.toContain("dynamic_update_slice");
    expect(disagreements(whole.program, { x, i: tensorOf("int32", [], [3]) })).toEqual([]);
  });
});

/** Which outputs a plan calls exact: never those that come from a float sum in another order. */
import { f32, graph, kernel, tensor, when } from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile } from "../src/index.ts";

describe("an output that sums floats along a grid axis", () => {
  const sums = (rows: number, steps: number) => {
    const add = kernel(
      "sums",
      {
        grid: { i: rows, j: steps },
        inputs: { x: tensor(f32, [rows, 2 * steps]).blocks([1, 2], ({ i, j }) => [i, j]) },
        outputs: { sum: tensor(f32, [rows, 1]).blocks([1, 1], ({ i }) => [i, 0]) },
      },
      ({ x, sum }, { j }) => {
        when(j.isFirst, () => sum.set(0));
        sum.add(x.get().sum({ axis: 1, keepDims: true }));
      },
    );
    return graph(add.inputs, add);
  };

  it("is bounded, inside a parallel axis too", () => {
    expect(compile(sums(1, 4)).outputs[0]?.exact).toBe(false);
    expect(compile(sums(4, 4)).outputs[0]?.exact).toBe(false);
  });

  it("is exact where the order is kept", () => {
    expect(compile(sums(4, 4), { reassociate: false }).outputs[0]?.exact).toBe(true);
    expect(compile(sums(4, 1)).outputs[0]?.exact).toBe(true);
  });
});

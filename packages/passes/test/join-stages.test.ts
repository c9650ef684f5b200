/** Results of rows and of elements, and several reductions of the same rows, are one kernel. */
import { type GraphOutputs, graph, type Tensor, tensor } from "@gridfuse/graph";
import { tensorOf } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile, report } from "../src/index.ts";

const rows = 12;
const columns = 40;
const values = (seed: number) =>
  tensorOf(
    "float32",
    [rows, columns],
    Array.from({ length: rows * columns }, (_, i) => (((i + seed) * 7919) % 23) - 11),
  );

function kernelsOf(f: (x: Tensor, r: Tensor) => GraphOutputs): number {
  const spec = tensor("float32", [rows, columns]);
  const made = graph({ x: spec, r: spec }, ({ x, r }) => f(x as Tensor, r as Tensor));
  expect(disagreements(made.program, { x: values(0), r: values(5) })).toEqual([]);
  return report(compile(made)).planKernels;
}

const perRow = { axis: 1, keepDims: true } as const;

describe("one kernel", () => {
  it("writes the scale of a row and the scaled elements", () => {
    const quantise = (x: Tensor) => {
      const scale = x.abs().max(perRow).div(127) as Tensor;
      return { scale, scaled: x.div(scale) };
    };
    expect(kernelsOf(quantise)).toBe(1);
  });

  it("writes a sum of two arrays and its layer norm, computing the cheap sum again", () => {
    const residualNorm = (x: Tensor, r: Tensor) => {
      const sum = x.add(r) as Tensor;
      const centred = sum.sub(sum.mean(perRow)) as Tensor;
      const variance = (centred.mul(centred) as Tensor).mean(perRow) as Tensor;
      return { sum, norm: centred.mul((variance.add(1e-5) as Tensor).rsqrt()) };
    };
    expect(kernelsOf(residualNorm)).toBe(1);
  });

  it("folds the same rows several times in one pass", () => {
    const moments = (x: Tensor) => {
      const most = x.max(perRow) as Tensor;
      const weights = (x.sub(most) as Tensor).exp() as Tensor;
      const total = weights.sum(perRow) as Tensor;
      return { most, softmax: weights.div(total), entropy: (total.log() as Tensor).add(most) };
    };
    expect(kernelsOf(moments)).toBe(1);
  });
});

describe("several kernels", () => {
  it("are left where the rows of one are the columns of the other", () => {
    const both = (x: Tensor) => ({ a: x.sum({ axis: 1 }), b: x.sum({ axis: 0 }) });
    expect(kernelsOf(both)).toBe(2);
  });
});

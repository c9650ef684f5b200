/**
 * Mean and variance of every column in one pass over blocks of rows. Scratch holds the mean and the sum of
 * squared differences of the rows so far; a block is merged by the formulas of Chan, Golub and LeVeque
 * (1979), the blocked form of Welford's. Each merge needs the mean before it, so the axis keeps its order.
 */
import { f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import type { RowShape } from "./softmax.ts";

/** x: f32[rows, columns] → mean, variance: f32[1, columns]; rows are a multiple of the block. */
export function runningVariance({ rows, columns }: RowShape, block = 64): Graph {
  const perColumn = tensor(f32, [1, columns]);
  const merge = kernel(
    "running_variance",
    {
      grid: { i: rows / block },
      inputs: { x: tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]) },
      outputs: { mean: perColumn, variance: perColumn },
      scratch: { soFar: vmem(f32, [1, columns]), squares: vmem(f32, [1, columns]) },
    },
    ({ x, mean, variance, soFar, squares }, { i }) => {
      when(i.isFirst, () => {
        soFar.set(0);
        squares.set(0);
      });
      const own = x.get().mean({ axis: 0, keepDims: true });
      const ownSquares = x.get().sub(own).square().sum({ axis: 0, keepDims: true });
      const shift = own.sub(soFar.get());
      const before = i.astype(f32).mul(block);
      const part = before.add(block).reciprocal().mul(block);
      squares.add(ownSquares.add(shift.square().mul(before).mul(part)));
      soFar.add(shift.mul(part));
      when(i.isLast, () => {
        mean.set(soFar.get());
        variance.set(squares.get().div(rows));
      });
    },
  );
  return graph(merge.inputs, merge, { name: "running_variance" });
}

/** Columns far from zero, where the difference of squares would cancel. */
export const runningVarianceInputs = ({ rows, columns }: RowShape): { x: Float32Array } => ({
  x: randomFloats(rows * columns, 1, 27).map((value, i) => value + (i % columns)),
});

/** Two passes in float64. */
export const checkRunningVariance =
  ({ rows, columns }: RowShape) =>
  ({ x }: Inputs, outputs: Outputs): Check => {
    const means = new Float64Array(columns);
    const variances = new Float64Array(columns);
    const values = x as Float32Array;
    for (const [i, value] of values.entries()) means[i % columns] += value / rows;
    for (const [i, value] of values.entries()) {
      variances[i % columns] += (value - means[i % columns]) ** 2 / rows;
    }
    const mean = within(outputs.mean, means, (i) => 2 ** -20 * (1 + Math.abs(means[i])));
    if (!mean.ok) return mean;
    return within(
      outputs.variance,
      variances,
      (i) => 2 ** -16 * (variances[i] + 2 ** -8 * means[i]),
    );
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RowShape>({
    name: "running mean and variance",
    about: "blocks of rows merged one after the other, in one pass",
    full: { rows: 4096, columns: 128 },
    small: { rows: 256, columns: 3 },
    graph: (shape) => runningVariance(shape),
    inputs: runningVarianceInputs,
    check: checkRunningVariance,
    expects: {
      gridLoops: 1,
      sequential: { "running_variance.i": "merging a block needs the mean of the rows before it" },
    },
  }),
];

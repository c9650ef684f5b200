/**
 * Softmax of every row, a block of rows a grid point. The number of rows need not be a multiple of the
 * block: what the last block reads beyond the array never reaches the output.
 */
import { cdiv, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface RowShape {
  readonly rows: number;
  readonly columns: number;
}

/** x: f32[rows, columns] → y: f32[rows, columns]. */
export function softmax({ rows, columns }: RowShape, blockRows = 128): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([blockRows, columns], ({ i }) => [i, 0]);
  const softmaxRows = kernel(
    "softmax",
    { grid: { i: cdiv(rows, blockRows) }, inputs: { x: blocks }, outputs: { y: blocks } },
    ({ x, y }) => {
      const row = x.get();
      const weights = row.sub(row.max({ axis: 1, keepDims: true })).exp();
      y.set(weights.div(weights.sum({ axis: 1, keepDims: true })));
    },
  );
  return graph({ x: tensor(f32, [rows, columns]) }, ({ x }) => softmaxRows({ x }), {
    name: "softmax",
  });
}

export const softmaxInputs = ({ rows, columns }: RowShape): { x: Float32Array } => ({
  x: randomFloats(rows * columns, 8, 5),
});

/** In float64. Rounding x − max costs up to 16 · 2⁻²⁴ of the result, the rest a few units more. */
export const checkSoftmax =
  ({ rows, columns }: RowShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const x = inputs.x as Float32Array;
    const expected = new Float64Array(x.length);
    for (let row = 0; row < rows; row++) {
      const values = x.subarray(row * columns, (row + 1) * columns);
      const most = values.reduce((a, b) => Math.max(a, b));
      const weights = Array.from(values, (value) => Math.exp(value - most));
      const total = weights.reduce((a, b) => a + b);
      expected.set(
        weights.map((weight) => weight / total),
        row * columns,
      );
    }
    return within(y, expected, (i) => 32 * 2 ** -24 * expected[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RowShape>({
    name: "softmax",
    about: "whole rows in blocks, the last one ragged",
    full: { rows: 1000, columns: 512 },
    small: { rows: 10, columns: 16 },
    graph: (shape) => softmax(shape, shape.rows < 128 ? 4 : 128),
    inputs: softmaxInputs,
    check: checkSoftmax,
  }),
];

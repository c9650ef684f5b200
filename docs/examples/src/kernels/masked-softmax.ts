/**
 * Softmax over the first `length` elements of each row, zeros behind them: batches of sequences of
 * different lengths. A row of length 0 is all zeros, not NaN.
 */
import { cdiv, f32, type Graph, graph, i32, iota, kernel, tensor, where } from "gridfuse";
import {
  type Check,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface MaskedShape {
  readonly rows: number;
  readonly columns: number;
  readonly block: number;
}

/** x: f32[rows, columns], length: i32[rows] → y: f32[rows, columns]. */
export function maskedSoftmax({ rows, columns, block }: MaskedShape): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]);
  const softmaxRows = kernel(
    "masked_softmax",
    {
      grid: { i: cdiv(rows, block) },
      inputs: { x: blocks, length: tensor(i32, [rows]).blocks([block], ({ i }) => [i]) },
      outputs: { y: blocks },
    },
    ({ x, length, y }) => {
      const inside = iota(i32, [block, columns], 1).lt(length.get().reshape([block, 1]));
      const greatest = where(inside, x.get(), -Infinity).max({ axis: 1, keepDims: true });
      const weights = where(inside, x.get().sub(greatest).exp(), 0);
      const total = weights.sum({ axis: 1, keepDims: true });
      y.set(where(inside, weights.div(total), 0));
    },
  );
  return graph(softmaxRows.inputs, softmaxRows, { name: "masked_softmax" });
}

const inputs = ({ rows, columns }: MaskedShape): Inputs => ({
  x: randomFloats(rows * columns, 8, 78),
  length: randomInts(rows, columns + 1, 79),
});

/** In float64, row by row; the tolerance is that of the softmax without a mask. */
const check =
  ({ rows, columns }: MaskedShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const [x, length] = [inputs.x as Float32Array, inputs.length as Int32Array];
    const expected = new Float64Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const from = row * columns;
      const weights = Array.from(x.subarray(from, from + length[row]), Math.exp);
      const total = weights.reduce((a, b) => a + b, 0);
      expected.set(
        weights.map((weight) => weight / total),
        from,
      );
    }
    return within(y, expected, (i) => 32 * 2 ** -24 * expected[i] + 2 ** -149);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<MaskedShape>({
    name: "masked softmax",
    about: "rows of different lengths, some empty",
    full: { rows: 1000, columns: 512, block: 64 },
    small: { rows: 10, columns: 7, block: 4 },
    graph: maskedSoftmax,
    inputs,
    check,
  }),
];

/** Rows divided by their root mean square and stretched (Zhang and Sennrich, 2019): no mean to subtract. */
import { cdiv, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface NormShape {
  readonly rows: number;
  readonly columns: number;
  readonly block: number;
}

const epsilon = 1e-6;

/** x: f32[rows, columns], scale: f32[columns] → y: f32[rows, columns]; the last block may be ragged. */
export function rmsNorm({ rows, columns, block }: NormShape): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]);
  const normalise = kernel(
    "rms_norm",
    {
      grid: { i: cdiv(rows, block) },
      inputs: { x: blocks, scale: tensor(f32, [columns]) },
      outputs: { y: blocks },
    },
    ({ x, scale, y }) => {
      const meanSquare = x.get().square().mean({ axis: 1, keepDims: true });
      y.set(x.get().mul(meanSquare.add(epsilon).rsqrt()).mul(scale.get()));
    },
  );
  return graph(normalise.inputs, normalise, { name: "rms_norm" });
}

const inputs = ({ rows, columns }: NormShape): Inputs => ({
  x: randomFloats(rows * columns, 3, 71),
  scale: randomFloats(columns, 2, 72),
});

/** In float64. A sum of squares in any tree of 16 lanes and segments loses a few units, the rest five more. */
const check =
  ({ rows, columns }: NormShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const [x, scale] = [inputs.x as Float32Array, inputs.scale as Float32Array];
    const expected = new Float64Array(x.length);
    for (let row = 0; row < rows; row++) {
      const values = x.subarray(row * columns, (row + 1) * columns);
      let squares = 0;
      for (const value of values) squares += value * value;
      const size = Math.sqrt(squares / columns + epsilon);
      for (const [column, value] of values.entries()) {
        expected[row * columns + column] = (value / size) * scale[column];
      }
    }
    return within(y, expected, (i) => 2 ** -20 * Math.abs(expected[i]) + 2 ** -126);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<NormShape>({
    name: "RMS norm",
    about: "one reduction of a row and the row again",
    full: { rows: 1000, columns: 768, block: 64 },
    small: { rows: 10, columns: 20, block: 4 },
    graph: rmsNorm,
    inputs,
    check,
  }),
];

/**
 * Layer normalisation (Ba, Kiros, Hinton, 2016): every row is shifted to mean 0 and scaled to variance 1,
 * then stretched by learned weights. Two reductions that depend on each other, one kernel for the call.
 */
import { cdiv, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import type { RowShape } from "./softmax.ts";

const epsilon = 1e-5;

/** x: f32[rows, columns], scale and shift: f32[columns] → y: f32[rows, columns]. */
export function layerNorm({ rows, columns }: RowShape, blockRows = 128): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([blockRows, columns], ({ i }) => [i, 0]);
  const perColumn = tensor(f32, [columns]);
  const normalise = kernel(
    "layer_norm",
    {
      grid: { i: cdiv(rows, blockRows) },
      inputs: { x: blocks, scale: perColumn, shift: perColumn },
      outputs: { y: blocks },
    },
    ({ x, scale, shift, y }) => {
      const centred = x.get().sub(x.get().mean({ axis: 1, keepDims: true }));
      const variance = centred.square().mean({ axis: 1, keepDims: true });
      const normal = centred.mul(variance.add(epsilon).rsqrt());
      y.set(normal.mul(scale.get()).add(shift.get()));
    },
  );
  const inputs = { x: tensor(f32, [rows, columns]), scale: perColumn, shift: perColumn };
  return graph(inputs, (given) => normalise(given), { name: "layer_norm" });
}

export const layerNormInputs = ({
  rows,
  columns,
}: RowShape): { x: Float32Array; scale: Float32Array; shift: Float32Array } => ({
  x: randomFloats(rows * columns, 3, 6),
  scale: randomFloats(columns, 2, 7),
  shift: randomFloats(columns, 1, 8),
});

/** In float64, to 2⁻²⁰ of the greatest value that the sum of scaled row and shift goes through. */
export const checkLayerNorm =
  ({ rows, columns }: RowShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const x = inputs.x as Float32Array;
    const [scale, shift] = [inputs.scale as Float32Array, inputs.shift as Float32Array];
    const expected = new Float64Array(x.length);
    const magnitude = new Float64Array(x.length);
    for (let row = 0; row < rows; row++) {
      const values = Array.from(x.subarray(row * columns, (row + 1) * columns));
      const mean = values.reduce((a, b) => a + b) / columns;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns;
      const deviation = Math.sqrt(variance + epsilon);
      for (const [column, value] of values.entries()) {
        const scaled = ((value - mean) / deviation) * scale[column];
        expected[row * columns + column] = scaled + shift[column];
        magnitude[row * columns + column] = Math.abs(scaled) + Math.abs(shift[column]) + 1;
      }
    }
    return within(y, expected, (i) => 2 ** -20 * magnitude[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RowShape>({
    name: "layer norm",
    about: "two reductions of a row that depend on each other",
    full: { rows: 1000, columns: 512 },
    small: { rows: 10, columns: 16 },
    graph: (shape) => layerNorm(shape, shape.rows < 128 ? 4 : 128),
    inputs: layerNormInputs,
    check: checkLayerNorm,
  }),
];

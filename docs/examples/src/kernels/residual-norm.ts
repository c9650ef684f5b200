/**
 * The seam between two transformer blocks: x + r goes on as it is, and normalised into the next layer.
 * One kernel with two outputs reads both inputs once.
 */
import { cdiv, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface ResidualShape {
  readonly rows: number;
  readonly columns: number;
  readonly block: number;
}

const epsilon = 1e-5;

/** x, r: f32[rows, columns], scale: f32[columns] → sum and normal: f32[rows, columns]. */
export function residualNorm({ rows, columns, block }: ResidualShape): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]);
  const addAndNormalise = kernel(
    "residual_norm",
    {
      grid: { i: cdiv(rows, block) },
      inputs: { x: blocks, r: blocks, scale: tensor(f32, [columns]) },
      outputs: { sum: blocks, normal: blocks },
    },
    ({ x, r, scale, sum, normal }) => {
      const added = x.get().add(r.get());
      const centred = added.sub(added.mean({ axis: 1, keepDims: true }));
      const variance = centred.square().mean({ axis: 1, keepDims: true });
      sum.set(added);
      normal.set(centred.mul(variance.add(epsilon).rsqrt()).mul(scale.get()));
    },
  );
  return graph(addAndNormalise.inputs, addAndNormalise, { name: "residual_norm" });
}

const inputs = ({ rows, columns }: ResidualShape): Inputs => ({
  x: randomFloats(rows * columns, 3, 73),
  r: randomFloats(rows * columns, 1, 74),
  scale: randomFloats(columns, 2, 75),
});

/** The sum exactly; the norm in float64 of that sum, to 2⁻²⁰ of what a row is scaled by. */
const check =
  ({ rows, columns }: ResidualShape) =>
  (inputs: Inputs, { sum, normal }: Outputs): Check => {
    const [x, r] = [inputs.x as Float32Array, inputs.r as Float32Array];
    const scale = inputs.scale as Float32Array;
    const added = x.map((value, i) => value + r[i]);
    const same = exactly(sum, added);
    if (!same.ok) return same;
    const expected = new Float64Array(x.length);
    for (let row = 0; row < rows; row++) {
      const values = added.subarray(row * columns, (row + 1) * columns);
      let [total, squares] = [0, 0];
      for (const value of values) total += value;
      for (const value of values) squares += (value - total / columns) ** 2;
      const deviation = Math.sqrt(squares / columns + epsilon);
      for (const [column, value] of values.entries()) {
        expected[row * columns + column] = ((value - total / columns) / deviation) * scale[column];
      }
    }
    return within(
      normal,
      expected,
      (i) => 2 ** -20 * (Math.abs(expected[i]) + Math.abs(scale[i % columns])),
    );
  };

export const examples: readonly SuiteExample[] = [
  defineExample<ResidualShape>({
    name: "residual and layer norm",
    about: "two outputs of one pass over the rows",
    full: { rows: 1000, columns: 512, block: 64 },
    small: { rows: 10, columns: 20, block: 4 },
    graph: residualNorm,
    inputs,
    check,
  }),
];

/**
 * A matrix turned over, block by block: where a block goes is said by the index map of the output, what
 * happens inside by the body. On hardware the blocks make both sides of the copy contiguous.
 */
import { cdiv, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import type { RowShape } from "./softmax.ts";

/** x: f32[rows, columns] → y: f32[columns, rows]; blocks may reach beyond both edges. */
export function transpose({ rows, columns }: RowShape, block = 128): Graph {
  const turn = kernel(
    "transpose",
    {
      grid: { i: cdiv(rows, block), j: cdiv(columns, block) },
      inputs: { x: tensor(f32, [rows, columns]).blocks([block, block], ({ i, j }) => [i, j]) },
      outputs: { y: tensor(f32, [columns, rows]).blocks([block, block], ({ i, j }) => [j, i]) },
    },
    ({ x, y }) => y.set(x.get().transpose()),
  );
  return graph(turn.inputs, turn, { name: "transpose" });
}

const transposeInputs = ({ rows, columns }: RowShape) => ({
  x: randomFloats(rows * columns, 1, 51),
});

const checkTranspose =
  ({ rows, columns }: RowShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const x = inputs.x as Float32Array;
    const expected = x.map((_, at) => x[(at % rows) * columns + Math.floor(at / rows)]);
    return exactly(y, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RowShape>({
    name: "transpose by blocks",
    about: "index maps that disagree on the order of the axes",
    full: { rows: 1000, columns: 1500 },
    small: { rows: 10, columns: 7 },
    graph: (shape) => transpose(shape, shape.rows < 128 ? 4 : 128),
    inputs: transposeInputs,
    check: checkTranspose,
  }),
];

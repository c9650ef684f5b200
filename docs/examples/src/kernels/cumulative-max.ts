/**
 * The greatest value so far along every row. A row is longer than a block, so the greatest value of the
 * blocks before is carried in scratch; what the blocks find there are the prefixes of a maximum.
 */
import { f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import type { RowShape } from "./softmax.ts";

const block = [8, 512] as const;

/** x: f32[rows, columns] → most: f32[rows, columns]; both are multiples of the block. */
export function cumulativeMax({ rows, columns }: RowShape): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks(block, ({ i, j }) => [i, j]);
  const scanRows = kernel(
    "cumulative_max",
    {
      grid: { i: rows / block[0], j: columns / block[1] },
      inputs: { x: blocks },
      outputs: { most: blocks },
      scratch: { before: vmem(f32, [block[0], 1]) },
    },
    ({ x, most, before }, { j }) => {
      when(j.isFirst, () => before.set(-Infinity));
      most.set(x.get().cummax({ axis: 1 }).maximum(before.get()));
      before.set(before.get().maximum(x.get().max({ axis: 1, keepDims: true })));
    },
  );
  return graph(scanRows.inputs, scanRows, { name: "cumulative_max" });
}

/** Rows that rise slowly, so that the greatest value keeps changing. */
export const cumulativeMaxInputs = ({ rows, columns }: RowShape): { x: Float32Array } => ({
  x: randomFloats(rows * columns, 1, 26).map((value, i) => value + (i % columns) / columns),
});

export const checkCumulativeMax =
  ({ columns }: RowShape) =>
  ({ x }: Inputs, { most }: Outputs): Check => {
    const expected = Float32Array.from(x as Float32Array);
    for (let i = 0; i < expected.length; i++) {
      if (i % columns > 0) expected[i] = Math.max(expected[i], expected[i - 1]);
    }
    return exactly(most, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RowShape>({
    name: "cumulative max",
    about: "rows longer than a block, all of them at once",
    full: { rows: 64, columns: 8192 },
    small: { rows: 16, columns: 1024 },
    graph: cumulativeMax,
    inputs: cumulativeMaxInputs,
    check: checkCumulativeMax,
  }),
];

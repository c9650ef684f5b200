/**
 * The k greatest of a long row, best first: every block finds its own k, and those are the only candidates
 * for the final choice (the two stages of approximate top-k on TPUs, Chern et al., 2022, here exact because
 * every block keeps k). Among equals the first wins in both stages.
 */
import { f32, type Graph, graph, i32, kernel, tensor } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface TopKShape {
  readonly rows: number;
  /** A multiple of the block. */
  readonly columns: number;
  readonly k: number;
}

/** x: f32[rows, columns] → values: f32[rows, k], at: i32[rows, k]. */
export function topK({ rows, columns, k }: TopKShape, block = 1024): Graph {
  const blocks = columns / block;
  const [values, at] = [tensor(f32, [rows, blocks * k]), tensor(i32, [rows, blocks * k])];
  const perBlock = kernel(
    "top_k_of_blocks",
    {
      grid: { j: blocks },
      inputs: { x: tensor(f32, [rows, columns]).blocks([rows, block], ({ j }) => [0, j]) },
      outputs: {
        values: values.blocks([rows, k], ({ j }) => [0, j]),
        at: at.blocks([rows, k], ({ j }) => [0, j]),
      },
    },
    (refs, { j }) => {
      const own = refs.x.get().topK(k);
      refs.values.set(own.values);
      refs.at.set(own.indices.add(j.mul(block)));
    },
  );
  const merge = kernel(
    "top_k_of_candidates",
    {
      grid: { row: rows },
      inputs: {
        values: values.blocks([1, blocks * k], ({ row }) => [row, 0]),
        at: at.blocks([1, blocks * k], ({ row }) => [row, 0]),
      },
      outputs: {
        best: tensor(f32, [rows, k]).blocks([1, k], ({ row }) => [row, 0]),
        place: tensor(i32, [rows, k]).blocks([1, k], ({ row }) => [row, 0]),
      },
    },
    (refs) => {
      const best = refs.values.get().topK(k);
      refs.best.set(best.values);
      refs.place.set(refs.at.get().takeAlongAxis(best.indices, { axis: 1 }));
    },
  );
  return graph({ x: tensor(f32, [rows, columns]) }, ({ x }) => merge(perBlock({ x })), {
    name: "top_k",
  });
}

/** With ties. */
export const topKInputs = ({ rows, columns }: TopKShape): { x: Float32Array } => ({
  x: randomFloats(rows * columns, 3000, 32).map(Math.round),
});

/** The first k of all columns in descending order. */
export const checkTopK =
  ({ rows, columns, k }: TopKShape) =>
  ({ x }: Inputs, { best, place }: Outputs): Check => {
    const order = Array.from({ length: rows }, (_, row) => {
      const values = (x as Float32Array).subarray(row * columns, (row + 1) * columns);
      return Array.from(values.keys())
        .sort((a, b) => values[b] - values[a] || a - b)
        .slice(0, k)
        .map((column) => ({ column, value: values[column] }));
    }).flat();
    const values = exactly(
      best,
      Float32Array.from(order, ({ value }) => value),
    );
    if (!values.ok) return values;
    return exactly(
      place,
      Int32Array.from(order, ({ column }) => column),
    );
  };

export const examples: readonly SuiteExample[] = [
  defineExample<TopKShape>({
    name: "top-k",
    about: "candidates of every block, then the best of them",
    full: { rows: 8, columns: 65_536, k: 16 },
    small: { rows: 2, columns: 4096, k: 5 },
    graph: (shape) => topK(shape),
    inputs: topKInputs,
    check: checkTopK,
  }),
];

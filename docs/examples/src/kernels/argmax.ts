/**
 * Where the greatest value of every row stands, for rows longer than a block: the next token of a greedy
 * decoder over a vocabulary. The state is a pair (greatest value, its column); among equals the first wins.
 */
import { f32, type Graph, graph, i32, kernel, tensor, vmem, when, where } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import type { RowShape } from "./softmax.ts";

/** x: f32[rows, columns] → at: i32[rows, 1]; columns are a multiple of the block. */
export function argmax({ rows, columns }: RowShape, block = 1024): Graph {
  const search = kernel(
    "argmax",
    {
      grid: { j: columns / block },
      inputs: { x: tensor(f32, [rows, columns]).blocks([rows, block], ({ j }) => [0, j]) },
      outputs: { at: tensor(i32, [rows, 1]) },
      scratch: { most: vmem(f32, [rows, 1]), where: vmem(i32, [rows, 1]) },
    },
    ({ x, at, most, where: place }, { j }) => {
      when(j.isFirst, () => {
        most.set(-Infinity);
        place.set(0);
      });
      const own = x.get().max({ axis: 1, keepDims: true });
      const column = x.get().argmax({ axis: 1, keepDims: true }).add(j.mul(block));
      const better = own.gt(most.get());
      place.set(where(better, column, place.get()));
      most.set(where(better, own, most.get()));
      when(j.isLast, () => at.set(place.get()));
    },
  );
  return graph(search.inputs, search, { name: "argmax" });
}

/** Whole numbers with many ties. */
export const argmaxInputs = ({ rows, columns }: RowShape): { x: Float32Array } => ({
  x: randomFloats(rows * columns, 500, 28).map(Math.round),
});

export const checkArgmax =
  ({ rows, columns }: RowShape) =>
  ({ x }: Inputs, { at }: Outputs): Check => {
    const expected = Int32Array.from({ length: rows }, (_, row) => {
      const values = (x as Float32Array).subarray(row * columns, (row + 1) * columns);
      return values.indexOf(values.reduce((a, b) => Math.max(a, b)));
    });
    return exactly(at, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RowShape>({
    name: "argmax over blocks",
    about: "the state is a pair: the greatest value and its place",
    full: { rows: 8, columns: 131_072 },
    small: { rows: 2, columns: 4096 },
    graph: (shape) => argmax(shape),
    inputs: argmaxInputs,
    check: checkArgmax,
  }),
];

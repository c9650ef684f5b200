/**
 * Odd-even merge sort of every row (Batcher, 1968): fewer comparators than the bitonic network, all in one
 * direction. Comparator distances shrink inside growing blocks; an element finds its partner by its number.
 */
import { f32, type Graph, graph, i32, iota, kernel, type Tensor, tensor, where } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import type { SortShape } from "./sort.ts";

type Floats = Tensor<"float32">;
type Ints = Tensor<"int32">;

/** One layer: i meets i + distance where `isLower` says so of i. */
function compare(x: Floats, distance: number, isLower: (i: Ints) => Tensor<"bool">): Floats {
  const position = iota(i32, [1, x.shape[1]], 1);
  const isUpper = position.ge(distance).and(isLower(position.sub(distance) as Ints));
  const [above, below] = [x.roll(-distance, { axis: 1 }), x.roll(distance, { axis: 1 })];
  return where(isLower(position), x.minimum(above), where(isUpper, x.maximum(below), x)) as Floats;
}

/** x: f32[rows, n] → sorted: f32[rows, n]. */
export function oddEvenMergeSort({ rows, n }: SortShape, blockRows = 8): Graph {
  const blocks = tensor(f32, [rows, n]).blocks([blockRows, n], ({ row }) => [row, 0]);
  const sortRows = kernel(
    "odd_even_merge_sort",
    { grid: { row: rows / blockRows }, inputs: { x: blocks }, outputs: { sorted: blocks } },
    ({ x, sorted }) => {
      let keys: Floats = x.get();
      for (let size = 1; size < n; size *= 2) {
        for (let distance = size; distance >= 1; distance /= 2) {
          // All distances but the first leave out the first element of a block.
          const first = distance % size;
          keys = compare(keys, distance, (i) => {
            const startsPair = i.sub(first).and(distance).eq(0).and(i.ge(first));
            const inBlock = i.xor(i.add(distance)).lt(2 * size);
            return startsPair.and(inBlock) as Tensor<"bool">;
          });
        }
      }
      sorted.set(keys);
    },
  );
  return graph(sortRows.inputs, sortRows, { name: "odd_even_merge_sort" });
}

export const oddEvenMergeSortInputs = ({ rows, n }: SortShape): { x: Float32Array } => ({
  x: randomFloats(rows * n, 100, 34),
});

export const checkOddEvenMergeSort =
  ({ rows, n }: SortShape) =>
  ({ x }: Inputs, { sorted }: Outputs): Check => {
    const expected = Float32Array.from(x as Float32Array);
    for (let row = 0; row < rows; row++) expected.subarray(row * n, (row + 1) * n).sort();
    return exactly(sorted, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<SortShape>({
    name: "odd-even merge sort",
    about: "a sorting network whose comparators all point one way",
    full: { rows: 64, n: 1024 },
    small: { rows: 8, n: 16 },
    graph: (shape) => oddEvenMergeSort(shape),
    inputs: oddEvenMergeSortInputs,
    check: checkOddEvenMergeSort,
  }),
];

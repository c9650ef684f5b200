/**
 * A block-sparse matrix times a dense one. Rows of tiles keep the numbers of their columns in a table (block
 * CSR with rows padded to equal length, as ELLPACK): index maps read it from prefetched memory to fetch the
 * matching tile of the dense matrix. Padding points at tile 0 and is masked.
 */
import { f32, type Graph, graph, i32, kernel, squeezed, tensor, vmem, when, where } from "gridfuse";
import {
  type Check,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface SparseShape {
  /** Rows and columns of tiles. */
  readonly tiles: number;
  /** Tiles that are kept in a row, at most. */
  readonly kept: number;
  readonly tile: number;
  /** Columns of the dense matrix. */
  readonly columns: number;
}

/**
 * column: i32[tiles, kept], count: i32[tiles], values: f32[tiles, kept, tile, tile], b: f32[tiles·tile, columns]
 * → c: f32[tiles·tile, columns].
 */
export function blockSparseMatmul({ tiles, kept, tile, columns }: SparseShape): Graph {
  const dense = tensor(f32, [tiles * tile, columns]);
  const multiply = kernel(
    "block_sparse_matmul",
    {
      grid: { i: tiles, k: kept },
      prefetch: { column: tensor(i32, [tiles, kept]), count: tensor(i32, [tiles]) },
      inputs: {
        values: tensor(f32, [tiles, kept, tile, tile]).blocks(
          [squeezed, squeezed, tile, tile],
          ({ i, k }) => [i, k, 0, 0],
        ),
        b: dense.blocks([tile, columns], ({ i, k }, { column }) => [column.get(i, k), 0]),
      },
      outputs: { c: dense.blocks([tile, columns], ({ i }) => [i, 0]) },
      scratch: { sum: vmem(f32, [tile, columns]) },
    },
    ({ count, values, b, c, sum }, { i, k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(where(k.lt(count.get(i)), values.get(), 0).dot(b.get()));
      when(k.isLast, () => c.set(sum.get()));
    },
  );
  return graph(multiply.inputs, multiply, { name: "block_sparse_matmul" });
}

const sparseInputs = ({ tiles, kept, tile, columns }: SparseShape) => ({
  column: randomInts(tiles * kept, tiles, 62),
  count: randomInts(tiles, kept + 1, 63),
  values: randomFloats(tiles * kept * tile * tile, 1, 64),
  b: randomFloats(tiles * tile * columns, 1, 65),
});

/** In float64, tile after tile. */
const checkSparse =
  ({ tiles, kept, tile, columns }: SparseShape) =>
  (inputs: Inputs, { c }: Outputs): Check => {
    const [column, count] = [inputs.column as Int32Array, inputs.count as Int32Array];
    const [values, b] = [inputs.values as Float32Array, inputs.b as Float32Array];
    const expected = new Float64Array(tiles * tile * columns);
    for (let i = 0; i < tiles * tile; i++) {
      const row = Math.floor(i / tile);
      for (let k = 0; k < count[row]; k++) {
        for (let t = 0; t < tile; t++) {
          const left = values[((row * kept + k) * tile + (i % tile)) * tile + t];
          const from = (column[row * kept + k] * tile + t) * columns;
          for (let j = 0; j < columns; j++) expected[i * columns + j] += left * b[from + j];
        }
      }
    }
    return within(c, expected, () => (kept * tile) ** 2 * 2 ** -24);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<SparseShape>({
    name: "block-sparse matmul",
    about: "tiles found through a prefetched table",
    full: { tiles: 32, kept: 4, tile: 32, columns: 128 },
    small: { tiles: 4, kept: 2, tile: 4, columns: 8 },
    graph: blockSparseMatmul,
    inputs: sparseInputs,
    check: checkSparse,
  }),
];

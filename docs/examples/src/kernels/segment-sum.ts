/**
 * Sums of the rows that share a label, as a product with one-hot labels: what would be a scatter becomes
 * work for a matrix unit (the usual way on TPUs). Blocks of rows accumulate into the same output.
 */
import { f32, type Graph, graph, i32, iota, kernel, tensor, when } from "gridfuse";
import {
  type Check,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface SegmentShape {
  /** A multiple of the block. */
  readonly rows: number;
  readonly columns: number;
  readonly segments: number;
}

/** x: f32[rows, columns], label: i32[rows] → sums: f32[segments, columns]. */
export function segmentSum({ rows, columns, segments }: SegmentShape, block = 256): Graph {
  const sumBlocks = kernel(
    "segment_sum",
    {
      grid: { i: rows / block },
      inputs: {
        x: tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]),
        label: tensor(i32, [rows]).blocks([block], ({ i }) => [i]),
      },
      outputs: { sums: tensor(f32, [segments, columns]) },
    },
    ({ x, label, sums }, { i }) => {
      when(i.isFirst, () => sums.set(0));
      const mine = iota(i32, [segments, block]).eq(label.get());
      sums.add(mine.astype(f32).dot(x.get()));
    },
  );
  return graph(sumBlocks.inputs, sumBlocks, { name: "segment_sum" });
}

export const segmentSumInputs = ({
  rows,
  columns,
  segments,
}: SegmentShape): { x: Float32Array; label: Int32Array } => ({
  x: randomFloats(rows * columns, 1, 22),
  label: randomInts(rows, segments, 23),
});

/** In float64; a float32 sum is off by at most 2⁻²⁴ of Σ|x| for every term (Higham, §4.2). */
export const checkSegmentSum =
  ({ rows, columns, segments }: SegmentShape) =>
  (inputs: Inputs, { sums }: Outputs): Check => {
    const [x, label] = [inputs.x as Float32Array, inputs.label as Int32Array];
    const expected = new Float64Array(segments * columns);
    const magnitude = new Float64Array(segments * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const value = x[row * columns + column];
        expected[label[row] * columns + column] += value;
        magnitude[label[row] * columns + column] += Math.abs(value);
      }
    }
    return within(sums, expected, (i) => rows * 2 ** -24 * magnitude[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<SegmentShape>({
    name: "segment sum",
    about: "a sum by label as a product with one-hot labels",
    full: { rows: 16_384, columns: 64, segments: 32 },
    small: { rows: 512, columns: 3, segments: 5 },
    graph: (shape) => segmentSum(shape),
    inputs: segmentSumInputs,
    check: checkSegmentSum,
  }),
];

/**
 * How many values fall into each of equally wide bins: a scatter that adds ones (as in TensorFlow's
 * `histogram_fixed_width`, values outside go to the outer bins). Every block of values adds into the same
 * counts, and the order in which they do makes no difference.
 */
import { cdiv, f32, type Graph, graph, i32, iota, kernel, tensor, when, where } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface HistogramShape {
  readonly count: number;
  readonly bins: number;
}

/** x: f32[count] in [−1, 1) → counts: i32[bins]. */
export function histogram({ count, bins }: HistogramShape, block = 4096): Graph {
  const countBlocks = kernel(
    "histogram",
    {
      grid: { i: cdiv(count, block) },
      inputs: { x: tensor(f32, [count]).blocks([block], ({ i }) => [i]) },
      outputs: { counts: tensor(i32, [bins]) },
    },
    ({ x, counts }, { i }) => {
      when(i.isFirst, () => counts.set(0));
      const scaled = x
        .get()
        .add(1)
        .mul(bins / 2)
        .floor();
      const bin = scaled.clamp(0, bins - 1).astype(i32);
      // The last block may reach beyond the array: what lies there counts nothing.
      const position = iota(i32, [block]).add(i.mul(block));
      counts.set(
        counts
          .get()
          .at(bin)
          .add(where(position.lt(count), 1, 0)),
      );
    },
  );
  return graph(countBlocks.inputs, countBlocks, { name: "histogram" });
}

export const histogramInputs = ({ count }: HistogramShape): { x: Float32Array } => ({
  x: randomFloats(count, 1.1, 21),
});

/** Counted one value after the other. */
export const checkHistogram =
  ({ bins }: HistogramShape) =>
  ({ x }: Inputs, { counts }: Outputs): Check => {
    const expected = new Int32Array(bins);
    for (const value of x as Float32Array) {
      const bin = Math.floor(Math.fround(Math.fround(value + 1) * (bins / 2)));
      expected[Math.min(Math.max(bin, 0), bins - 1)] += 1;
    }
    return exactly(counts, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<HistogramShape>({
    name: "histogram",
    about: "blocks of values count into the same bins: a scatter that adds",
    full: { count: 1_000_000, bins: 256 },
    small: { count: 10_000, bins: 16 },
    graph: (shape) => histogram(shape),
    inputs: histogramInputs,
    check: checkHistogram,
  }),
];

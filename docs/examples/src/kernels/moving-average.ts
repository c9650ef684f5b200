/**
 * The mean of a window around every element. Blocks overlap: an `element` block starts wherever the index
 * map says, here one halo before the block it belongs to, and may lie beyond both ends of the array.
 */
import { ds, element, f32, type Graph, graph, i32, iota, kernel, tensor, where } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface WindowShape {
  /** A multiple of the block. */
  readonly n: number;
  /** Neighbours on each side. */
  readonly reach: number;
}

/** x: f32[n] → y: f32[n], where outside of the array is zero. */
export function movingAverage({ n, reach }: WindowShape, block = 1024): Graph {
  const padding = [reach, reach] as const;
  const window = tensor(f32, [n]).blocks([element(block + 2 * reach, { padding })], ({ i }) => [
    i.mul(block),
  ]);
  const average = kernel(
    "moving_average",
    {
      grid: { i: n / block },
      inputs: { x: window },
      outputs: { y: tensor(f32, [n]).blocks([block], ({ i }) => [i]) },
    },
    ({ x, y }, { i }) => {
      const position = iota(i32, [block + 2 * reach]).add(i.mul(block).sub(reach));
      const inside = position.ge(0).and(position.lt(n));
      const values = where(inside, x.get(), 0);
      const windows = Array.from({ length: 2 * reach + 1 }, (_, k) => values.index(ds(k, block)));
      y.set(windows.reduce((a, b) => a.add(b)).div(windows.length));
    },
  );
  return graph(average.inputs, average, { name: "moving_average" });
}

export const movingAverageInputs = ({ n }: WindowShape): { x: Float32Array } => ({
  x: randomFloats(n, 10, 31),
});

/** In float64; as many roundings as there are neighbours, of sums below 10 · window. */
export const checkMovingAverage =
  ({ n, reach }: WindowShape) =>
  ({ x }: Inputs, { y }: Outputs): Check => {
    const values = x as Float32Array;
    const width = 2 * reach + 1;
    const expected = Float64Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let k = Math.max(0, i - reach); k <= Math.min(n - 1, i + reach); k++) sum += values[k];
      return sum / width;
    });
    return within(y, expected, () => width * 2 ** -24 * 10);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<WindowShape>({
    name: "moving average",
    about: "blocks that overlap, placed by element and padded",
    full: { n: 1 << 20, reach: 8 },
    small: { n: 4096, reach: 3 },
    graph: (shape) => movingAverage(shape),
    inputs: movingAverageInputs,
    check: checkMovingAverage,
  }),
];

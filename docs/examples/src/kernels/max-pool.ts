/**
 * 3×3 max pooling with stride 2: windows overlap, so blocks of rows share one row with the next block. The
 * index map names the first element of a block (`element`); strided slices pick the taps.
 */
import { element, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface PoolShape {
  /** Of the output. */
  readonly height: number;
  readonly width: number;
  /** Rows of the output in a block; divides height. */
  readonly block: number;
}

const taps = [0, 1, 2].flatMap((dy) => [0, 1, 2].map((dx) => [dy, dx] as const));

/** x: f32[2 · height + 1, 2 · width + 1] → y: f32[height, width]. */
export function maxPool({ height, width, block }: PoolShape): Graph {
  const pool = kernel(
    "max_pool",
    {
      grid: { i: height / block },
      inputs: {
        x: tensor(f32, [2 * height + 1, 2 * width + 1]).blocks(
          [element(2 * block + 1), 2 * width + 1],
          ({ i }) => [i.mul(2 * block), 0],
        ),
      },
      outputs: { y: tensor(f32, [height, width]).blocks([block, width], ({ i }) => [i, 0]) },
    },
    ({ x, y }) => {
      const every = (d: number, count: number) => `${d}:${d + 2 * count - 1}:2` as const;
      const shifted = taps.map(([dy, dx]) => x.get(every(dy, block), every(dx, width)));
      y.set(shifted.reduce((most, values) => most.maximum(values)));
    },
  );
  return graph(pool.inputs, pool, { name: "max_pool" });
}

const inputs = ({ height, width }: PoolShape): Inputs => ({
  x: randomFloats((2 * height + 1) * (2 * width + 1), 1, 88),
});

const check =
  ({ height, width }: PoolShape) =>
  ({ x }: Inputs, { y }: Outputs): Check => {
    const values = x as Float32Array;
    const stride = 2 * width + 1;
    const expected = Float32Array.from({ length: height * width }, (_, i) => {
      const corner = 2 * Math.floor(i / width) * stride + 2 * (i % width);
      return Math.max(...taps.map(([dy, dx]) => values[corner + dy * stride + dx]));
    });
    return exactly(y, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<PoolShape>({
    name: "max pooling",
    about: "blocks that overlap by a row, taps as strided slices",
    full: { height: 256, width: 256, block: 32 },
    small: { height: 6, width: 5, block: 2 },
    graph: maxPool,
    inputs,
    check,
  }),
];

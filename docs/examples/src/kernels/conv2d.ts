/**
 * 3×3 convolution of images with channels last, with zeros around them. Every tap is one product of
 * shifted pixels with the channels' weights, so the work goes to matrix products.
 */
import { element, f32, type Graph, graph, kernel, pad, squeezed, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface Conv2dShape {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly from: number;
  readonly to: number;
  /** Rows of a block; divides height. */
  readonly block: number;
}

const taps = [0, 1, 2].flatMap((dy) => [0, 1, 2].map((dx) => [dy, dx] as const));

/** x: f32[images, height, width, from], w: f32[3, 3, from, to] → y: f32[images, height, width, to]. */
export function conv2d({ images, height, width, from, to, block }: Conv2dShape): Graph {
  const padded = tensor(f32, [images, height + 2, width + 2, from]);
  const convolve = kernel(
    "conv2d",
    {
      grid: { n: images, i: height / block },
      inputs: {
        x: padded.blocks([squeezed, element(block + 2), width + 2, from], ({ n, i }) => [
          n,
          i.mul(block),
          0,
          0,
        ]),
        w: tensor(f32, [3, 3, from, to]),
      },
      outputs: {
        y: tensor(f32, [images, height, width, to]).blocks(
          [squeezed, block, width, to],
          ({ n, i }) => [n, i, 0, 0],
        ),
      },
    },
    ({ x, w, y }) => {
      const products = taps.map(([dy, dx]) => {
        const pixels = x.get(`${dy}:${dy + block}`, `${dx}:${dx + width}`, ":");
        return pixels.reshape([block * width, from]).dot(w.get(dy, dx));
      });
      const sum = products.reduce((total, product) => total.add(product));
      y.set(sum.reshape([block, width, to]));
    },
  );
  return graph(
    { x: tensor(f32, [images, height, width, from]), w: tensor(f32, [3, 3, from, to]) },
    ({ x, w }) =>
      convolve({
        x: pad(
          x,
          [0, 1, 1, 0].map((by) => [by, by] as const),
        ),
        w,
      }),
    { name: "conv2d" },
  );
}

const inputs = ({ images, height, width, from, to }: Conv2dShape): Inputs => ({
  x: randomFloats(images * height * width * from, 1, 86),
  w: randomFloats(9 * from * to, 1, 87),
});

/** By the definition, in float64; every product of the 9 · from costs up to 2⁻²⁴ of Σ|x·w|. */
const check =
  ({ images, height, width, from, to }: Conv2dShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const [x, w] = [inputs.x as Float32Array, inputs.w as Float32Array];
    const expected = new Float64Array(images * height * width * to);
    const magnitude = new Float64Array(expected.length);
    for (let pixel = 0; pixel < images * height * width; pixel++) {
      const [row, column] = [Math.floor(pixel / width) % height, pixel % width];
      for (const [dy, dx] of taps) {
        const [sourceRow, sourceColumn] = [row + dy - 1, column + dx - 1];
        if (sourceRow < 0 || sourceRow >= height) continue;
        if (sourceColumn < 0 || sourceColumn >= width) continue;
        const source = pixel + (dy - 1) * width + dx - 1;
        for (let c = 0; c < from; c++) {
          for (let d = 0; d < to; d++) {
            const term = x[source * from + c] * w[((dy * 3 + dx) * from + c) * to + d];
            expected[pixel * to + d] += term;
            magnitude[pixel * to + d] += Math.abs(term);
          }
        }
      }
    }
    return within(y, expected, (i) => 9 * from * 2 ** -24 * magnitude[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Conv2dShape>({
    name: "convolution, 2-D",
    about: "3×3 taps as nine products of shifted blocks",
    full: { images: 2, height: 64, width: 64, from: 16, to: 32, block: 8 },
    small: { images: 2, height: 4, width: 5, from: 2, to: 3, block: 2 },
    graph: conv2d,
    inputs,
    check,
  }),
];

/**
 * Causal convolution along a sequence, as audio and state-space models use it. Blocks of positions overlap
 * by taps − 1: `element` lets the index map name the first element, and padding lies before the array. What
 * is read there is unspecified, so it is masked.
 */
import {
  element,
  f32,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  squeezed,
  tensor,
  where,
} from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface Conv1dShape {
  readonly batch: number;
  readonly length: number;
  readonly from: number;
  readonly to: number;
  readonly taps: number;
  /** Divides length. */
  readonly block: number;
}

/** x: f32[batch, length, from], w: f32[taps, from, to] → y: f32[batch, length, to]. */
export function conv1d({ batch, length, from, to, taps, block }: Conv1dShape): Graph {
  const halo = taps - 1;
  const convolve = kernel(
    "conv1d",
    {
      grid: { n: batch, i: length / block },
      inputs: {
        x: tensor(f32, [batch, length, from]).blocks(
          [squeezed, element(block + halo, { padding: [halo, 0] }), from],
          ({ n, i }) => [n, i.mul(block), 0],
        ),
        w: tensor(f32, [taps, from, to]),
      },
      outputs: {
        y: tensor(f32, [batch, length, to]).blocks([squeezed, block, to], ({ n, i }) => [n, i, 0]),
      },
    },
    ({ x, w, y }, { i }) => {
      const position = iota(i32, [block + halo, 1]).add(i.mul(block).sub(halo));
      const inside = where(position.ge(0), x.get(), 0);
      const products = Array.from({ length: taps }, (_, tap) =>
        inside.index(`${tap}:${tap + block}`).dot(w.get(tap)),
      );
      y.set(products.reduce((sum, product) => sum.add(product)));
    },
  );
  return graph(convolve.inputs, convolve, { name: "conv1d" });
}

const inputs = ({ batch, length, from, to, taps }: Conv1dShape): Inputs => ({
  x: randomFloats(batch * length * from, 1, 84),
  w: randomFloats(taps * from * to, 1, 85),
});

/** By the definition, in float64; every product of the taps · from costs up to 2⁻²⁴ of Σ|x·w|. */
const check =
  ({ batch, length, from, to, taps }: Conv1dShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const [x, w] = [inputs.x as Float32Array, inputs.w as Float32Array];
    const expected = new Float64Array(batch * length * to);
    const magnitude = new Float64Array(batch * length * to);
    for (let at = 0; at < batch * length; at++) {
      for (let tap = 0; tap < taps; tap++) {
        const source = at + tap - (taps - 1);
        if (source < at - (at % length)) continue;
        for (let c = 0; c < from; c++) {
          for (let d = 0; d < to; d++) {
            const term = x[source * from + c] * w[(tap * from + c) * to + d];
            expected[at * to + d] += term;
            magnitude[at * to + d] += Math.abs(term);
          }
        }
      }
    }
    return within(y, expected, (i) => taps * from * 2 ** -24 * magnitude[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Conv1dShape>({
    name: "convolution, 1-D",
    about: "overlapping blocks, padding before the array",
    full: { batch: 4, length: 2048, from: 16, to: 32, taps: 4, block: 256 },
    small: { batch: 2, length: 12, from: 3, to: 2, taps: 3, block: 4 },
    graph: conv1d,
    inputs,
    check,
  }),
];

/**
 * Rotary position embedding (Su et al., 2021), the form with halves: pairs (x[d], x[d + depth/2]) turn by
 * an angle that grows with the position and shrinks with d. Angles come from iotas; there is no table.
 */
import { f32, type Graph, graph, iota, kernel, squeezed, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface RotaryShape {
  readonly heads: number;
  readonly length: number;
  /** Even. */
  readonly depth: number;
  /** Divides length. */
  readonly block: number;
}

const base = 10_000;

/** x: f32[heads, length, depth] → y: f32[heads, length, depth]. */
export function rotary({ heads, length, depth, block }: RotaryShape): Graph {
  const half = depth / 2;
  const blocks = tensor(f32, [heads, length, depth]).blocks(
    [squeezed, block, depth],
    ({ head, i }) => [head, i, 0],
  );
  const rotate = kernel(
    "rotary",
    { grid: { head: heads, i: length / block }, inputs: { x: blocks }, outputs: { y: blocks } },
    ({ x, y }, { i }) => {
      const position = iota(f32, [block, half], 0).add(i.mul(block).astype(f32));
      const frequency = iota(f32, [block, half], 1)
        .mul(-Math.log(base) / half)
        .exp();
      const angle = position.mul(frequency);
      const [cos, sin] = [angle.cos(), angle.sin()];
      const [a, b] = [x.get(":", `:${half}`), x.get(":", `${half}:`)];
      y.set(a.mul(cos).sub(b.mul(sin)), ":", `:${half}`);
      y.set(b.mul(cos).add(a.mul(sin)), ":", `${half}:`);
    },
  );
  return graph(rotate.inputs, rotate, { name: "rotary" });
}

const inputs = ({ heads, length, depth }: RotaryShape): Inputs => ({
  x: randomFloats(heads * length * depth, 1, 83),
});

/** In float64. The angle, up to `length`, is a float32: it is off by a few of its last places. */
const check =
  ({ heads, length, depth }: RotaryShape) =>
  ({ x }: Inputs, { y }: Outputs): Check => {
    const values = x as Float32Array;
    const half = depth / 2;
    const expected = new Float64Array(values.length);
    for (let row = 0; row < heads * length; row++) {
      for (let d = 0; d < half; d++) {
        const angle = (row % length) * base ** (-d / half);
        const [at, other] = [row * depth + d, row * depth + d + half];
        expected[at] = values[at] * Math.cos(angle) - values[other] * Math.sin(angle);
        expected[other] = values[other] * Math.cos(angle) + values[at] * Math.sin(angle);
      }
    }
    return within(y, expected, () => 2 ** -21 * (length + 4));
  };

export const examples: readonly SuiteExample[] = [
  defineExample<RotaryShape>({
    name: "rotary embedding",
    about: "angles from iotas, two halves of a row written apart",
    full: { heads: 8, length: 1024, depth: 64, block: 128 },
    small: { heads: 2, length: 8, depth: 6, block: 4 },
    graph: rotary,
    inputs,
    check,
  }),
];

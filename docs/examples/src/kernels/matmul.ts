/**
 * Tiled matrix product. The last grid axis walks along the summed dimension: its first step clears the
 * accumulator, every step adds a product of tiles, the last one writes the tile out. That is how it is
 * written; gridfuse finds that k is a reduction and runs one product.
 */
import { cdiv, f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

/** a: f32[n, n], b: f32[n, n] → c: f32[n, n]. */
export function matmul(n: number, tile = 128, depth = 64): Graph {
  const square = tensor(f32, [n, n]);
  const product = kernel(
    "matmul",
    {
      grid: { i: cdiv(n, tile), j: cdiv(n, tile), k: cdiv(n, depth) },
      inputs: {
        a: square.blocks([tile, depth], ({ i, k }) => [i, k]),
        b: square.blocks([depth, tile], ({ k, j }) => [k, j]),
      },
      outputs: { c: square.blocks([tile, tile], ({ i, j }) => [i, j]) },
      scratch: { sum: vmem(f32, [tile, tile]) },
    },
    ({ a, b, c, sum }, { k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(a.get().dot(b.get()));
      when(k.isLast, () => c.set(sum.get()));
    },
  );
  return graph({ a: square, b: square }, ({ a, b }) => product({ a, b }), { name: "matmul" });
}

export const matmulInputs = (n: number): { a: Float32Array; b: Float32Array } => ({
  a: randomFloats(n * n, 1, 3),
  b: randomFloats(n * n, 1, 4),
});

/** Three loops in float64. A float32 sum of n products is off by at most n · 2⁻²⁴ · Σ|a·b| (Higham, §3.1). */
export const checkMatmul =
  (n: number) =>
  (inputs: Inputs, { c }: Outputs): Check => {
    const [a, b] = [inputs.a as Float32Array, inputs.b as Float32Array];
    const expected = new Float64Array(n * n);
    const magnitude = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < n; k++) {
        const left = a[i * n + k];
        for (let j = 0; j < n; j++) {
          const term = left * b[k * n + j];
          expected[i * n + j] += term;
          magnitude[i * n + j] += Math.abs(term);
        }
      }
    }
    return within(c, expected, (i) => n * 2 ** -24 * magnitude[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "matmul",
    about: "tiles along three axes, the summed one last",
    full: 512,
    small: 24,
    graph: (n) => (n < 128 ? matmul(n, 8, 6) : matmul(n)),
    inputs: matmulInputs,
    check: checkMatmul,
  }),
];

/**
 * Σ x·y over blocks: the smallest kernel with a reduction axis. The output is one number that every grid
 * point adds to.
 */
import { cdiv, f32, type Graph, graph, iota, kernel, tensor, when, where } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

/** x, y: f32[n] → sum: f32[1]; n need not be a multiple of the block. */
export function dotProduct(n: number, block = 8192): Graph {
  const blocks = tensor(f32, [n]).blocks([block], ({ i }) => [i]);
  const accumulate = kernel(
    "dot_product",
    {
      grid: { i: cdiv(n, block) },
      inputs: { x: blocks, y: blocks },
      outputs: { sum: tensor(f32, [1]) },
    },
    ({ x, y, sum }, { i }) => {
      when(i.isFirst, () => sum.set(0));
      const inside = iota("int32", [block]).add(i.mul(block)).lt(n);
      sum.add(where(inside, x.get().mul(y.get()), 0).sum({ keepDims: true }));
    },
  );
  return graph(accumulate.inputs, accumulate, { name: "dot_product" });
}

export const dotProductInputs = (n: number): { x: Float32Array; y: Float32Array } => ({
  x: randomFloats(n, 1, 29),
  y: randomFloats(n, 1, 30),
});

/** In float64; n roundings, and one for every product (Higham, §3.1). */
export function checkDotProduct(inputs: Inputs, { sum }: Outputs): Check {
  const [x, y] = [inputs.x as Float32Array, inputs.y as Float32Array];
  let [total, magnitude] = [0, 0];
  for (const [i, value] of x.entries()) {
    total += value * y[i];
    magnitude += Math.abs(value * y[i]);
  }
  return within(sum, Float64Array.of(total), () => x.length * 2 ** -24 * magnitude);
}

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "dot product",
    about: "every grid point adds to one number",
    full: 1_000_000,
    small: 10_000,
    graph: (n) => dotProduct(n),
    inputs: dotProductInputs,
    check: () => checkDotProduct,
  }),
];

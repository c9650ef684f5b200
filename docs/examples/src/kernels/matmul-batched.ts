/**
 * One product for each element of a batch. The batch is one more grid axis and a squeezed dim of every
 * block, so the body is that of a single product.
 */
import { f32, type Graph, graph, kernel, squeezed, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { checkProduct, multiply, type ProductShape } from "./product.ts";

interface BatchedShape extends ProductShape {
  readonly batch: number;
  /** Divides m, depth and n. */
  readonly tile: number;
}

/** a: f32[batch, m, depth], b: f32[batch, depth, n] → c: f32[batch, m, n]. */
export function matmulBatched({ batch, m, depth, n, tile }: BatchedShape): Graph {
  const block = [squeezed, tile, tile] as const;
  const product = kernel(
    "matmul_batched",
    {
      grid: { batch, i: m / tile, j: n / tile, k: depth / tile },
      inputs: {
        a: tensor(f32, [batch, m, depth]).blocks(block, ({ batch, i, k }) => [batch, i, k]),
        b: tensor(f32, [batch, depth, n]).blocks(block, ({ batch, j, k }) => [batch, k, j]),
      },
      outputs: {
        c: tensor(f32, [batch, m, n]).blocks(block, ({ batch, i, j }) => [batch, i, j]),
      },
      scratch: { sum: vmem(f32, [tile, tile]) },
    },
    ({ a, b, c, sum }, { k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(a.get().dot(b.get()));
      when(k.isLast, () => c.set(sum.get()));
    },
  );
  return graph(product.inputs, product, { name: "matmul_batched" });
}

const inputs = ({ batch, m, depth, n }: BatchedShape): Inputs => ({
  a: randomFloats(batch * m * depth, 1, 53),
  b: randomFloats(batch * depth * n, 1, 54),
});

const check =
  (shape: BatchedShape) =>
  (inputs: Inputs, { c }: Outputs): Check => {
    const { batch, m, depth, n } = shape;
    const [a, b] = [inputs.a as Float32Array, inputs.b as Float32Array];
    const values = new Float64Array(batch * m * n);
    const magnitude = new Float64Array(batch * m * n);
    for (let e = 0; e < batch; e++) {
      const left = a.subarray(e * m * depth, (e + 1) * m * depth);
      const one = multiply(shape, left, b.subarray(e * depth * n, (e + 1) * depth * n));
      values.set(one.values, e * m * n);
      magnitude.set(one.magnitude, e * m * n);
    }
    return checkProduct(c, { values, magnitude }, depth);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<BatchedShape>({
    name: "matmul, batched",
    about: "the batch as one more grid axis",
    full: { batch: 16, m: 128, depth: 128, n: 128, tile: 64 },
    small: { batch: 3, m: 8, depth: 12, n: 4, tile: 4 },
    graph: matmulBatched,
    inputs,
    check,
  }),
];

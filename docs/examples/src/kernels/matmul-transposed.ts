/**
 * aᵀ · bᵀ without a transposed copy: the index maps swap the coordinates, and the body transposes tiles.
 * Weights are often stored this way round, and gradients need it.
 */
import { cdiv, f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { checkProduct, multiply, type ProductShape, transposed } from "./product.ts";

/** a: f32[depth, m], b: f32[n, depth] → c: f32[m, n]; the tile divides all three. */
export function matmulTransposed({ m, depth, n }: ProductShape, tile: number): Graph {
  const product = kernel(
    "matmul_transposed",
    {
      grid: { i: cdiv(m, tile), j: cdiv(n, tile), k: cdiv(depth, tile) },
      inputs: {
        a: tensor(f32, [depth, m]).blocks([tile, tile], ({ i, k }) => [k, i]),
        b: tensor(f32, [n, depth]).blocks([tile, tile], ({ j, k }) => [j, k]),
      },
      outputs: { c: tensor(f32, [m, n]).blocks([tile, tile], ({ i, j }) => [i, j]) },
      scratch: { sum: vmem(f32, [tile, tile]) },
    },
    ({ a, b, c, sum }, { k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(a.get().transpose().dot(b.get().transpose()));
      when(k.isLast, () => c.set(sum.get()));
    },
  );
  return graph(product.inputs, product, { name: "matmul_transposed" });
}

const inputs = ({ m, depth, n }: ProductShape): Inputs => ({
  a: randomFloats(m * depth, 1, 51),
  b: randomFloats(depth * n, 1, 52),
});

const check =
  (shape: ProductShape) =>
  ({ a, b }: Inputs, { c }: Outputs): Check => {
    const left = transposed(a as Float32Array, shape.depth, shape.m);
    const right = transposed(b as Float32Array, shape.n, shape.depth);
    return checkProduct(c, multiply(shape, left, right), shape.depth);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<ProductShape & { readonly tile: number }>({
    name: "matmul, transposed",
    about: "both operands stored the other way round, no copy",
    full: { m: 384, depth: 256, n: 512, tile: 64 },
    small: { m: 8, depth: 12, n: 16, tile: 4 },
    graph: (size) => matmulTransposed(size, size.tile),
    inputs,
    check,
  }),
];

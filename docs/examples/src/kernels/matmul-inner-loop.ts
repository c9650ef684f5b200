/**
 * A matrix product as written for GPUs: a grid point owns a tile of the result, sees the rows and columns it
 * needs whole, and walks along them in a loop of its own. The loop only adds up products of parts, so
 * gridfuse runs one product here as well.
 */
import { ds, f32, fori, full, type Graph, graph, kernel, tensor } from "gridfuse";
import { defineExample, type SuiteExample } from "../example.ts";
import { checkMatmul, matmulInputs } from "./matmul.ts";

/** a: f32[n, n], b: f32[n, n] → c: f32[n, n]; n is a multiple of the tile and of the depth of a step. */
export function matmulInnerLoop(n: number, tile = 64, depth = 32): Graph {
  const square = tensor(f32, [n, n]);
  const product = kernel(
    "matmul_inner_loop",
    {
      grid: { i: n / tile, j: n / tile },
      inputs: {
        a: square.blocks([tile, n], ({ i }) => [i, 0]),
        b: square.blocks([n, tile], ({ j }) => [0, j]),
      },
      outputs: { c: square.blocks([tile, tile], ({ i, j }) => [i, j]) },
    },
    ({ a, b, c }) => {
      const sum = fori(0, n / depth, full(f32, [tile, tile], 0), (k, sum) => {
        const part = ds(k.mul(depth), depth);
        return sum.add(a.get(":", part).dot(b.get(part)));
      });
      c.set(sum);
    },
  );
  return graph(product.inputs, product, { name: "matmul_inner_loop" });
}

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "matmul, inner loop",
    about: "the sum of products is a loop in the body, not a grid axis",
    full: 256,
    small: 16,
    graph: (n) => matmulInnerLoop(n, n < 64 ? 8 : 64, n < 64 ? 4 : 32),
    inputs: matmulInputs,
    check: checkMatmul,
  }),
];

/** int8 operands, int32 sums: the product of quantised layers. Whole numbers, so the result is exact. */
import { cdiv, type Graph, graph, i8, i32, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomInts } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { multiply, type ProductShape } from "./product.ts";

/** a: i8[m, depth], b: i8[depth, n] → c: i32[m, n]; the tile divides all three. */
export function matmulInt8({ m, depth, n }: ProductShape, tile: number): Graph {
  const product = kernel(
    "matmul_int8",
    {
      grid: { i: cdiv(m, tile), j: cdiv(n, tile), k: cdiv(depth, tile) },
      inputs: {
        a: tensor(i8, [m, depth]).blocks([tile, tile], ({ i, k }) => [i, k]),
        b: tensor(i8, [depth, n]).blocks([tile, tile], ({ j, k }) => [k, j]),
      },
      outputs: { c: tensor(i32, [m, n]).blocks([tile, tile], ({ i, j }) => [i, j]) },
      scratch: { sum: vmem(i32, [tile, tile]) },
    },
    ({ a, b, c, sum }, { k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(a.get().dot(b.get(), { dtype: i32 }));
      when(k.isLast, () => c.set(sum.get()));
    },
  );
  return graph(product.inputs, product, { name: "matmul_int8" });
}

const inputs = ({ m, depth, n }: ProductShape): Inputs => ({
  a: Int8Array.from(randomInts(m * depth, 256, 57)),
  b: Int8Array.from(randomInts(depth * n, 256, 58)),
});

/** Sums in float64 are exact here: they stay far below 2⁵³. */
const check =
  (shape: ProductShape) =>
  ({ a, b }: Inputs, { c }: Outputs): Check =>
    exactly(c, Int32Array.from(multiply(shape, a as Int8Array, b as Int8Array).values));

export const examples: readonly SuiteExample[] = [
  defineExample<ProductShape & { readonly tile: number }>({
    name: "matmul, int8 → int32",
    about: "quantised operands, exact sums",
    full: { m: 256, depth: 512, n: 256, tile: 128 },
    small: { m: 8, depth: 12, n: 16, tile: 4 },
    graph: (size) => matmulInt8(size, size.tile),
    inputs,
    check,
  }),
];

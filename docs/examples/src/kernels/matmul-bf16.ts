/**
 * bfloat16 operands, float32 sums: what matrix units do. `dot` with a dtype says what it gives, and the
 * products of two bfloat16 numbers are exact in float32.
 */
import { bf16, cdiv, f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { checkProduct, multiply, type ProductShape } from "./product.ts";

/** a: bf16[m, depth], b: bf16[depth, n] → c: f32[m, n]; the tile divides all three. */
export function matmulBf16({ m, depth, n }: ProductShape, tile: number): Graph {
  const product = kernel(
    "matmul_bf16",
    {
      grid: { i: cdiv(m, tile), j: cdiv(n, tile), k: cdiv(depth, tile) },
      inputs: {
        a: tensor(bf16, [m, depth]).blocks([tile, tile], ({ i, k }) => [i, k]),
        b: tensor(bf16, [depth, n]).blocks([tile, tile], ({ j, k }) => [k, j]),
      },
      outputs: { c: tensor(f32, [m, n]).blocks([tile, tile], ({ i, j }) => [i, j]) },
      scratch: { sum: vmem(f32, [tile, tile]) },
    },
    ({ a, b, c, sum }, { k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(a.get().dot(b.get(), { dtype: f32 }));
      when(k.isLast, () => c.set(sum.get()));
    },
  );
  return graph(product.inputs, product, { name: "matmul_bf16" });
}

/** The upper half of a float32, cut off: an array of bfloat16 is an array of these. */
const toBfloat16 = (x: Float32Array): Uint16Array =>
  Uint16Array.from(new Uint32Array(x.buffer), (bits) => bits >>> 16);
const fromBfloat16 = (x: Uint16Array): Float32Array =>
  new Float32Array(Uint32Array.from(x, (bits) => bits << 16).buffer);

const inputs = ({ m, depth, n }: ProductShape): Inputs => ({
  a: toBfloat16(randomFloats(m * depth, 1, 55)),
  b: toBfloat16(randomFloats(depth * n, 1, 56)),
});

const check =
  (shape: ProductShape) =>
  ({ a, b }: Inputs, { c }: Outputs): Check => {
    const [left, right] = [fromBfloat16(a as Uint16Array), fromBfloat16(b as Uint16Array)];
    return checkProduct(c, multiply(shape, left, right), shape.depth);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<ProductShape & { readonly tile: number }>({
    name: "matmul, bf16 → f32",
    about: "narrow operands, wide sums",
    full: { m: 256, depth: 512, n: 256, tile: 128 },
    small: { m: 8, depth: 12, n: 16, tile: 4 },
    graph: (size) => matmulBf16(size, size.tile),
    inputs,
    check,
  }),
];

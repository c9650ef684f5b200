/**
 * A linear layer whose bias and activation are an epilogue: they run on a tile of sums at the last step
 * along k, before it is ever written (Pallas's "fused activation" of the matmul guide).
 */
import { f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { multiply, type ProductShape } from "./product.ts";

interface LinearShape extends ProductShape {
  /** Divides m, depth and n. */
  readonly tile: number;
}

/** x: f32[m, depth], w: f32[depth, n], bias: f32[n] → y = relu(x·w + bias): f32[m, n]. */
export function linear({ m, depth, n, tile }: LinearShape): Graph {
  const layer = kernel(
    "linear",
    {
      grid: { i: m / tile, j: n / tile, k: depth / tile },
      inputs: {
        x: tensor(f32, [m, depth]).blocks([tile, tile], ({ i, k }) => [i, k]),
        w: tensor(f32, [depth, n]).blocks([tile, tile], ({ j, k }) => [k, j]),
        bias: tensor(f32, [n]).blocks([tile], ({ j }) => [j]),
      },
      outputs: { y: tensor(f32, [m, n]).blocks([tile, tile], ({ i, j }) => [i, j]) },
      scratch: { sum: vmem(f32, [tile, tile]) },
    },
    ({ x, w, bias, y, sum }, { k }) => {
      when(k.isFirst, () => sum.set(0));
      sum.add(x.get().dot(w.get()));
      when(k.isLast, () => y.set(sum.get().add(bias.get()).relu()));
    },
  );
  return graph(layer.inputs, layer, { name: "linear" });
}

const inputs = ({ m, depth, n }: LinearShape): Inputs => ({
  x: randomFloats(m * depth, 1, 61),
  w: randomFloats(depth * n, 1, 62),
  bias: randomFloats(n, 4, 63),
});

/** The bias is one more term of the sum, and relu moves no two numbers apart. */
const check =
  (shape: LinearShape) =>
  ({ x, w, bias }: Inputs, { y }: Outputs): Check => {
    const { values, magnitude } = multiply(shape, x as Float32Array, w as Float32Array);
    const shift = bias as Float32Array;
    const expected = values.map((value, i) => Math.max(value + shift[i % shape.n], 0));
    return within(
      y,
      expected,
      (i) => (shape.depth + 1) * 2 ** -24 * (magnitude[i] + Math.abs(shift[i % shape.n])),
    );
  };

export const examples: readonly SuiteExample[] = [
  defineExample<LinearShape>({
    name: "linear layer",
    about: "bias and activation where the sum is complete",
    full: { m: 256, depth: 512, n: 256, tile: 128 },
    small: { m: 8, depth: 12, n: 16, tile: 4 },
    graph: linear,
    inputs,
    check,
  }),
];

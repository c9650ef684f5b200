/** Cosine of the angle between rows: three reductions of two rows to one number, in one pass. */
import { cdiv, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface PairsShape {
  readonly rows: number;
  readonly columns: number;
  readonly block: number;
}

/** a, b: f32[rows, columns] → cosine: f32[rows]; the last block may be ragged. */
export function cosineSimilarity({ rows, columns, block }: PairsShape): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]);
  const compare = kernel(
    "cosine_similarity",
    {
      grid: { i: cdiv(rows, block) },
      inputs: { a: blocks, b: blocks },
      outputs: { cosine: tensor(f32, [rows]).blocks([block], ({ i }) => [i]) },
    },
    ({ a, b, cosine }) => {
      const product = a.get().mul(b.get()).sum({ axis: 1 });
      const squares = a
        .get()
        .square()
        .sum({ axis: 1 })
        .mul(b.get().square().sum({ axis: 1 }));
      cosine.set(product.mul(squares.rsqrt()));
    },
  );
  return graph(compare.inputs, compare, { name: "cosine_similarity" });
}

const inputs = ({ rows, columns }: PairsShape): Inputs => {
  const a = randomFloats(rows * columns, 1, 81);
  // Rows that are far apart, close, and opposite.
  const noise = randomFloats(rows * columns, 1, 82);
  const share = (i: number) => ((Math.floor(i / columns) % 5) - 2) / 2;
  return { a, b: a.map((value, i) => value * share(i) + noise[i]) };
};

/** In float64. Σ|a·b| is at most |a|·|b|, so errors of the sum are relative to 1. */
const check =
  ({ rows, columns }: PairsShape) =>
  (inputs: Inputs, { cosine }: Outputs): Check => {
    const [a, b] = [inputs.a as Float32Array, inputs.b as Float32Array];
    const expected = Float64Array.from({ length: rows }, (_, row) => {
      let [product, left, right] = [0, 0, 0];
      for (let i = row * columns; i < (row + 1) * columns; i++) {
        product += a[i] * b[i];
        left += a[i] ** 2;
        right += b[i] ** 2;
      }
      return product / Math.sqrt(left * right);
    });
    return within(cosine, expected, () => 2 ** -19);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<PairsShape>({
    name: "cosine similarity",
    about: "three reductions over the same rows",
    full: { rows: 2000, columns: 384, block: 64 },
    small: { rows: 10, columns: 12, block: 4 },
    graph: cosineSimilarity,
    inputs,
    check,
  }),
];

/**
 * Cholesky factors of many small matrices, and the solution of L·x = b by forward substitution: in both a
 * column needs the columns before it, so they are `fori` loops, but every step works on a whole block of
 * matrices (Golub and Van Loan, §4.2 and §3.1).
 */
import {
  f32,
  fori,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  type Tensor,
  tensor,
  where,
} from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface Batch {
  /** A multiple of the block. */
  readonly matrices: number;
  readonly n: number;
}

/** Row or column k of [block, n, n], as [block, n]. */
const row = (a: Tensor, k: Tensor): Tensor => a.index(":", k);
const column = (a: Tensor, k: Tensor): Tensor => a.index(":", ":", k);

/** a: f32[matrices, n, n], symmetric and positive definite → l: f32[matrices, n, n] with l·lᵀ = a. */
export function cholesky({ matrices, n }: Batch, block = 64): Graph {
  const blocks = tensor(f32, [matrices, n, n]).blocks([block, n, n], ({ i }) => [i, 0, 0]);
  const factor = kernel(
    "cholesky",
    { grid: { i: matrices / block }, inputs: { a: blocks }, outputs: { l: blocks } },
    ({ a, l }) => {
      l.set(0);
      const place = iota(i32, [n]);
      const rest = fori(0, n, a.get(), (k, left) => {
        const pivot = row(column(left, k), k).rsqrt().reshape([block, 1]);
        const next = where(place.ge(k), column(left, k).mul(pivot), 0) as Tensor;
        l.set(next, ":", ":", k);
        return left.sub(next.reshape([block, n, 1]).mul(next.reshape([block, 1, n])));
      });
      void rest;
    },
  );
  return graph(factor.inputs, factor, { name: "cholesky" });
}

/** l: f32[matrices, n, n], lower triangular, b: f32[matrices, n] → x: f32[matrices, n] with l·x = b. */
export function triangularSolve({ matrices, n }: Batch, block = 64): Graph {
  const vectors = tensor(f32, [matrices, n]).blocks([block, n], ({ i }) => [i, 0]);
  const solve = kernel(
    "triangular_solve",
    {
      grid: { i: matrices / block },
      inputs: {
        l: tensor(f32, [matrices, n, n]).blocks([block, n, n], ({ i }) => [i, 0, 0]),
        b: vectors,
      },
      outputs: { x: vectors },
    },
    ({ l, b, x }) => {
      const matrix = l.get();
      const place = iota(i32, [n]);
      x.set(
        fori(0, n, b.get(), (k, left) => {
          const below = column(matrix, k);
          const found = left.index(":", k).div(row(below, k)).reshape([block, 1]);
          return where(place.gt(k), left.sub(below.mul(found)), where(place.eq(k), found, left));
        }),
      );
    },
  );
  return graph(solve.inputs, solve, { name: "triangular_solve" });
}

/** Products m·mᵀ / n plus the unit matrix: no pivot is close to zero. */
function choleskyInputs({ matrices, n }: Batch): { a: Float32Array } {
  const m = randomFloats(matrices * n * n, 1, 57);
  const a = Float32Array.from(m, (_, at) => {
    const [i, j, first] = [Math.floor(at / n) % n, at % n, at - (at % (n * n))];
    let sum = i === j ? n : 0;
    for (let k = 0; k < n; k++) sum += m[first + i * n + k] * m[first + j * n + k];
    return sum / n;
  });
  return { a };
}

/** Element by element in float64; entries are below 2, and their errors stay at a few roundings a step. */
const checkCholesky =
  ({ n }: Batch) =>
  (inputs: Inputs, { l }: Outputs): Check => {
    const a = inputs.a as Float32Array;
    const expected = new Float64Array(a.length);
    for (let at = 0; at < a.length; at++) {
      const [i, j, first] = [Math.floor(at / n) % n, at % n, at - (at % (n * n))];
      if (j > i) continue;
      let sum = a[at];
      for (let k = 0; k < j; k++) sum -= expected[first + i * n + k] * expected[first + j * n + k];
      expected[at] = i === j ? Math.sqrt(sum) : sum / expected[first + j * n + j];
    }
    return within(l, expected, () => n * 2 ** -21);
  };

/** Entries below the diagonal small enough for x to stay of the size of b. */
const triangularInputs = ({ matrices, n }: Batch): { l: Float32Array; b: Float32Array } => ({
  l: randomFloats(matrices * n * n, 1, 58).map((value, at) => {
    const [i, j] = [Math.floor(at / n) % n, at % n];
    return i === j ? 1 + Math.abs(value) : i > j ? value / n : 0;
  }),
  b: randomFloats(matrices * n, 1, 59),
});

const checkTriangularSolve =
  ({ n }: Batch) =>
  (inputs: Inputs, { x }: Outputs): Check => {
    const l = inputs.l as Float32Array;
    const expected = Float64Array.from(inputs.b as Float32Array);
    for (let at = 0; at < expected.length; at++) {
      const [i, first] = [at % n, at - (at % n)];
      for (let j = 0; j < i; j++) expected[at] -= l[at * n + j] * expected[first + j];
      expected[at] /= l[at * n + i];
    }
    return within(x, expected, () => n * 2 ** -21);
  };

const sizes = { full: { matrices: 1024, n: 16 }, small: { matrices: 8, n: 5 } };
const blockFor = ({ matrices }: Batch): number => (matrices < 64 ? 4 : 64);
export const examples: readonly SuiteExample[] = [
  defineExample<Batch>({
    name: "Cholesky factors of a batch",
    about: "a loop over columns, all matrices at once",
    ...sizes,
    graph: (batch) => cholesky(batch, blockFor(batch)),
    inputs: choleskyInputs,
    check: checkCholesky,
  }),
  defineExample<Batch>({
    name: "triangular solve of a batch",
    about: "forward substitution, a loop over unknowns",
    ...sizes,
    graph: (batch) => triangularSolve(batch, blockFor(batch)),
    inputs: triangularInputs,
    check: checkTriangularSolve,
  }),
];

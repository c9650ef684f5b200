/** What the checks of matrix products share: the product in float64, and how far a float32 one may be off. */
import { type Check, type Outputs, within } from "../check.ts";

export interface ProductShape {
  readonly m: number;
  readonly depth: number;
  readonly n: number;
}

type Numbers = Float32Array | Float64Array | Int8Array;

export interface Product {
  readonly values: Float64Array;
  /** Σ|a·b| for every element. */
  readonly magnitude: Float64Array;
}

/** a[m, depth] · b[depth, n], three loops. */
export function multiply({ m, depth, n }: ProductShape, a: Numbers, b: Numbers): Product {
  const values = new Float64Array(m * n);
  const magnitude = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < depth; k++) {
      const left = a[i * depth + k];
      for (let j = 0; j < n; j++) {
        const term = left * b[k * n + j];
        values[i * n + j] += term;
        magnitude[i * n + j] += Math.abs(term);
      }
    }
  }
  return { values, magnitude };
}

/** x[rows, columns] → x[columns, rows]. */
export function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  return x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]);
}

/** A float32 sum of `depth` products is off by at most depth · 2⁻²⁴ · Σ|a·b| (Higham, §3.1). */
export const checkProduct = (
  actual: Outputs[string],
  { values, magnitude }: Product,
  depth: number,
): Check => within(actual, values, (i) => depth * 2 ** -24 * magnitude[i]);

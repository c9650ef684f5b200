/**
 * How far each expansion may lie from the true value, in units in the last place of the result.
 *
 * Measured and rounded up: `npm run nightly -- math` takes every float32 through compiled code against float64, and
 * float64 at random and hard arguments against 400-bit arithmetic; everyday tests hold the bounds on samples. A
 * float16 or bfloat16 function is rounded once more, within 0.51 ulp of its format.
 *
 * `lgamma` of x < 0 is in units of max(1, |x|·log|x|), `digamma` in units of max(1, |result|), left of 0 of the
 * largest of log|x| and |π·cot πx|, its terms: both lose digits beside their zeros there. Everything that is not listed is exact, or one
 * rounding of each operation it names.
 */
import type { PerFormat } from "./float-kit.ts";

export const ulpBounds: Readonly<Record<string, PerFormat<number>>> = {
  acos: { float32: 1.5, float64: 1.5 },
  acosh: { float32: 2.5, float64: 2.5 },
  asin: { float32: 2.5, float64: 2.5 },
  asinh: { float32: 2, float64: 2 },
  atan: { float32: 2.2, float64: 2 },
  atan2: { float32: 2.2, float64: 2.2 },
  atanh: { float32: 2.2, float64: 2 },
  cbrt: { float32: 0.8, float64: 0.8 },
  cos: { float32: 2.2, float64: 2.2 },
  cosh: { float32: 1.6, float64: 1.6 },
  digamma: { float32: 6.5, float64: 6 },
  erf: { float32: 2.2, float64: 1.5 },
  erfInv: { float32: 3, float64: 3 },
  erfc: { float32: 5, float64: 4 },
  exp: { float32: 1.1, float64: 1.1 },
  exp2: { float32: 1.1, float64: 1.1 },
  expm1: { float32: 1.8, float64: 2 },
  lgamma: { float32: 4, float64: 4 },
  log: { float32: 1, float64: 1 },
  log1p: { float32: 1.6, float64: 1.6 },
  log2: { float32: 1, float64: 1 },
  logaddexp: { float32: 2.5, float64: 2.5 },
  logistic: { float32: 2.5, float64: 2.4 },
  pow: { float32: 1.5, float64: 1.2 },
  rsqrt: { float32: 1.5, float64: 1.5 },
  sin: { float32: 2.1, float64: 2.1 },
  sinh: { float32: 1.8, float64: 1.8 },
  tan: { float32: 3, float64: 3 },
  tanh: { float32: 3, float64: 3 },
};

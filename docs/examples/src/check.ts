/** What the examples share: reproducible inputs, and comparisons with results that gridfuse had no hand in. */
import type { RunInputs, RunOutputs } from "gridfuse";

export type Inputs = RunInputs;
export type Outputs = RunOutputs;

export interface Check {
  readonly ok: boolean;
  /** What was compared, or the first difference. */
  readonly detail: string;
}

/** Uniform in ±scale, the same ones every time (xorshift32, Marsaglia 2003). */
export function randomFloats(count: number, scale: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state / 2 ** 31) * scale;
  });
}

/** Whole numbers from 0 up to `below` (not included), the same ones every time. */
export const randomInts = (count: number, below: number, seed = 1): Int32Array =>
  Int32Array.from(randomFloats(count, below / 2, seed), (x) => Math.floor(x + below / 2));

/** Equal to the bit; NaNs equal each other. */
export function exactly(
  actual: Outputs[string],
  expected: Float32Array | Int32Array | Uint32Array,
): Check {
  const differs = expected.findIndex((value, i) => !Object.is(actual[i], value));
  if (actual.length === expected.length && differs < 0) return { ok: true, detail: "exact" };
  const at = differs < 0 ? Math.min(actual.length, expected.length) : differs;
  return { ok: false, detail: `element ${at}: ${actual[at]} instead of ${expected[at]}` };
}

/** |actual − expected| ≤ allowed, element by element; `expected` and `allowed` in float64. */
export function within(
  actual: Outputs[string],
  expected: Float64Array,
  allowed: (i: number) => number,
): Check {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const part = Math.abs(Number(actual[i]) - expected[i]) / allowed(i);
    if (!(part <= 1)) {
      return {
        ok: false,
        detail: `element ${i}: ${actual[i]} instead of ${expected[i]} ± ${allowed(i)}`,
      };
    }
    if (part > worst) worst = part;
  }
  if (actual.length !== expected.length) return { ok: false, detail: `${actual.length} elements` };
  return { ok: true, detail: `${Math.ceil(worst * 100)} % of the tolerance` };
}

/** Distance of the float32 numbers around x. */
export function ulp(x: number): number {
  const exponent = Math.floor(Math.log2(Math.abs(x)));
  return 2 ** (Math.max(exponent, -126) - 23);
}

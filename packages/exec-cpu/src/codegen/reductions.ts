/**
 * What reductions have in common: how a stage talks to the accumulators of one reduction.
 *
 * Where lanes run along the reduced index there are `BlockFold`, `ExtremeFold` (extrema of float32) and `ArgSearch`; where
 * they are points, or there are none, `SlotFold` and `ArgFold`.
 */
import type { DType } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";

/** What a stage tells an accumulator, in this order: begin, (beginSegment, accumulate…, endSegment)…, finish. */
export interface Accumulator {
  begin(): void;
  beginSegment(): void;
  /** `values[p]` pushes quad p (or the scalar); `index` pushes the flattened index of its first element. */
  accumulate(values: readonly Push[], valid: number, index: Push): void;
  /** Takes in products of whole quads, with one rounding for product and sum, where it can. */
  accumulateProducts?(factors: readonly (readonly [Push, Push])[]): void;
  /** `before` pushes the number of segments that ended earlier. */
  endSegment(before: Push): void;
  finish(): void;
  /** Pushes the result: the scalar, or quad `part` of outer points. */
  result(part: number | undefined): Push;
}

export const pushSplat = (code: Code, word: number): Code => code.v128([word, word, word, word]);

/** Lanes that count, as a mask. */
export function pushValid(code: Code, valid: number): void {
  const [a, b, c, d] = [0, 1, 2, 3].map((lane) => (lane < valid ? 0xffffffff : 0)) as [
    number,
    number,
    number,
    number,
  ];
  code.v128([a, b, c, d]);
}

/** Pushes lane 0 as the scalar it stands for. */
export function extractFirst(code: Code, dtype: DType): void {
  code.lane(dtype === "float32" ? "f32x4.extract_lane" : "i32x4.extract_lane", 0);
  if (dtype === "bool") code.i32(1).op("i32.and");
}

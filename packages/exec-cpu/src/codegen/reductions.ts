/**
 * What reductions have in common: how a stage talks to the accumulators of one reduction.
 *
 * Where lanes run along the reduced index there are `BlockFold`, `ExtremeFold` (extrema of float32) and `ArgSearch`; where
 * they are points, or there are none, `SlotFold` and `ArgFold`.
 */
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

/**
 * The balanced tree over the segments of an ordered float reduction, as a binary counter: slot k holds the
 * value of a finished subtree of 2^k segments, and a new segment combines with full slots the way a
 * carry runs through the bits of the count. What is left at the end combines from the short subtrees up.
 */
import type { ValueType } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import type { Nest } from "./nest.ts";

/** Pushes the combination of two pushed values. */
export type Combine = (left: Push, right: Push) => void;

export class SegmentTree {
  readonly #nest: Nest;
  readonly #combine: Combine;
  readonly #slots: readonly number[];
  readonly #segments: number;

  constructor(nest: Nest, type: ValueType, segments: number, combine: Combine) {
    this.#nest = nest;
    this.#combine = combine;
    this.#segments = segments;
    const depth = segments <= 1 ? 0 : Math.floor(Math.log2(segments)) + 1;
    this.#slots = Array.from({ length: depth }, () => nest.local(type));
  }

  /** Adds the segment whose value is in local `x` (which it clobbers); `before` pushes how many there were. */
  push(x: number, before: Push): void {
    const { code } = this.#nest;
    if (this.#slots.length === 0) return;
    code.block();
    for (const [k, slot] of this.#slots.entries()) {
      before(code);
      code
        .i32(1 << k)
        .op("i32.and")
        .op("i32.eqz")
        .if();
      code.get(x).set(slot).br(1).end();
      this.#combine(
        (into) => into.get(slot),
        (into) => into.get(x),
      );
      code.set(x);
    }
    code.end();
  }

  /** Sets local `result` to the value of the whole tree; with one segment it is there already. */
  finish(result: number): void {
    const { code } = this.#nest;
    const full = this.#slots.filter((_, k) => Math.floor(this.#segments / 2 ** k) % 2 === 1);
    const [first, ...rest] = full;
    if (first === undefined) return;
    code.get(first).set(result);
    for (const slot of rest) {
      this.#combine(
        (into) => into.get(slot),
        (into) => into.get(result),
      );
      code.set(result);
    }
  }
}

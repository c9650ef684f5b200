/**
 * Extrema of uint64 on vectors, and their places, as those of int64: SIMD128 compares 64-bit lanes only as signed numbers, which unsigned ones are
 * in the same order with their top bits turned. That is done once for every value, and once for the result.
 */
import type { Reduction } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { pushSplat } from "../wasm/vector-lanes.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";

export const foldsAsSigned = ({ op, dtype }: Reduction): boolean =>
  dtype === "uint64" && (op === "max" || op === "min");

/** Turns the top bits of the two lanes on the stack. */
export const turnTopBits = (code: Code): void => {
  pushSplat(code, "int64", { lo: 0, hi: 0x80000000 }).op("v128.xor");
};

export class UnsignedFold implements Accumulator {
  readonly #nest: Nest;
  readonly #signed: Accumulator;
  readonly #isPlace: boolean;

  /**
   * @param signed the fold of the values as int64
   * @param isPlace whether its result is a place, and no value
   */
  constructor(nest: Nest, signed: Accumulator, isPlace = false) {
    this.#nest = nest;
    this.#signed = signed;
    this.#isPlace = isPlace;
  }

  begin(): void {
    this.#signed.begin();
  }
  beginSegment(): void {
    this.#signed.beginSegment();
  }
  accumulate(values: readonly Push[], valid: number, index: Push): void {
    const { code } = this.#nest;
    const signed = values.map((value): Push => {
      const local = this.#nest.local("v128");
      value(code);
      turnTopBits(code);
      code.set(local);
      return (into) => into.get(local);
    });
    this.#signed.accumulate(signed, valid, index);
  }
  endSegment(before: Push): void {
    this.#signed.endSegment(before);
  }
  finish(): void {
    this.#signed.finish();
  }
  result(part: number | undefined): Push {
    const signed = this.#signed.result(part);
    if (this.#isPlace) return signed;
    return (code) => {
      signed(code);
      if (part === undefined) code.i64(-(2n ** 63n)).op("i64.xor");
      else turnTopBits(code);
    };
  }
}

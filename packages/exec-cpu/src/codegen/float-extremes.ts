/**
 * Extrema of many floats, by what decides them: `pmax` is one instruction, and the full meaning (a NaN wins, −0 < +0) about eight.
 *
 * The extremum of those that are no NaN, whichever zero that gives; the bits that all of them have, or any, whose sign is that
 * of the zero that counts where the extremum is one; and whether there was a NaN. What is put together is put right once.
 */
import type { DType } from "@gridfuse/plan";
import type { PlainOp } from "../wasm/opcodes.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { pushSplat } from "../wasm/vector-lanes.ts";
import type { Nest } from "./nest.ts";

export type WholeFloat = "float32" | "float64";

export const isWholeFloat = (dtype: DType): dtype is WholeFloat =>
  dtype === "float32" || dtype === "float64";

/** Locals that hold what is known of the values so far, lane by lane. */
export interface Extremum {
  readonly most: number;
  readonly signs: number;
  readonly nans: number;
}

export class FloatExtremes {
  readonly #nest: Nest;
  readonly #dtype: WholeFloat;
  readonly #most: PlainOp;
  readonly #signs: PlainOp;
  readonly #greatest: boolean;

  constructor(nest: Nest, op: "max" | "min", dtype: WholeFloat) {
    this.#nest = nest;
    this.#dtype = dtype;
    this.#greatest = op === "max";
    const shape = dtype === "float32" ? "f32x4" : "f64x2";
    this.#most = `${shape}.${this.#greatest ? "pmax" : "pmin"}`;
    this.#signs = this.#greatest ? "v128.and" : "v128.or";
  }

  /** What is known of no values. */
  none(): Extremum {
    const local = (): number => this.#nest.local("v128");
    return { most: local(), signs: local(), nans: local() };
  }

  reset({ most, signs, nans }: Extremum): void {
    const { code } = this.#nest;
    this.pushWorst();
    code.set(most);
    const all = this.#greatest ? 0xffffffff : 0;
    code.v128([all, all, all, all]).set(signs);
    code.v128([0, 0, 0, 0]).set(nans);
  }

  /** Pushes what changes nothing. */
  pushWorst(): void {
    const sign = this.#greatest ? 0x80000000 : 0;
    const bits =
      this.#dtype === "float32"
        ? { lo: (0x7f800000 | sign) >>> 0, hi: 0 }
        : { lo: 0, hi: (0x7ff00000 | sign) >>> 0 };
    pushSplat(this.#nest.code, this.#dtype, bits);
  }

  take({ most, signs, nans }: Extremum, value: Push): void {
    const { code } = this.#nest;
    code.get(most);
    value(code);
    code.op(this.#most).set(most);
    code.get(signs);
    value(code);
    code.op(this.#signs).set(signs);
    code.get(nans);
    value(code);
    value(code);
    code.op(`${this.#shape}.ne`).op("v128.or").set(nans);
  }

  get #shape(): "f32x4" | "f64x2" {
    return this.#dtype === "float32" ? "f32x4" : "f64x2";
  }

  /** Takes what `order` makes of another: its lanes in another order, or as they are. */
  join(into: Extremum, from: Extremum, order: (local: number) => void): void {
    const { code } = this.#nest;
    for (const [key, op] of [
      ["most", this.#most],
      ["signs", this.#signs],
      ["nans", "v128.or"],
    ] as const) {
      code.get(into[key]);
      order(from[key]);
      code.op(op).set(into[key]);
    }
  }

  /** Pushes the extrema. */
  push({ most, signs, nans }: Extremum): void {
    const { code } = this.#nest;
    const sign = this.#dtype === "float32" ? { lo: 0x80000000, hi: 0 } : { lo: 0, hi: 0x80000000 };
    code.get(signs);
    pushSplat(code, this.#dtype, sign).op("v128.and");
    code.get(most).get(most);
    pushSplat(code, this.#dtype, { lo: 0, hi: 0 }).op(`${this.#shape}.eq`);
    code.op("v128.bitselect").get(nans).op("v128.or");
  }
}

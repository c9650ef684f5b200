/**
 * The greatest or least of float32 along the lanes, by their bits as integers: the full meaning (a NaN wins, +0 is above −0)
 * takes eight instructions a vector, three extrema of integers take one each and say as much.
 *
 * Read as signed, floats without a sign are in order above all others; read as unsigned, those with a sign are in
 * reverse order above all others; NaNs are at the far end of either half.
 */
import { identityOf, type Reduction } from "@gridfuse/plan";
import type { PlainOp } from "../wasm/opcodes.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { pushValid, splat } from "../wasm/vector-lanes.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";

const infinity = 0x7f800000;

/** The greatest with and without a sign counted as one, and the least without. */
const orders = ["i32x4.max_s", "i32x4.max_u", "i32x4.min_u"] as const satisfies readonly PlainOp[];
/** Vectors that are folded side by side, each with its three extrema. */
const most = 2;

export const foldsExtremes = ({ op, dtype }: Reduction): boolean =>
  dtype === "float32" && (op === "max" || op === "min");

export class ExtremeFold implements Accumulator {
  readonly #nest: Nest;
  readonly #greatest: boolean;
  readonly #identity: number;
  /** By vector, then by order. */
  readonly #sides: readonly (readonly number[])[];
  readonly #words: readonly number[];
  readonly #value: number;

  /** @param extent of the reduced index */
  constructor(nest: Nest, { op, dtype }: Reduction, extent: number) {
    this.#nest = nest;
    this.#greatest = op === "max";
    this.#identity = identityOf(op as "max" | "min", dtype).lo;
    const count = extent > 4 ? most : 1;
    this.#sides = Array.from({ length: count }, () => orders.map(() => nest.local("v128")));
    this.#words = orders.map(() => nest.local("i32"));
    this.#value = nest.local("f32");
  }

  begin(): void {
    const { code } = this.#nest;
    for (const side of this.#sides) {
      for (const local of side) splat(code, this.#identity).set(local);
    }
  }
  beginSegment(): void {}
  endSegment(): void {}

  accumulate(values: readonly Push[], valid: number): void {
    const { code } = this.#nest;
    for (const [part, value] of values.entries()) {
      const side = this.#sides[part % this.#sides.length] as readonly number[];
      const counted = this.#counted(value, valid - 4 * part);
      for (const [i, order] of orders.entries()) {
        const local = side[i] as number;
        code.get(local);
        counted(code);
        code.op(order).set(local);
      }
    }
  }

  /** The value, with what changes nothing in lanes that do not count. */
  #counted(value: Push, lanes: number): Push {
    if (lanes >= 4) return value;
    const { code } = this.#nest;
    const local = this.#nest.local("v128");
    value(code);
    splat(code, this.#identity);
    pushValid(this.#nest, "float32", lanes);
    code.op("v128.bitselect").set(local);
    return (into) => into.get(local);
  }

  finish(): void {
    const { code } = this.#nest;
    const [first, ...others] = this.#sides as [readonly number[], ...(readonly number[])[]];
    for (const [i, order] of orders.entries()) {
      const local = first[i] as number;
      for (const side of others) {
        code
          .get(local)
          .get(side[i] as number)
          .op(order)
          .set(local);
      }
      for (const lanes of [
        [2, 3, 2, 3],
        [1, 1, 1, 1],
      ]) {
        code.get(local).get(local).get(local).shuffleLanes(lanes).op(order).set(local);
      }
      code
        .get(local)
        .lane("i32x4.extract_lane", 0)
        .set(this.#words[i] as number);
    }
    this.#pushResult();
    code.op("f32.reinterpret_i32").set(this.#value);
  }

  /** Pushes the bits of the extremum. */
  #pushResult(): void {
    const { code } = this.#nest;
    const [signed, unsigned, least] = this.#words as [number, number, number];
    // Without NaNs: of numbers of both signs, those without one are greater, and the others less.
    if (this.#greatest) {
      // A NaN without a sign is the greatest of its half.
      code.get(signed).get(least).get(signed).i32(0).op("i32.ge_s").op("select");
    } else {
      code.get(unsigned).get(least).get(unsigned).i32(0).op("i32.lt_s").op("select");
      code.get(signed);
      code.get(signed).i32(infinity).op("i32.le_s").op("select");
    }
    code.get(unsigned);
    code
      .get(unsigned)
      .i32(infinity | 0x80000000)
      .op("i32.le_u")
      .op("select");
  }

  result(): Push {
    return (code) => code.get(this.#value);
  }
}

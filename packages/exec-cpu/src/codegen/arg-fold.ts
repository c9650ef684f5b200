/**
 * `argmax` and `argmin`: the place of the first extreme element, NaN being the most extreme. Each lane keeps
 * the best it has seen and where. Lanes are points here; `ArgSearch` has them along the reduced index.
 */
import { type DType, extreme, isFloat, type Reduction } from "@gridfuse/plan";
import { heldType, pushConst } from "../wasm/held.ts";
import type { PlainOp } from "../wasm/opcodes.ts";
import { emitCompare, emitConvert, type Push } from "../wasm/scalar-ops.ts";
import { narrowMask, pushSplat, splat, turn } from "../wasm/vector-lanes.ts";
import { emitVectorCompare, emitVectorConvert } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";

export class ArgFold implements Accumulator {
  readonly #nest: Nest;
  readonly #dtype: DType;
  readonly #result: DType;
  readonly #greatest: boolean;
  readonly #vector: boolean;
  readonly #best: readonly number[];
  readonly #where: readonly number[];
  readonly #take: number;
  readonly #answers: readonly number[];

  /**
   * @param dtype of the compared values
   * @param mode "scalar", or "quads" (v128s of outer points)
   */
  constructor(
    nest: Nest,
    { op, dtype: result }: Reduction,
    dtype: DType,
    mode: "scalar" | "quads",
    parts: number,
  ) {
    this.#nest = nest;
    this.#dtype = dtype;
    this.#result = result;
    this.#greatest = op === "argmax";
    this.#vector = mode !== "scalar";
    const type = this.#vector ? "v128" : heldType(dtype);
    const index = this.#vector ? "v128" : "i32";
    this.#best = Array.from({ length: parts }, () => nest.local(type));
    this.#where = Array.from({ length: parts }, () => nest.local(index));
    this.#take = nest.local(index);
    const answer = mode === "quads" ? "v128" : heldType(result);
    this.#answers = Array.from({ length: mode === "quads" ? parts : 1 }, () => nest.local(answer));
  }

  begin(): void {
    const { code } = this.#nest;
    // Before anything was seen: the worst value, at index 0. Whatever ties with it has index 0 as well.
    const worst = extreme(this.#dtype, this.#greatest ? -1 : 1);
    for (const [part, best] of this.#best.entries()) {
      if (this.#vector) {
        pushSplat(code, this.#dtype, worst).set(best);
        splat(code, 0).set(this.#where[part] as number);
      } else {
        pushConst(code, this.#dtype, worst);
        code
          .set(best)
          .i32(0)
          .set(this.#where[part] as number);
      }
    }
  }
  beginSegment(): void {}
  endSegment(): void {}

  #compare(op: "gt" | "lt" | "eq" | "ne", x: Push, y: Push): void {
    const { code, helpers } = this.#nest;
    if (this.#vector) emitVectorCompare(this.#nest, op, this.#dtype, x, y);
    else emitCompare(code, helpers, op, this.#dtype, x, y);
  }
  #logic(op: "and" | "or"): void {
    this.#nest.code.op((this.#vector ? `v128.${op}` : `i32.${op}`) as PlainOp);
  }
  /** Pushes whether x is beyond y: more extreme, or the first NaN. */
  #pushBeyond(x: Push, y: Push): void {
    this.#compare(this.#greatest ? "gt" : "lt", x, y);
    if (!isFloat(this.#dtype)) return;
    this.#compare("ne", x, x);
    this.#compare("eq", y, y);
    this.#logic("and");
    this.#logic("or");
  }

  /** (best, where) = take ? (value, index) : (best, where), where `take` was computed. */
  #pick(part: number, value: Push, index: Push): void {
    const { code } = this.#nest;
    const [best, where] = [this.#best[part] as number, this.#where[part] as number];
    value(code);
    code.get(best).get(this.#take);
    if (this.#vector) narrowMask(this.#nest, this.#dtype);
    code.op(this.#vector ? "v128.bitselect" : "select").set(best);
    index(code);
    code.get(where).get(this.#take);
    code.op(this.#vector ? "v128.bitselect" : "select").set(where);
  }

  accumulate(values: readonly Push[], _valid: number, index: Push): void {
    const { code } = this.#nest;
    for (const [part, value] of values.entries()) {
      const best = this.#best[part] as number;
      this.#pushBeyond(value, (into) => into.get(best));
      code.set(this.#take);
      this.#pick(part, value, (into) => {
        index(into);
        if (this.#vector) into.op("i32x4.splat");
      });
    }
  }

  finish(): void {
    const { code, helpers } = this.#nest;
    for (const [part, answer] of this.#answers.entries()) {
      const where = this.#where[part] as number;
      if (this.#vector) {
        this.#convert(where);
        code.set(answer);
        continue;
      }
      const scalar = this.#nest.local("i32");
      code.get(where);
      code.set(scalar);
      emitConvert(code, helpers, "int32", this.#result, (into) => into.get(scalar));
      code.set(answer);
    }
  }

  /** Pushes places, which are in lanes as wide as masks are, as the dtype of the result. */
  #convert(where: number): void {
    const { code, lanes } = this.#nest;
    emitVectorConvert(this.#nest, "int32", this.#result, () => {
      code.get(where);
      if (lanes === 2) turn(code, [0, 2, 0, 2]);
    });
  }

  result(part: number | undefined): Push {
    return (code) => code.get(this.#answers[part ?? 0] as number);
  }
}

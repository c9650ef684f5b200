/**
 * `argmax` and `argmin` along the lanes. After a while hardly anything beats the best so far, so a whole group of vectors
 * is asked one question, whether all of it is no better, and only a group that says no is looked at: there the
 * first place that holds the group's extreme element is the place, a NaN before anything else.
 */
import { type DType, extreme, isFloat, type Reduction } from "@gridfuse/plan";
import { heldType, laneWord } from "../wasm/held.ts";
import { emitConvert, type Push } from "../wasm/scalar-ops.ts";
import { emitVectorBinary, emitVectorCompare } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import { type Accumulator, pushSplat, pushValid } from "./reductions.ts";

export class ArgSearch implements Accumulator {
  readonly #nest: Nest;
  readonly #dtype: DType;
  readonly #result: DType;
  readonly #greatest: boolean;
  /** The best so far in every lane; beyond everything once a NaN was seen. */
  readonly #best: number;
  readonly #where: number;
  readonly #found: number;
  readonly #bits: number;
  readonly #answer: number;

  /** @param dtype of the compared values */
  constructor(nest: Nest, { op, dtype: result }: Reduction, dtype: DType) {
    this.#nest = nest;
    this.#dtype = dtype;
    this.#result = result;
    this.#greatest = op === "argmax";
    this.#best = nest.local("v128");
    this.#where = nest.local("i32");
    this.#found = nest.local("i32");
    this.#bits = nest.local("i32");
    this.#answer = nest.local(heldType(result));
  }

  #extreme(sign: 1 | -1): number {
    return laneWord(this.#dtype, extreme(this.#dtype, sign));
  }
  get #worst(): number {
    return this.#extreme(this.#greatest ? -1 : 1);
  }
  get #beyondAll(): number {
    return this.#extreme(this.#greatest ? 1 : -1);
  }

  begin(): void {
    const { code } = this.#nest;
    // Whatever ties with the worst value before anything was seen has place 0 as well.
    pushSplat(code, this.#worst).set(this.#best);
    code.i32(0).set(this.#where).i32(0).set(this.#found);
  }
  beginSegment(): void {}
  endSegment(): void {}

  accumulate(values: readonly Push[], valid: number, index: Push): void {
    const nest = this.#nest;
    const counted = values.map((value, part) => this.#counted(value, valid - 4 * part));
    for (const [part, value] of counted.entries()) {
      // False for a NaN.
      const compare = this.#greatest ? "le" : "ge";
      emitVectorCompare(nest, compare, this.#dtype, value, (code) => code.get(this.#best));
      if (part > 0) nest.code.op("v128.and");
    }
    nest.code.op("i32x4.bitmask").i32(15).op("i32.ne").if();
    nest.code.append(nest.branch(() => this.#look(counted, index)));
    nest.code.end();
  }

  /** The value, with the worst there is in lanes that do not count. */
  #counted(value: Push, lanes: number): Push {
    if (lanes >= 4) return value;
    const { code } = this.#nest;
    const local = this.#nest.local("v128");
    value(code);
    pushSplat(code, this.#worst);
    pushValid(code, lanes);
    code.op("v128.bitselect").set(local);
    return (into) => into.get(local);
  }

  #look(values: readonly Push[], index: Push): void {
    const { code } = this.#nest;
    code.get(this.#found).op("i32.eqz").if();
    if (isFloat(this.#dtype)) {
      this.#pushPlaces(values, (value) => {
        emitVectorCompare(this.#nest, "ne", this.#dtype, value, value);
      });
      code.tee(this.#bits).if();
      this.#take(index);
      code.i32(1).set(this.#found);
      pushSplat(code, this.#beyondAll).set(this.#best).else();
    }
    this.#findExtreme(values);
    this.#pushPlaces(values, (value) => {
      emitVectorCompare(this.#nest, "eq", this.#dtype, value, (into) => into.get(this.#best));
    });
    code.set(this.#bits);
    this.#take(index);
    if (isFloat(this.#dtype)) code.end();
    code.end();
  }

  /** Pushes a bit for each lane of all values, the lowest for the first. */
  #pushPlaces(values: readonly Push[], mask: (value: Push) => void): void {
    const { code } = this.#nest;
    for (const [part, value] of values.entries()) {
      mask(value);
      code.op("i32x4.bitmask");
      if (part === 0) continue;
      code
        .i32(4 * part)
        .op("i32.shl")
        .op("i32.or");
    }
  }
  #take(index: Push): void {
    const { code } = this.#nest;
    index(code);
    code.get(this.#bits).op("i32.ctz").op("i32.add").set(this.#where);
  }

  /** The extreme element of the group into all lanes of `best`; there is no NaN, and zeros are all alike. */
  #findExtreme(values: readonly Push[]): void {
    const nest = this.#nest;
    const join = (x: Push, y: Push): Push => {
      const local = nest.local("v128");
      if (this.#dtype === "float32") {
        x(nest.code);
        y(nest.code);
        nest.code.op(this.#greatest ? "f32x4.pmax" : "f32x4.pmin");
      } else {
        emitVectorBinary(nest, this.#greatest ? "max" : "min", this.#dtype, x, y);
      }
      nest.code.set(local);
      return (code) => code.get(local);
    };
    let left = values;
    while (left.length > 1) {
      const pairs: Push[] = [];
      for (let i = 0; i < left.length; i += 2) {
        const [x, y] = left.slice(i, i + 2) as [Push, Push?];
        pairs.push(y === undefined ? x : join(x, y));
      }
      left = pairs;
    }
    let most = left[0] as Push;
    for (const order of [
      [2, 3, 0, 1],
      [1, 0, 3, 2],
    ]) {
      const before = most;
      most = join(before, (code) => {
        before(code);
        before(code);
        code.shuffleLanes(order);
      });
    }
    most(nest.code);
    nest.code.set(this.#best);
  }

  finish(): void {
    const { code, helpers } = this.#nest;
    emitConvert(code, helpers, "int32", this.#result, (into) => into.get(this.#where));
    code.set(this.#answer);
  }
  result(): Push {
    return (code) => code.get(this.#answer);
  }
}

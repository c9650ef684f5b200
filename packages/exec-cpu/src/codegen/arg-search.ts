/**
 * `argmax` and `argmin` along the lanes, in two readings: one that only knows what the extreme element is and in which segment
 * it first is, without a branch, and one that looks for its place there.
 *
 * Floats are folded by one instruction a vector, which passes over NaNs; that there was one shows in the sum of all, which
 * a NaN makes a NaN. So may infinities of both signs: then a search for the NaN finds none.
 */
import { type DType, extreme, isFloat, type Reduction, segmentLength } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import { heldType, isHalf, type Words } from "../wasm/held.ts";
import type { PlainOp } from "../wasm/opcodes.ts";
import { emitConvert, type Push } from "../wasm/scalar-ops.ts";
import { hasLanes, type LaneCount, pushSplat, pushValid, splat } from "../wasm/vector-lanes.ts";
import { emitVectorBinary, emitVectorCompare, emitVectorConvert } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";
import { turnTopBits } from "./unsigned-fold.ts";

/** Sets local `place` to the first index at or after local `from` whose lane `test` marks, or to −1. */
export type Search = (from: number, test: (value: Push) => void, place: number) => void;

export class ArgSearch implements Accumulator {
  readonly #nest: Nest;
  readonly #dtype: DType;
  /** What values are compared as: the 16-bit floats as float32, uint64 as int64 (unsigned-fold.ts). */
  readonly #held: DType;
  /** Operations on floats, as they are held. */
  readonly #shape: "f32x4" | "f64x2";
  readonly #result: DType;
  readonly #greatest: boolean;
  readonly #extent: number;
  readonly #search: Search;
  readonly #hasSegments: boolean;
  /** The extreme elements of the segment, by quad. */
  readonly #sides: readonly number[];
  /** What a NaN shows in; undefined for integers. */
  readonly #sum: number | undefined;
  /** The extreme element so far in every lane, and the first segment that has it. */
  readonly #best: number;
  readonly #where: number;
  readonly #place: number;
  readonly #answer: number;

  /**
   * @param dtype of the compared values
   * @param extent of the reduced index
   */
  constructor(
    nest: Nest,
    { op, dtype: result }: Reduction,
    dtype: DType,
    extent: number,
    search: Search,
  ) {
    this.#nest = nest;
    this.#dtype = dtype;
    this.#held = isHalf(dtype) ? "float32" : dtype === "uint64" ? "int64" : dtype;
    this.#shape = this.#held === "float64" ? "f64x2" : "f32x4";
    this.#result = result;
    this.#greatest = op === "argmax";
    this.#extent = extent;
    this.#search = search;
    this.#hasSegments = extent > segmentLength;
    const count = Math.min(Math.max(Math.ceil(extent / nest.lanes), 1), mostSides);
    this.#sides = Array.from({ length: count }, () => nest.local("v128"));
    this.#sum = isFloat(dtype) ? nest.local("v128") : undefined;
    this.#best = nest.local("v128");
    this.#where = nest.local("v128");
    this.#place = nest.local("i32");
    this.#answer = nest.local(heldType(result));
  }

  #pushWorst(): Code {
    return pushSplat(this.#nest.code, this.#held, extreme(this.#held, this.#greatest ? -1 : 1));
  }

  begin(): void {
    const { code } = this.#nest;
    this.#pushWorst().set(this.#best);
    if (this.#hasSegments) splat(code, 0).set(this.#where);
    if (this.#sum !== undefined) splat(code, 0).set(this.#sum);
  }
  beginSegment(): void {
    for (const side of this.#sides) this.#pushWorst().set(side);
  }

  accumulate(values: readonly Push[], valid: number): void {
    const { code } = this.#nest;
    const { lanes } = this.#nest;
    const held = values.map((value, part) =>
      this.#counted(this.#wide(value), valid - lanes * part),
    );
    for (const [part, value] of held.entries()) {
      this.#join(this.#sides[part % this.#sides.length] as number, value);
    }
    if (this.#sum === undefined) return;
    const add = `${this.#shape}.add` as const;
    code.get(this.#sum);
    pushSum(code, add, held);
    code.op(add).set(this.#sum);
  }

  /** The value as it is compared. */
  #wide(value: Push): Push {
    if (this.#held === this.#dtype) return value;
    const { code } = this.#nest;
    const local = this.#nest.local("v128");
    if (isHalf(this.#dtype)) {
      emitVectorConvert(this.#nest, this.#dtype, "float32", value);
    } else {
      value(code);
      turnTopBits(code);
    }
    code.set(local);
    return (into) => into.get(local);
  }

  /** The value, with the worst there is in lanes that do not count. */
  #counted(value: Push, lanes: number): Push {
    const { code } = this.#nest;
    if (lanes >= this.#nest.lanes) return value;
    const local = this.#nest.local("v128");
    value(code);
    this.#pushWorst();
    pushValid(this.#nest, this.#held, lanes);
    code.op("v128.bitselect").set(local);
    return (into) => into.get(local);
  }

  /** The more extreme of what `into` holds and a value, which is not taken where it is a NaN. */
  #join(into: number, value: Push): void {
    const { code } = this.#nest;
    if (isFloat(this.#held)) {
      code.get(into);
      value(code);
      code.op(`${this.#shape}.${this.#greatest ? "pmax" : "pmin"}`);
    } else {
      const op = this.#greatest ? "max" : "min";
      emitVectorBinary(this.#nest, op, this.#held, (to) => to.get(into), value);
    }
    code.set(into);
  }

  endSegment(before: Push): void {
    const { code } = this.#nest;
    const [first, ...others] = this.#sides as [number, ...number[]];
    for (const side of others) this.#join(first, (into) => into.get(side));
    if (this.#hasSegments) {
      before(code);
      code.op("i32x4.splat").get(this.#where);
      const isBeyond = this.#greatest ? "gt" : "lt";
      this.#compare(isBeyond, (into) => into.get(first));
      code.op("v128.bitselect").set(this.#where);
    }
    this.#join(this.#best, (into) => into.get(first));
  }

  #compare(op: "gt" | "lt" | "eq", value: Push): void {
    emitVectorCompare(this.#nest, op, this.#held, value, (code) => code.get(this.#best));
  }

  finish(): void {
    const { code, helpers } = this.#nest;
    if (this.#extent === 0) code.i32(0).set(this.#place);
    else this.#find();
    emitConvert(code, helpers, "int32", this.#result, (into) => into.get(this.#place));
    code.set(this.#answer);
  }

  #find(): void {
    const { code } = this.#nest;
    const from = this.#nest.local("i32");
    this.#firstSegment();
    code.set(from);
    const equal = (value: Push): void => this.#compare("eq", this.#wide(value));
    if (this.#sum === undefined) {
      this.#search(from, equal, this.#place);
      return;
    }
    code.i32(-1).set(this.#place);
    // There may be a NaN.
    const isNotANumber = (value: Push): void =>
      emitVectorCompare(this.#nest, "ne", this.#held, value, value);
    const sum = this.#sum;
    isNotANumber((into) => into.get(sum));
    code.op("v128.any_true");
    const zero = this.#nest.local("i32");
    code.if().i32(0).set(zero);
    this.#search(zero, (value) => isNotANumber(this.#wide(value)), this.#place);
    code.end();
    code.get(this.#place).i32(0).op("i32.lt_s").if();
    this.#search(from, equal, this.#place);
    code.end();
  }

  /** Spreads the extreme element over all lanes of `best`, and pushes where its first segment begins. */
  #firstSegment(): void {
    const { code } = this.#nest;
    const lanes = this.#nest.local("v128");
    code.get(this.#best).set(lanes);
    for (const order of turnsOf(this.#held, this.#nest.lanes)) {
      this.#join(this.#best, (into) => into.get(this.#best).get(this.#best).shuffleLanes(order));
    }
    if (!this.#hasSegments) {
      code.i32(0);
      return;
    }
    code.get(this.#where);
    splat(code, 0xffffffff);
    this.#compare("eq", (into) => into.get(lanes));
    code.op("v128.bitselect").set(lanes);
    for (const order of turnsOf("bool", this.#nest.lanes)) {
      code.get(lanes).get(lanes).get(lanes).shuffleLanes(order).op("i32x4.min_u").set(lanes);
    }
    code.get(lanes).lane("i32x4.extract_lane", 0).i32(Math.log2(segmentLength)).op("i32.shl");
  }

  result(): Push {
    return (code) => code.get(this.#answer);
  }
}

/** Vectors that are folded side by side. */
const mostSides = 4;

/** Pushes the sum of some vectors, whose order does not matter. */
function pushSum(code: Code, add: PlainOp, values: readonly Push[]): void {
  if (values.length === 1) {
    (values[0] as Push)(code);
    return;
  }
  const half = Math.ceil(values.length / 2);
  pushSum(code, add, values.slice(0, half));
  pushSum(code, add, values.slice(half));
  code.op(add);
}

const [halves, neighbours] = [
  [2, 3, 0, 1],
  [1, 0, 3, 2],
] as const satisfies readonly Words[];

/** Orders of words that bring each lane to all others; masks, and what has a mask, are as wide as a lane can be. */
function turnsOf(dtype: DType, lanes: LaneCount): readonly Words[] {
  if (lanes === 4) return [halves, neighbours];
  return hasLanes(dtype) && dtype !== "bool" ? [neighbours] : [halves];
}

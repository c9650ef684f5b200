/**
 * Accumulators of one reduction while a stage walks over its flattened inner index, in the order that
 * plan.ts fixes: 16 accumulators a segment, folded 8, 4, 2, 1, segments in a balanced tree.
 *
 *  - `BlockFold`: lanes run along the reduced index; the 16 accumulators are four v128;
 *  - `SlotFold`: one point (or one v128 of outer points) at a time; accumulators wait in scratch memory;
 *  - `ArgFold`: the first extreme element, in either way.
 */

import type { Bits, ReduceOp, Reduction } from "@gridfuse/plan";
import { type DType, isFloat, isSigned, itemSize, toBits } from "@gridfuse/plan";
import type { BinaryOp } from "@gridfuse/plan/scalar";
import type { Code, ValueType } from "../wasm/code.ts";
import { heldType, laneWord, loadOp, pushConst, storeOp } from "../wasm/held.ts";
import type { PlainOp } from "../wasm/opcodes.ts";
import { emitBinary, emitCompare, emitConvert, type Push } from "../wasm/scalar-ops.ts";
import { emitVectorBinary, emitVectorCompare, emitVectorConvert } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import { accumulators, type Combine, SegmentTree } from "./segments.ts";

/** Whether the order of combination shows in the bits. */
export const isOrdered = ({ op, dtype }: Pick<Reduction, "op" | "dtype">): boolean =>
  isFloat(dtype) && (op === "add" || op === "mul");

export const isArg = (op: ReduceOp): op is "argmax" | "argmin" =>
  op === "argmax" || op === "argmin";

/** The smallest (`sign` −1) or largest (+1) value of a dtype. */
function extreme(dtype: DType, sign: 1 | -1): Bits {
  if (isFloat(dtype)) return toBits(dtype, sign * Number.POSITIVE_INFINITY);
  if (dtype === "bool") return toBits(dtype, sign > 0);
  const width = itemSize(dtype) * 8;
  const max = isSigned(dtype) ? 2n ** BigInt(width - 1) - 1n : 2n ** BigInt(width) - 1n;
  return toBits(dtype, sign > 0 ? max : isSigned(dtype) ? -max - 1n : 0n);
}

export function identityOf(op: Exclude<ReduceOp, "argmax" | "argmin">, dtype: DType): Bits {
  switch (op) {
    case "add":
    case "or":
    case "xor":
      return toBits(dtype, dtype === "bool" ? false : 0);
    case "mul":
      return toBits(dtype, 1);
    case "max":
      return extreme(dtype, -1);
    case "min":
      return extreme(dtype, 1);
    case "and":
      return dtype === "bool" ? toBits(dtype, true) : toBits(dtype, -1);
    default:
      throw op satisfies never;
  }
}

/** What a stage tells an accumulator, in this order: begin, (beginSegment, accumulate…, endSegment)…, finish. */
export interface Accumulator {
  begin(): void;
  beginSegment(): void;
  /** `values[p]` pushes quad p (or the scalar); `index` pushes the flattened index of its first element. */
  accumulate(values: readonly Push[], valid: number, index: Push): void;
  /** `before` pushes the number of segments that ended earlier. */
  endSegment(before: Push): void;
  finish(): void;
  /** Pushes the result: the scalar, or quad `part` of outer points. */
  result(part: number | undefined): Push;
}

const pushSplat = (code: Code, word: number): Code => code.v128([word, word, word, word]);

/** Lanes that count, as a mask. */
function pushValid(code: Code, valid: number): void {
  const [a, b, c, d] = [0, 1, 2, 3].map((lane) => (lane < valid ? 0xffffffff : 0)) as [
    number,
    number,
    number,
    number,
  ];
  code.v128([a, b, c, d]);
}

/** Pushes lane 0 as the scalar it stands for. */
function extractFirst(code: Code, dtype: DType): void {
  code.lane(dtype === "float32" ? "f32x4.extract_lane" : "i32x4.extract_lane", 0);
  if (dtype === "bool") code.i32(1).op("i32.and");
}

// ── Lanes along the reduced index ───────────────────────────────────────────────────────────

export class BlockFold implements Accumulator {
  readonly #nest: Nest;
  readonly #op: BinaryOp;
  readonly #dtype: DType;
  readonly #identity: number;
  readonly #ordered: boolean;
  readonly #quads: readonly number[];
  readonly #value: number;
  readonly #tree: SegmentTree;

  /** @param extent of the reduced index; only as many quads are used as it can fill */
  constructor(nest: Nest, reduction: Reduction, extent: number, segments: number) {
    const op = reduction.op as Exclude<ReduceOp, "argmax" | "argmin">;
    this.#nest = nest;
    this.#op = op;
    this.#dtype = reduction.dtype;
    this.#identity = laneWord(reduction.dtype, identityOf(op, reduction.dtype));
    this.#ordered = isOrdered(reduction);
    const quads = Math.min(Math.max(Math.ceil(extent / 4), 1), accumulators / 4);
    this.#quads = Array.from({ length: quads }, () => nest.local("v128"));
    this.#value = nest.local(heldType(reduction.dtype));
    this.#tree = new SegmentTree(nest, heldType(reduction.dtype), segments, (x, y) =>
      emitBinary(nest.code, nest.helpers, op, reduction.dtype, x, y),
    );
  }

  #reset(): void {
    for (const quad of this.#quads) pushSplat(this.#nest.code, this.#identity).set(quad);
  }
  begin(): void {
    if (!this.#ordered) this.#reset();
  }
  beginSegment(): void {
    if (this.#ordered) this.#reset();
  }

  accumulate(values: readonly Push[], valid: number): void {
    const { code } = this.#nest;
    for (const [part, value] of values.entries()) {
      const quad = this.#quads[part] as number;
      const lanes = valid - 4 * part;
      const masked: Push = (into) => {
        value(into);
        if (lanes >= 4) return;
        pushSplat(into, this.#identity);
        pushValid(into, lanes);
        into.op("v128.bitselect");
      };
      emitVectorBinary(this.#nest, this.#op, this.#dtype, (into) => into.get(quad), masked);
      code.set(quad);
    }
  }

  endSegment(before: Push): void {
    if (!this.#ordered) return;
    this.#fold();
    this.#tree.push(this.#value, before);
  }

  finish(): void {
    if (this.#ordered) this.#tree.finish(this.#value);
    else this.#fold();
  }

  /** Accumulator j with j + 8, then j + 4 (both whole quads), then j + 2 and j + 1 (lanes). */
  #fold(): void {
    const { code } = this.#nest;
    const combine = (into: number, from: Push): void => {
      emitVectorBinary(this.#nest, this.#op, this.#dtype, (c) => c.get(into), from);
      code.set(into);
    };
    const [a, b, c, d] = this.#quads;
    if (a === undefined) return;
    if (c !== undefined) combine(a, (into) => into.get(c));
    if (b !== undefined && d !== undefined) combine(b, (into) => into.get(d));
    if (b !== undefined) combine(a, (into) => into.get(b));
    for (const order of [
      [2, 3, 2, 3],
      [1, 1, 1, 1],
    ]) {
      combine(a, (into) => into.get(a).get(a).shuffleLanes(order));
    }
    code.get(a);
    extractFirst(code, this.#dtype);
    code.set(this.#value);
  }

  result(): Push {
    return (code) => code.get(this.#value);
  }
}

// ── One point, or one quad of outer points, at a time ───────────────────────────────────────

/** How `SlotFold` and `ArgFold` hold one element: a scalar, or a v128 of outer points. */
export interface Element {
  readonly type: ValueType;
  pushConst(code: Code, dtype: DType, bits: Bits): void;
  binary(nest: Nest, op: BinaryOp, dtype: DType, x: Push, y: Push): void;
}

export const scalarElement = (dtype: DType): Element => ({
  type: heldType(dtype),
  pushConst,
  binary: (nest, op, of, x, y) => emitBinary(nest.code, nest.helpers, op, of, x, y),
});

export const quadElement: Element = {
  type: "v128",
  pushConst: (code, dtype, bits) => void pushSplat(code, laneWord(dtype, bits)),
  binary: (nest, op, dtype, x, y) => emitVectorBinary(nest, op, dtype, x, y),
};

/** Bytes of scratch memory that one `SlotFold` of `parts` elements needs. */
export const slotBytes = (parts: number): number => accumulators * 16 * parts;

export class SlotFold implements Accumulator {
  readonly #nest: Nest;
  readonly #dtype: DType;
  readonly #identity: Bits;
  readonly #ordered: boolean;
  readonly #element: Element;
  readonly #combine: Combine;
  readonly #slots: number;
  readonly #scratch: number;
  readonly #values: readonly number[];
  readonly #trees: readonly SegmentTree[];

  /** @param scratch byte address of `slotBytes(parts)` bytes */
  constructor(
    nest: Nest,
    reduction: Reduction,
    element: Element,
    parts: number,
    extent: number,
    segments: number,
    scratch: number,
  ) {
    const op = reduction.op as Exclude<ReduceOp, "argmax" | "argmin">;
    this.#nest = nest;
    this.#dtype = reduction.dtype;
    this.#identity = identityOf(op, reduction.dtype);
    this.#ordered = isOrdered(reduction);
    this.#element = element;
    this.#combine = (x, y) => element.binary(nest, op, reduction.dtype, x, y);
    this.#slots = Math.min(Math.max(extent, 1), accumulators);
    this.#scratch = scratch;
    this.#values = Array.from({ length: parts }, () => nest.local(element.type));
    this.#trees = this.#values.map(
      () => new SegmentTree(nest, element.type, segments, this.#combine),
    );
  }

  #pushIdentity(): void {
    this.#element.pushConst(this.#nest.code, this.#dtype, this.#identity);
  }
  #address(part: number, slot: number): number {
    return this.#scratch + (part * accumulators + slot) * 16;
  }
  #load(code: Code, offset: number): void {
    if (this.#element.type === "v128") code.memory("v128.load", offset);
    else code.memory(loadOp(this.#dtype), offset);
  }
  #store(code: Code, offset: number): void {
    if (this.#element.type === "v128") code.memory("v128.store", offset);
    else code.memory(storeOp(this.#dtype), offset);
  }

  begin(): void {
    if (this.#ordered) return;
    for (const value of this.#values) {
      this.#pushIdentity();
      this.#nest.code.set(value);
    }
  }
  beginSegment(): void {
    if (!this.#ordered) return;
    const { code } = this.#nest;
    for (const part of this.#values.keys()) {
      for (let slot = 0; slot < this.#slots; slot++) {
        code.i32(0);
        this.#pushIdentity();
        this.#store(code, this.#address(part, slot));
      }
    }
  }

  accumulate(values: readonly Push[], _valid: number, index: Push): void {
    const { code } = this.#nest;
    for (const [part, value] of values.entries()) {
      if (!this.#ordered) {
        const local = this.#values[part] as number;
        this.#combine((into) => into.get(local), value);
        code.set(local);
        continue;
      }
      const at: Push = (into) => {
        index(into);
        into
          .i32(accumulators - 1)
          .op("i32.and")
          .i32(4)
          .op("i32.shl");
      };
      const base = this.#address(part, 0);
      at(code);
      this.#combine((into) => {
        at(into);
        this.#load(into, base);
      }, value);
      this.#store(code, base);
    }
  }

  endSegment(before: Push): void {
    if (!this.#ordered) return;
    const { code } = this.#nest;
    for (const [part, value] of this.#values.entries()) {
      this.#pushFold(code, part, 0, 1);
      code.set(value);
      this.#trees[part]?.push(value, before);
    }
  }

  /** Pushes the fold of slots j, j + d, j + 2d, …: pairs at distance 8 first, at distance 1 last. */
  #pushFold(code: Code, part: number, slot: number, distance: number): void {
    if (distance === accumulators) {
      code.i32(0);
      this.#load(code, this.#address(part, slot));
    } else if (slot + distance < this.#slots) {
      this.#combine(
        (into) => this.#pushFold(into, part, slot, 2 * distance),
        (into) => this.#pushFold(into, part, slot + distance, 2 * distance),
      );
    } else {
      this.#pushFold(code, part, slot, 2 * distance);
    }
  }

  finish(): void {
    if (!this.#ordered) return;
    for (const [part, value] of this.#values.entries()) this.#trees[part]?.finish(value);
  }

  result(part: number | undefined): Push {
    return (code) => code.get(this.#values[part ?? 0] as number);
  }
}

// ── The first extreme element ───────────────────────────────────────────────────────────────

/** How `ArgFold` compares and picks, on scalars or on lanes. */
export class ArgFold implements Accumulator {
  readonly #nest: Nest;
  readonly #dtype: DType;
  readonly #result: DType;
  readonly #greatest: boolean;
  readonly #vector: boolean;
  readonly #along: boolean;
  readonly #best: readonly number[];
  readonly #where: readonly number[];
  readonly #take: number;
  readonly #answers: readonly number[];

  /**
   * @param dtype of the compared values
   * @param mode "scalar", "quads" (v128s of outer points), or "block" (lanes along the reduced index)
   */
  constructor(
    nest: Nest,
    { op, dtype: result }: Reduction,
    dtype: DType,
    mode: "scalar" | "quads" | "block",
    parts: number,
  ) {
    this.#nest = nest;
    this.#dtype = dtype;
    this.#result = result;
    this.#greatest = op === "argmax";
    this.#vector = mode !== "scalar";
    this.#along = mode === "block";
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
        pushSplat(code, laneWord(this.#dtype, worst)).set(best);
        pushSplat(code, 0).set(this.#where[part] as number);
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
    for (const [local, other] of [
      [this.#best[part] as number, value],
      [this.#where[part] as number, index],
    ] as const) {
      other(code);
      code.get(local).get(this.#take);
      code.op(this.#vector ? "v128.bitselect" : "select").set(local);
    }
  }

  accumulate(values: readonly Push[], valid: number, index: Push): void {
    const { code } = this.#nest;
    for (const [part, value] of values.entries()) {
      const best = this.#best[part] as number;
      this.#pushBeyond(value, (into) => into.get(best));
      if (this.#along && valid - 4 * part < 4) {
        pushValid(code, valid - 4 * part);
        code.op("v128.and");
      }
      code.set(this.#take);
      this.#pick(part, value, (into) => {
        index(into);
        if (this.#vector) into.op("i32x4.splat");
        if (!this.#along) return;
        const first = 4 * part;
        into.v128([first, first + 1, first + 2, first + 3]).op("i32x4.add");
      });
    }
  }

  finish(): void {
    const { code, helpers } = this.#nest;
    if (this.#along) this.#mergeLanes();
    for (const [part, answer] of this.#answers.entries()) {
      const where = this.#where[part] as number;
      if (!this.#along && this.#vector) {
        emitVectorConvert(this.#nest, "int32", this.#result, (into) => into.get(where));
        code.set(answer);
        continue;
      }
      const scalar = this.#nest.local("i32");
      code.get(where);
      if (this.#along) code.lane("i32x4.extract_lane", 0);
      code.set(scalar);
      emitConvert(code, helpers, "int32", this.#result, (into) => into.get(scalar));
      code.set(answer);
    }
  }

  /** All quads into the first, all lanes into its lane 0; among equals the lower index wins. */
  #mergeLanes(): void {
    const [best, ...others] = this.#best;
    const [where, ...indices] = this.#where;
    for (const [i, other] of others.entries()) {
      const index = indices[i] as number;
      this.#merge(
        (into) => into.get(other),
        (into) => into.get(index),
      );
    }
    for (const order of [
      [2, 3, 2, 3],
      [1, 1, 1, 1],
    ]) {
      const shuffled = (local: number): number => {
        const result = this.#nest.local("v128");
        this.#nest.code.get(local).get(local).shuffleLanes(order).set(result);
        return result;
      };
      const [value, index] = [shuffled(best as number), shuffled(where as number)];
      this.#merge(
        (into) => into.get(value),
        (into) => into.get(index),
      );
    }
  }

  #merge(value: Push, index: Push): void {
    const { code } = this.#nest;
    const best: Push = (into) => into.get(this.#best[0] as number);
    const where: Push = (into) => into.get(this.#where[0] as number);
    this.#pushBeyond(value, best);
    // Equal, or both NaN: neither lies beyond the other.
    this.#pushBeyond(best, value);
    this.#pushBeyond(value, best);
    code.op("v128.or").op("v128.not");
    index(code);
    where(code);
    code.op("i32x4.lt_s").op("v128.and").op("v128.or").set(this.#take);
    this.#pick(0, value, index);
  }

  result(part: number | undefined): Push {
    return (code) => code.get(this.#answers[part ?? 0] as number);
  }
}

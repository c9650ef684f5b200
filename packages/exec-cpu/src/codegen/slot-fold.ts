/**
 * A reduction of one point, or of one v128 of outer points, at a time, in the order that plan.ts fixes. Where 16 accumulators
 * are put together, those of a segment wait in scratch memory, where element i finds its own at i mod 16.
 */
import {
  accumulators,
  type Bits,
  type DType,
  identityOf,
  type ReduceOp,
  type Reduction,
} from "@gridfuse/plan";
import type { BinaryOp } from "@gridfuse/plan/scalar";
import type { Code, ValueType } from "../wasm/code.ts";
import { heldType, loadOp, pushConst, storeOp } from "../wasm/held.ts";
import { emitBinary, type Push } from "../wasm/scalar-ops.ts";
import { pushSplat } from "../wasm/vector-lanes.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";
import { type Combine, SegmentTree } from "./segments.ts";

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
  pushConst: (code, dtype, bits) => void pushSplat(code, dtype, bits),
  binary: (nest, op, dtype, x, y) => emitVectorBinary(nest, op, dtype, x, y),
};

/** Bytes of scratch memory that one `SlotFold` of `parts` elements needs. */
export const slotBytes = (parts: number): number => accumulators * 16 * parts;

export class SlotFold implements Accumulator {
  readonly #nest: Nest;
  readonly #dtype: DType;
  readonly #identity: Bits;
  readonly #spread: boolean;
  readonly #element: Element;
  readonly #combine: Combine;
  readonly #slots: number;
  readonly #scratch: number;
  readonly #values: readonly number[];
  readonly #trees: readonly SegmentTree[];

  /**
   * @param isSpread whether there are accumulators to put together
   * @param scratch byte address of `slotBytes(parts)` bytes
   */
  constructor(
    nest: Nest,
    reduction: Reduction,
    element: Element,
    parts: number,
    extent: number,
    isSpread: boolean,
    segments: number,
    scratch: number,
  ) {
    const op = reduction.op as Exclude<ReduceOp, "argmax" | "argmin">;
    this.#nest = nest;
    this.#dtype = reduction.dtype;
    this.#identity = identityOf(op, reduction.dtype);
    this.#spread = isSpread;
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
    if (this.#spread) return;
    for (const value of this.#values) {
      this.#pushIdentity();
      this.#nest.code.set(value);
    }
  }
  beginSegment(): void {
    if (!this.#spread) return;
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
      if (!this.#spread) {
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
    if (!this.#spread) return;
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
    if (!this.#spread) return;
    for (const [part, value] of this.#values.entries()) this.#trees[part]?.finish(value);
  }

  result(part: number | undefined): Push {
    return (code) => code.get(this.#values[part ?? 0] as number);
  }
}

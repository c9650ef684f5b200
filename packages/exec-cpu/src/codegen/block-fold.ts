/**
 * A reduction whose lanes run along the reduced index, in the order that plan.ts fixes: the 16 accumulators
 * of a segment are four v128, folded 8, 4, 2, 1, and segments combine in a balanced tree.
 */
import {
  accumulators,
  type DType,
  identityOf,
  isOrdered,
  type ReduceOp,
  type Reduction,
} from "@gridfuse/plan";
import type { BinaryOp } from "@gridfuse/plan/scalar";
import { heldType, laneWord } from "../wasm/held.ts";
import { emitBinary, type Push } from "../wasm/scalar-ops.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import { type Accumulator, extractFirst, pushSplat, pushValid } from "./reductions.ts";
import { SegmentTree } from "./segments.ts";

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

  accumulateProducts(factors: readonly (readonly [Push, Push])[]): void {
    const { code } = this.#nest;
    for (const [part, [x, y]] of factors.entries()) {
      const quad = this.#quads[part] as number;
      x(code);
      y(code);
      code.get(quad).op("f32x4.relaxed_madd").set(quad);
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

/**
 * A reduction whose lanes run along the reduced index, in the order that plan.ts fixes: the 16 accumulators
 * of a segment are four v128, or eight, folded 8, 4, 2, 1, and segments combine in a balanced tree.
 */
import {
  accumulators,
  type Bits,
  type DType,
  identityOf,
  isOrdered,
  type ReduceOp,
  type Reduction,
} from "@gridfuse/plan";
import type { BinaryOp } from "@gridfuse/plan/scalar";
import { heldType } from "../wasm/held.ts";
import { emitBinary, type Push } from "../wasm/scalar-ops.ts";
import { extractFirst, hasLanes, pushSplat, pushValid } from "../wasm/vector-lanes.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";
import { SegmentTree } from "./segments.ts";

/** The words of the upper half, and the second one. */
const [upper, second] = [
  [2, 3, 2, 3],
  [1, 1, 1, 1],
] as const;

export class BlockFold implements Accumulator {
  readonly #nest: Nest;
  readonly #op: BinaryOp;
  readonly #dtype: DType;
  readonly #identity: Bits;
  readonly #ordered: boolean;
  readonly #quads: readonly number[];
  readonly #value: number;
  readonly #tree: SegmentTree;

  /** @param extent of the reduced index; only as many vectors are used as it can fill */
  constructor(nest: Nest, reduction: Reduction, extent: number, segments: number) {
    const op = reduction.op as Exclude<ReduceOp, "argmax" | "argmin">;
    this.#nest = nest;
    this.#op = op;
    this.#dtype = reduction.dtype;
    this.#identity = identityOf(op, reduction.dtype);
    this.#ordered = isOrdered(reduction);
    const { lanes } = nest;
    const quads = Math.min(Math.max(Math.ceil(extent / lanes), 1), accumulators / lanes);
    this.#quads = Array.from({ length: quads }, () => nest.local("v128"));
    this.#value = nest.local(heldType(reduction.dtype));
    this.#tree = new SegmentTree(nest, heldType(reduction.dtype), segments, (x, y) =>
      emitBinary(nest.code, nest.helpers, op, reduction.dtype, x, y),
    );
  }

  #reset(): void {
    for (const quad of this.#quads) {
      pushSplat(this.#nest.code, this.#dtype, this.#identity).set(quad);
    }
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
      const counted = valid - this.#nest.lanes * part;
      const masked: Push = (into) => {
        value(into);
        if (counted >= this.#nest.lanes) return;
        pushSplat(into, this.#dtype, this.#identity);
        pushValid(this.#nest, this.#dtype, counted);
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

  /** Accumulator j with j + 8, then j + 4, j + 2 and j + 1: of other vectors first, then of other lanes. */
  #fold(): void {
    const { code } = this.#nest;
    const combine = (into: number, from: Push): void => {
      emitVectorBinary(this.#nest, this.#op, this.#dtype, (c) => c.get(into), from);
      code.set(into);
    };
    const { lanes } = this.#nest;
    for (let half = accumulators / lanes / 2; half >= 1; half /= 2) {
      for (const [i, other] of this.#quads.slice(half, 2 * half).entries()) {
        combine(this.#quads[i] as number, (into) => into.get(other));
      }
    }
    const first = this.#quads[0] as number;
    const isWide = lanes === 2 && (!hasLanes(this.#dtype) || this.#dtype === "bool");
    const orders = isWide ? [upper] : lanes === 2 ? [second] : [upper, second];
    for (const order of orders) {
      combine(first, (into) => into.get(first).get(first).shuffleLanes(order));
    }
    code.get(first);
    extractFirst(code, this.#dtype);
    code.set(this.#value);
  }

  result(): Push {
    return (code) => code.get(this.#value);
  }
}

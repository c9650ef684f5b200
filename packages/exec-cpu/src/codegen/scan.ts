/**
 * `scan` as WebAssembly: running sums, products, extremes, in order.
 *
 * The order leaves no choice along one scan, so lanes are different scans. Where scans lie side by side (`inner` > 1)
 * a vector holds neighbours. Where each is a contiguous row, as many rows as a vector has lanes go through a transposition,
 * in and out; eight rows at a time hide the latency of one addition behind another.
 */
import { type DType, itemSize, type ScanStep } from "@gridfuse/plan";
import { add, axis, constant, type IndexExpr } from "@gridfuse/plan/index-expr";
import { heldType } from "../wasm/held.ts";
import { emitBinary } from "../wasm/scalar-ops.ts";
import { hasLanes, type LaneCount, laneShape } from "../wasm/vector-lanes.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import { pushElement, pushLanes, storeElement, storeLanes } from "./access.ts";
import type { LaneQuad } from "./lane-quad.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import { RunningVector } from "./running-vector.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** Rows that go through together, at most; cuts between workers are multiples of it. */
const rowsAtOnce = 8;
/** Rows so many bytes apart have all their lines in one set of the cache, where no more than four fit with their results. */
const aliasing = 4096;
const mostAliased = 4;

/** Scans in a vector, or neighbours of scans that lie side by side. */
const lanesOf = (dtype: DType): LaneCount => (hasLanes(dtype) ? 4 : 2);
/** Vectors of a cache line, through which some rows go before the next do. */
const vectorsInLine = 4;

// The element that is worked on, as an axis of index expressions.
const place = 0;

export function emitScan(context: CodegenContext, step: ScanStep): StepFunction | undefined {
  const { outer, extent, inner, dtype } = step;
  if (outer * extent * inner === 0) return undefined;
  const emitter = new ScanEmitter(context, step);
  const work = outer * extent * inner;
  const lanes = lanesOf(dtype);
  if (inner > 1) {
    const how = inner >= lanes ? "simd" : "scalar";
    return { index: emitter.sideBySide(), extent: outer, grain: 1, how, work };
  }
  if (outer >= lanes && extent >= lanes) {
    const index = emitter.rows();
    return { index, extent: outer, grain: rowsAtOnce, how: "simd, a row a lane", work };
  }
  return { index: emitter.rowByRow(), extent: outer, grain: 1, how: "scalar", work: 4 * work };
}

class ScanEmitter {
  readonly #step: ScanStep;
  readonly #nest: Nest;
  readonly #from: number;
  readonly #to: number;
  readonly #at: number;

  constructor(context: CodegenContext, step: ScanStep) {
    const { outer, extent, inner } = step;
    this.#step = step;
    const fn = context.module.define(["i32", "i32"], []);
    this.#nest = new Nest(fn, context.helpers, context.loopGlobals, lanesOf(step.dtype), false);
    this.#from = context.addresses[step.input] as number;
    this.#to = context.addresses[step.output] as number;
    this.#at = this.#nest.local("i32");
    this.#nest.axes.set(place, { local: this.#at, level: 9, unit: 1 });
    this.#here = axis(place, outer * extent * inner);
  }
  readonly #here: IndexExpr;

  #quad(distance: number): LaneQuad {
    const at = (lane: number): IndexExpr => add(this.#here, constant(distance + lane));
    const valid = this.#nest.lanes;
    return { index: { at, offsets: [0, 1, 2, 3].slice(0, valid) }, first: 0, valid };
  }
  #advance(by: number): void {
    this.#nest.code.get(this.#at).i32(by).op("i32.add").set(this.#at);
  }
  /** Sets `at` to the first element of row `row` that is scanned. */
  #start(row: number, length: number): void {
    const { extent, reverse } = this.#step;
    const { code } = this.#nest;
    code.get(row).i32(extent).op("i32.mul").set(this.#at);
    if (reverse) this.#advance(extent - length);
  }

  // ── Rows ──────────────────────────────────────────────────────────────────────────────────

  /** Eight rows while there are as many, unless they are in each other's way, then four, then one by one. */
  rows(): number {
    const nest = this.#nest;
    const end = { local: 1 };
    const { outer, extent, dtype } = this.#step;
    const { lanes } = nest;
    const most = (extent * itemSize(dtype)) % aliasing === 0 ? mostAliased : rowsAtOnce;
    for (const count of most > lanes ? [most, lanes] : [lanes]) {
      if (outer < count) continue;
      blockLoop(nest, 0, count, end, false, () => this.#rowsTogether(count));
    }
    if (outer % lanes > 0) blockLoop(nest, 0, 1, end, false, () => this.#row());
    return nest.fn.index;
  }
  rowByRow(): number {
    blockLoop(this.#nest, 0, 1, { local: 1 }, true, () => this.#row());
    return this.#nest.fn.index;
  }

  #rowsTogether(count: number): void {
    const nest = this.#nest;
    const { code, lanes } = nest;
    const { extent, dtype, op, reverse } = this.#step;
    const groups = Array.from({ length: count / lanes }, (_, group) => ({
      sum: new RunningVector(nest, op, dtype),
      distances: Array.from({ length: lanes }, (_, row) => (group * lanes + row) * extent),
    }));
    for (const { sum } of groups) sum.begin();
    this.#start(0, lanes);
    const done = nest.local("i32");
    const vectors = Math.floor(extent / lanes);
    const inLines = vectors - (vectors % vectorsInLine);
    code.i32(0).set(done);
    const walk = (step: number, end: number): void => {
      blockLoop(nest, done, step, { constant: end }, true, () => {
        for (const { sum, distances } of groups) {
          for (let vector = 0; vector < step; vector++) {
            const moved = lanes * (reverse ? -vector : vector);
            this.#square(
              sum,
              distances.map((distance) => distance + moved),
            );
          }
        }
        this.#advance(step * (reverse ? -lanes : lanes));
      });
    };
    if (inLines > 0) walk(vectorsInLine, inLines);
    if (inLines < vectors) walk(1, vectors);
    // The last few of each row, one by one.
    const left = extent % lanes;
    if (left === 0) return;
    if (reverse) this.#advance(lanes - left);
    for (const { sum, distances } of groups) {
      for (const [row, distance] of distances.entries()) this.#tail(sum, row, distance, left);
    }
  }

  /** As many elements of as many rows as a vector has lanes: in, on to `sum` and out again. */
  #square(sum: RunningVector, distances: readonly number[]): void {
    const nest = this.#nest;
    const { dtype, reverse } = this.#step;
    const loaded = distances.map((distance) => {
      const local = nest.local("v128");
      pushLanes(nest, dtype, this.#from, this.#quad(distance));
      nest.code.set(local);
      return local;
    });
    const columns = this.#transposed(loaded);
    const order = reverse ? [...columns.keys()].reverse() : [...columns.keys()];
    for (const column of order) sum.take(columns[column] as number);
    for (const [row, local] of this.#transposed(columns).entries()) {
      const quad = this.#quad(distances[row] as number);
      storeLanes(nest, dtype, this.#to, quad, () => nest.code.get(local));
    }
  }

  #transposed(rows: readonly number[]): readonly number[] {
    const nest = this.#nest;
    const join = (a: number, b: number, order: readonly number[]): number => {
      const local = nest.local("v128");
      nest.code.get(a).get(b).shuffleLanes(order).set(local);
      return local;
    };
    if (nest.lanes === 2) {
      const [a, b] = rows as [number, number];
      return [join(a, b, [0, 1, 4, 5]), join(a, b, [2, 3, 6, 7])];
    }
    const [a, b, c, d] = rows as [number, number, number, number];
    const [low, high] = [
      [0, 4, 1, 5],
      [2, 6, 3, 7],
    ] as const;
    const halves = [low, high].map((order) => [join(a, b, order), join(c, d, order)] as const);
    return halves.flatMap(([x, y]) => [join(x, y, [0, 1, 4, 5]), join(x, y, [2, 3, 6, 7])]);
  }

  /** The last `left` elements of a row whose sum so far is lane `row` of `sum`. */
  #tail(sum: RunningVector, row: number, distance: number, left: number): void {
    const nest = this.#nest;
    const { dtype, reverse } = this.#step;
    const held = nest.local(heldType(dtype));
    sum.push();
    nest.code.lane(`${laneShape(dtype)}.extract_lane`, row);
    // Lanes of bool are masks.
    if (dtype === "bool") nest.code.i32(1).op("i32.and");
    nest.code.set(held);
    for (let i = 0; i < left; i++) {
      this.#next(held, add(this.#here, constant(distance + (reverse ? left - 1 - i : i))));
    }
  }

  /** Takes the element at `at` into the sum in local `held`, and writes that there. */
  #next(held: number, at: IndexExpr): void {
    const nest = this.#nest;
    const { dtype, op } = this.#step;
    const value = nest.local(heldType(dtype));
    pushElement(nest, dtype, this.#from, at);
    nest.code.set(value);
    emitBinary(
      nest.code,
      nest.helpers,
      op,
      dtype,
      (code) => code.get(held),
      (code) => code.get(value),
    );
    nest.code.set(held);
    storeElement(nest, dtype, this.#to, at, () => nest.code.get(held));
  }

  /** One row, its sum so far in a local. */
  #row(): void {
    const nest = this.#nest;
    const { extent, dtype, reverse } = this.#step;
    const [sum, count] = [nest.local(heldType(dtype)), nest.local("i32")];
    this.#start(0, 1);
    pushElement(nest, dtype, this.#from, this.#here);
    nest.code.set(sum);
    storeElement(nest, dtype, this.#to, this.#here, () => nest.code.get(sum));
    if (extent === 1) return;
    nest.code.i32(1).set(count);
    blockLoop(nest, count, 1, { constant: extent }, true, () => {
      this.#advance(reverse ? -1 : 1);
      this.#next(sum, this.#here);
    });
  }

  // ── Side by side ──────────────────────────────────────────────────────────────────────────

  /** out[e] = out[e − 1] ⊕ in[e], one whole cross-section after the other. */
  sideBySide(): number {
    const nest = this.#nest;
    const { extent, inner, reverse } = this.#step;
    const section = nest.local("i32");
    blockLoop(nest, 0, 1, { local: 1 }, true, () => {
      nest.code
        .get(0)
        .i32(extent * inner)
        .op("i32.mul")
        .set(this.#at);
      if (reverse) this.#advance((extent - 1) * inner);
      this.#section(undefined);
      if (extent === 1) return;
      nest.code.i32(1).set(section);
      blockLoop(nest, section, 1, { constant: extent }, true, () => {
        this.#section(reverse ? inner : -inner);
      });
    });
    return nest.fn.index;
  }

  /** @param before distance of the section that comes before this one; undefined for the first */
  #section(before: number | undefined): void {
    const nest = this.#nest;
    const { inner, reverse } = this.#step;
    const column = nest.local("i32");
    nest.code.i32(0).set(column);
    const walk = (width: number, body: () => void): void => {
      blockLoop(nest, column, width, { constant: inner }, true, () => {
        body();
        this.#advance(width);
      });
    };
    const width = nest.lanes;
    const wide = inner >= width;
    if (wide) walk(width, () => this.#quadBeside(before));
    if (!wide || inner % width > 0) walk(1, () => this.#elementBeside(before));
    if (reverse) this.#advance(-2 * inner);
  }

  #quadBeside(before: number | undefined): void {
    const nest = this.#nest;
    const { dtype, op } = this.#step;
    const value = nest.local("v128");
    pushLanes(nest, dtype, this.#from, this.#quad(0));
    nest.code.set(value);
    if (before !== undefined) {
      const sum = nest.local("v128");
      pushLanes(nest, dtype, this.#to, this.#quad(before));
      nest.code.set(sum);
      emitVectorBinary(
        nest,
        op,
        dtype,
        (code) => code.get(sum),
        (code) => code.get(value),
      );
      nest.code.set(value);
    }
    storeLanes(nest, dtype, this.#to, this.#quad(0), () => nest.code.get(value));
  }

  #elementBeside(before: number | undefined): void {
    const nest = this.#nest;
    const { dtype, op } = this.#step;
    const value = nest.local(heldType(dtype));
    pushElement(nest, dtype, this.#from, this.#here);
    nest.code.set(value);
    if (before !== undefined) {
      const sum = nest.local(heldType(dtype));
      pushElement(nest, dtype, this.#to, add(this.#here, constant(before)));
      nest.code.set(sum);
      emitBinary(
        nest.code,
        nest.helpers,
        op,
        dtype,
        (code) => code.get(sum),
        (code) => code.get(value),
      );
      nest.code.set(value);
    }
    storeElement(nest, dtype, this.#to, this.#here, () => nest.code.get(value));
  }
}

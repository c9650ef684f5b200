/**
 * `scan` as WebAssembly: running sums, products, extremes, in order. Where scans lie side by side (`inner` > 1) a vector holds
 * neighbours; where each is a contiguous row, see scan-rows.ts.
 */
import { type DType, itemSize, type ScanStep } from "@gridfuse/plan";
import { heldType } from "../wasm/held.ts";
import { emitBinary } from "../wasm/scalar-ops.ts";
import { hasLanes, type LaneCount } from "../wasm/vector-lanes.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import { Cursor, type Scanned } from "./scan-cursor.ts";
import { RowScans, rowsAtOnce } from "./scan-rows.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** Sections are cut into stretches of so many bytes; of shorter ones, the same places of all lie in few sets of the cache. */
const stretchBytes = 1 << 14;
const stretchOf = ({ dtype }: ScanStep): number => stretchBytes / itemSize(dtype);
/** A single stack of long sections: threads take stretches of all of them, as of several stacks they take some. */
const isCut = (step: ScanStep): boolean => step.outer === 1 && step.inner > stretchOf(step);

/** Scans in a vector, or neighbours of scans that lie side by side. */
const lanesOf = (dtype: DType): LaneCount => (hasLanes(dtype) ? 4 : 2);

export function emitScan(context: CodegenContext, step: ScanStep): StepFunction | undefined {
  const { outer, extent, inner, dtype } = step;
  if (outer * extent * inner === 0) return undefined;
  const work = outer * extent * inner;
  const lanes = lanesOf(dtype);
  const fn = context.module.define(["i32", "i32"], []);
  const nest = new Nest(fn, context.helpers, context.loopGlobals, lanes, false);
  const [from, to] = [step.input, step.output].map((buffer) => context.addresses[buffer] as number);
  const scanned = { step, from: from as number, to: to as number };
  const { index } = fn;
  if (inner > 1) {
    new ScansBeside(nest, scanned).write();
    const how = inner >= lanes ? "simd" : "scalar";
    if (isCut(step)) return { index, extent: inner, grain: stretchOf(step), how, work };
    return { index, extent: outer, grain: 1, how, work };
  }
  const rows = new RowScans(nest, scanned);
  if (outer >= lanes && extent >= lanes) {
    rows.together();
    return { index, extent: outer, grain: rowsAtOnce, how: "simd, a row a lane", work };
  }
  rows.oneByOne();
  return { index, extent: outer, grain: 1, how: "scalar", work: 4 * work };
}

/**
 * out[e] = out[e − 1] ⊕ in[e], one cross-section after the other. Locals 0 and 1 say which of several stacks of them; of one
 * that is cut, which columns.
 */
class ScansBeside {
  readonly #nest: Nest;
  readonly #step: ScanStep;
  readonly #cursor: Cursor;
  /** The first element of the section. */
  readonly #section: number;
  readonly #column: number;

  constructor(nest: Nest, scanned: Scanned) {
    this.#nest = nest;
    this.#step = scanned.step;
    this.#cursor = new Cursor(nest, scanned, 0);
    this.#section = nest.local("i32");
    this.#column = nest.local("i32");
  }

  write(): void {
    const nest = this.#nest;
    const { extent, inner } = this.#step;
    if (isCut(this.#step)) {
      nest.code.i32(0);
      this.#stack();
      return;
    }
    blockLoop(nest, 0, 1, { local: 1 }, true, () => {
      nest.code
        .get(0)
        .i32(extent * inner)
        .op("i32.mul");
      this.#stack();
    });
  }

  /** All sections of the stack whose first element's number is on the stack of values. */
  #stack(): void {
    const nest = this.#nest;
    const { extent, inner, reverse } = this.#step;
    const [count, by] = [nest.local("i32"), reverse ? -inner : inner];
    if (reverse) nest.code.i32((extent - 1) * inner).op("i32.add");
    nest.code.set(this.#section);
    this.#columns(undefined);
    if (extent === 1) return;
    nest.code.i32(1).set(count);
    blockLoop(nest, count, 1, { constant: extent }, true, () => {
      nest.code.get(this.#section).i32(by).op("i32.add").set(this.#section);
      this.#columns(-by);
    });
  }

  /** @param before distance of the section that comes before this one; undefined for the first */
  #columns(before: number | undefined): void {
    const nest = this.#nest;
    const { inner } = this.#step;
    const column = this.#column;
    const isPart = isCut(this.#step);
    if (isPart) nest.code.get(0).set(column);
    else nest.code.i32(0).set(column);
    const walk = (width: number, body: () => void): void => {
      blockLoop(nest, column, width, isPart ? { local: 1 } : { constant: inner }, !isPart, () => {
        nest.code.get(this.#section).get(column).op("i32.add").set(this.#cursor.at);
        body();
      });
    };
    const width = nest.lanes;
    const wide = inner >= width;
    if (wide) walk(width, () => this.#vector(before));
    if (!wide || inner % width > 0) walk(1, () => this.#element(before));
  }

  #vector(before: number | undefined): void {
    const nest = this.#nest;
    const { dtype, op } = this.#step;
    const value = nest.local("v128");
    this.#cursor.pushVector(0);
    nest.code.set(value);
    if (before !== undefined) {
      const sum = nest.local("v128");
      this.#cursor.pushScannedVector(before);
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
    this.#cursor.storeVector(0, value);
  }

  #element(before: number | undefined): void {
    const nest = this.#nest;
    const { dtype, op } = this.#step;
    const value = nest.local(heldType(dtype));
    this.#cursor.pushElement(0);
    nest.code.set(value);
    if (before !== undefined) {
      const sum = nest.local(heldType(dtype));
      this.#cursor.pushScannedElement(before);
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
    this.#cursor.storeElement(0, value);
  }
}

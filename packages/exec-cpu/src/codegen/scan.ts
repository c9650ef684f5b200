/**
 * `scan` as WebAssembly: running sums, products, extremes, in order. Where scans lie side by side (`inner` > 1) a vector holds
 * neighbours; where each is a contiguous row, see scan-rows.ts.
 */
import type { DType, ScanStep } from "@gridfuse/plan";
import { heldType } from "../wasm/held.ts";
import { emitBinary } from "../wasm/scalar-ops.ts";
import { hasLanes, type LaneCount } from "../wasm/vector-lanes.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import { Cursor, type Scanned } from "./scan-cursor.ts";
import { RowScans, rowsAtOnce } from "./scan-rows.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

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
    return { index, extent: outer, grain: 1, how: inner >= lanes ? "simd" : "scalar", work };
  }
  const rows = new RowScans(nest, scanned);
  if (outer >= lanes && extent >= lanes) {
    rows.together();
    return { index, extent: outer, grain: rowsAtOnce, how: "simd, a row a lane", work };
  }
  rows.oneByOne();
  return { index, extent: outer, grain: 1, how: "scalar", work: 4 * work };
}

/** out[e] = out[e − 1] ⊕ in[e], one whole cross-section after the other. */
class ScansBeside {
  readonly #nest: Nest;
  readonly #step: ScanStep;
  readonly #cursor: Cursor;

  constructor(nest: Nest, scanned: Scanned) {
    this.#nest = nest;
    this.#step = scanned.step;
    this.#cursor = new Cursor(nest, scanned, 0);
  }

  write(): void {
    const nest = this.#nest;
    const { extent, inner, reverse } = this.#step;
    const section = nest.local("i32");
    blockLoop(nest, 0, 1, { local: 1 }, true, () => {
      nest.code
        .get(0)
        .i32(extent * inner)
        .op("i32.mul")
        .set(this.#cursor.at);
      if (reverse) this.#cursor.advance((extent - 1) * inner);
      this.#section(undefined);
      if (extent === 1) return;
      nest.code.i32(1).set(section);
      blockLoop(nest, section, 1, { constant: extent }, true, () => {
        this.#section(reverse ? inner : -inner);
      });
    });
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
        this.#cursor.advance(width);
      });
    };
    const width = nest.lanes;
    const wide = inner >= width;
    if (wide) walk(width, () => this.#vector(before));
    if (!wide || inner % width > 0) walk(1, () => this.#element(before));
    if (reverse) this.#cursor.advance(-2 * inner);
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

/**
 * A moving place in the elements of a scan, from which others are named by their distance: read from its input, written to
 * its output, and the output read again.
 */
import type { ScanStep } from "@gridfuse/plan";
import { add, axis, constant, type IndexExpr } from "@gridfuse/plan/index-expr";
import { pushElement, pushLanes, storeElement, storeLanes } from "./access.ts";
import type { LaneQuad } from "./lane-quad.ts";
import type { Nest } from "./nest.ts";

/** What is scanned: the step, and where its input and its output lie. */
export interface Scanned {
  readonly step: ScanStep;
  readonly from: number;
  readonly to: number;
}

export class Cursor {
  readonly #nest: Nest;
  readonly #scanned: Scanned;
  readonly #here: IndexExpr;
  /** Holds the element's number. */
  readonly at: number;

  /** @param number the axis that stands for it in index expressions */
  constructor(nest: Nest, scanned: Scanned, number: number) {
    const { outer, extent, inner } = scanned.step;
    this.#nest = nest;
    this.#scanned = scanned;
    this.at = nest.local("i32");
    nest.axes.set(number, { local: this.at, level: 9, unit: 1 });
    this.#here = axis(number, outer * extent * inner);
  }

  #element(distance: number): IndexExpr {
    return distance === 0 ? this.#here : add(this.#here, constant(distance));
  }
  /** Neighbours, as many as a vector has lanes. */
  #vector(distance: number): LaneQuad {
    const at = (lane: number): IndexExpr => this.#element(distance + lane);
    const valid = this.#nest.lanes;
    return { index: { at, offsets: [0, 1, 2, 3].slice(0, valid) }, first: 0, valid };
  }

  pushElement(distance: number): void {
    const { step, from } = this.#scanned;
    pushElement(this.#nest, step.dtype, from, this.#element(distance));
  }
  pushVector(distance: number): void {
    const { step, from } = this.#scanned;
    pushLanes(this.#nest, step.dtype, from, this.#vector(distance));
  }
  /** Results that are there already. */
  pushScannedElement(distance: number): void {
    const { step, to } = this.#scanned;
    pushElement(this.#nest, step.dtype, to, this.#element(distance));
  }
  pushScannedVector(distance: number): void {
    const { step, to } = this.#scanned;
    pushLanes(this.#nest, step.dtype, to, this.#vector(distance));
  }
  storeElement(distance: number, local: number): void {
    const { step, to } = this.#scanned;
    const nest = this.#nest;
    storeElement(nest, step.dtype, to, this.#element(distance), () => nest.code.get(local));
  }
  storeVector(distance: number, local: number): void {
    const { step, to } = this.#scanned;
    const nest = this.#nest;
    storeLanes(nest, step.dtype, to, this.#vector(distance), () => nest.code.get(local));
  }

  advance(by: number): void {
    this.#nest.code.get(this.at).i32(by).op("i32.add").set(this.at);
  }
  /** Goes to the first of the `length` elements of row `row` (a local), and `beyond` rows further, that are scanned first. */
  start(row: number, length: number, beyond = 0): void {
    const { extent, reverse } = this.#scanned.step;
    const { code } = this.#nest;
    code.get(row);
    if (beyond > 0) code.i32(beyond).op("i32.add");
    code.i32(extent).op("i32.mul").set(this.at);
    if (reverse) this.advance(extent - length);
  }
}

/** A moving place in the elements of a scan, from which others are named by their distance. */
import type { ScanStep } from "@gridfuse/plan";
import { add, axis, constant, type IndexExpr } from "@gridfuse/plan/index-expr";
import type { LaneQuad } from "./lane-quad.ts";
import type { Nest } from "./nest.ts";

export class Cursor {
  readonly #nest: Nest;
  readonly #step: ScanStep;
  readonly #here: IndexExpr;
  /** Holds the element's number. */
  readonly at: number;

  /** @param number the axis that stands for it in index expressions */
  constructor(nest: Nest, step: ScanStep, number: number) {
    const { outer, extent, inner } = step;
    this.#nest = nest;
    this.#step = step;
    this.at = nest.local("i32");
    nest.axes.set(number, { local: this.at, level: 9, unit: 1 });
    this.#here = axis(number, outer * extent * inner);
  }

  element(distance = 0): IndexExpr {
    return distance === 0 ? this.#here : add(this.#here, constant(distance));
  }
  /** Neighbours, as many as a vector has lanes. */
  vector(distance: number): LaneQuad {
    const at = (lane: number): IndexExpr => this.element(distance + lane);
    const valid = this.#nest.lanes;
    return { index: { at, offsets: [0, 1, 2, 3].slice(0, valid) }, first: 0, valid };
  }
  advance(by: number): void {
    this.#nest.code.get(this.at).i32(by).op("i32.add").set(this.at);
  }
  /** Goes to the first of the `length` elements of row `row` (a local), and `beyond` rows further, that are scanned first. */
  start(row: number, length: number, beyond = 0): void {
    const { extent, reverse } = this.#step;
    const { code } = this.#nest;
    code.get(row);
    if (beyond > 0) code.i32(beyond).op("i32.add");
    code.i32(extent).op("i32.mul").set(this.at);
    if (reverse) this.advance(extent - length);
  }
}

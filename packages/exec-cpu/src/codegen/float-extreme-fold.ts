/**
 * `max` and `min` of floats on vectors (float-extremes.ts): of points side by side, or of float64 along the lanes, two vectors at
 * a time; `ExtremeFold` has float32 along the lanes.
 */
import type { Reduction } from "@gridfuse/plan";
import { heldType } from "../wasm/held.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { extractFirst, hasLanes, pushValid } from "../wasm/vector-lanes.ts";
import { type Extremum, FloatExtremes, isWholeFloat, type WholeFloat } from "./float-extremes.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";

export const foldsFloatExtremes = ({ op, dtype }: Reduction): boolean =>
  (op === "max" || op === "min") && isWholeFloat(dtype);

abstract class FloatExtremeFold implements Accumulator {
  protected readonly nest: Nest;
  protected readonly dtype: WholeFloat;
  protected readonly extremes: FloatExtremes;
  protected readonly sides: readonly Extremum[];

  /** @param sides vectors of values that are kept apart */
  constructor(nest: Nest, { op, dtype }: Reduction, sides: number) {
    this.nest = nest;
    this.dtype = dtype as WholeFloat;
    this.extremes = new FloatExtremes(nest, op as "max" | "min", this.dtype);
    this.sides = Array.from({ length: sides }, () => this.extremes.none());
  }

  begin(): void {
    for (const side of this.sides) this.extremes.reset(side);
  }
  beginSegment(): void {}
  endSegment(): void {}

  accumulate(values: readonly Push[], valid: number): void {
    const { lanes } = this.nest;
    for (const [part, value] of values.entries()) {
      const side = this.sides[part % this.sides.length] as Extremum;
      this.extremes.take(side, this.counted(value, valid - lanes * part));
    }
  }

  /** The value, with what changes nothing in lanes that do not count. */
  protected abstract counted(value: Push, lanes: number): Push;
  abstract finish(): void;
  abstract result(part: number | undefined): Push;
}

/** Of points side by side: every vector of them has its own. */
export class CrossExtremeFold extends FloatExtremeFold {
  protected counted(value: Push): Push {
    return value;
  }
  finish(): void {
    for (const side of this.sides) {
      this.extremes.push(side);
      this.nest.code.set(side.most);
    }
  }
  result(part: number | undefined): Push {
    return (code) => code.get((this.sides[part ?? 0] as Extremum).most);
  }
}

/** Vectors along the reduced index that are folded side by side. */
const mostSides = 2;

/** Of values along the lanes. */
export class RowExtremeFold extends FloatExtremeFold {
  readonly #value: number;

  /** @param extent of the reduced index */
  constructor(nest: Nest, reduction: Reduction, extent: number) {
    super(nest, reduction, extent > nest.lanes ? mostSides : 1);
    this.#value = nest.local(heldType(reduction.dtype));
  }

  protected counted(value: Push, lanes: number): Push {
    if (lanes >= this.nest.lanes) return value;
    const { code } = this.nest;
    const local = this.nest.local("v128");
    value(code);
    this.extremes.pushWorst();
    pushValid(this.nest, this.dtype, lanes);
    code.op("v128.bitselect").set(local);
    return (into) => into.get(local);
  }

  finish(): void {
    const { code, lanes } = this.nest;
    const [first, ...others] = this.sides as [Extremum, ...Extremum[]];
    for (const other of others) this.extremes.join(first, other, (local) => code.get(local));
    const upper = [2, 3, 2, 3];
    const second = [1, 1, 1, 1];
    const orders = !hasLanes(this.dtype) ? [upper] : lanes === 2 ? [second] : [upper, second];
    for (const order of orders) {
      const turned = (local: number): void => void code.get(local).get(local).shuffleLanes(order);
      this.extremes.join(first, first, turned);
    }
    this.extremes.push(first);
    extractFirst(code, this.dtype);
    code.set(this.#value);
  }

  result(): Push {
    return (code) => code.get(this.#value);
  }
}

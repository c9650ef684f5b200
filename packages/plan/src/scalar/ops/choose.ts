/**
 * Nodes that compare or pick: comparisons, `select`, `rare`, and constants. None of them computes a
 * number, so floats are moved as words and keep their NaN payloads.
 */
import { type Bits, fromBits } from "../../bits.ts";
import type { DType } from "../../dtype.ts";
import { type Lanes, type NumberLanes, wordsOf } from "../lanes.ts";
import type { CompareOp } from "../node.ts";

type Comparison = (x: Lanes, y: Lanes, out: Uint8Array, n: number) => void;

// `===` on two elements of one dtype never mixes number and bigint.
type Element = number;
const elements = (x: Lanes): NumberLanes => x as NumberLanes;

const comparison =
  (f: (x: Element, y: Element) => boolean): Comparison =>
  (x, y, out, n) => {
    const left = elements(x);
    const right = elements(y);
    for (let i = 0; i < n; i++) out[i] = f(left[i] as Element, right[i] as Element) ? 1 : 0;
  };

/** Of numbers and bigints alike; every one but `ne` is false on NaN. */
export const comparisons: Readonly<Record<CompareOp, Comparison>> = {
  eq: comparison((x, y) => x === y),
  ne: comparison((x, y) => x !== y),
  lt: comparison((x, y) => x < y),
  le: comparison((x, y) => x <= y),
  gt: comparison((x, y) => x > y),
  ge: comparison((x, y) => x >= y),
};

const movable = (x: Lanes): Lanes =>
  x instanceof Float32Array || x instanceof Float64Array ? wordsOf(x) : x;

/** out = condition ? onTrue : onFalse, lane by lane, bits untouched. */
export function selectLanes(
  condition: Uint8Array,
  onTrue: Lanes,
  onFalse: Lanes,
  out: Lanes,
  n: number,
): void {
  const yes = movable(onTrue) as NumberLanes;
  const no = movable(onFalse) as NumberLanes;
  const to = movable(out) as NumberLanes;
  if (out instanceof Float64Array) {
    for (let i = 0; i < n; i++) {
      const from = condition[i] ? yes : no;
      to[2 * i] = from[2 * i] as number;
      to[2 * i + 1] = from[2 * i + 1] as number;
    }
  } else {
    for (let i = 0; i < n; i++) to[i] = (condition[i] ? yes[i] : no[i]) as number;
  }
}

/** n lanes of one immediate. */
export function fillLanes(dtype: DType, bits: Bits, out: Lanes, n: number): void {
  if (dtype === "float32") {
    wordsOf(out as Float32Array).fill(bits.lo, 0, n);
  } else if (dtype === "float64") {
    const words = wordsOf(out as Float64Array);
    for (let i = 0; i < n; i++) words.set([bits.lo, bits.hi], 2 * i);
  } else if (dtype === "int64" || dtype === "uint64") {
    (out as BigInt64Array).fill(fromBits(dtype, bits) as bigint, 0, n);
  } else {
    (out as NumberLanes).fill(Number(fromBits(dtype, bits)), 0, n);
  }
}

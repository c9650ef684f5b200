/**
 * What panels of a `dot` are made of. Elements are held as what sums are held in; integers of at most 16 bits go by
 * twos along k, which one instruction multiplies and adds: what leaves 32 bits wraps there as it does anywhere.
 */
import { type DType, isInteger, isSigned, itemSize } from "@gridfuse/plan";
import { hasLanes, type LaneCount, laneShape } from "../wasm/vector-lanes.ts";
import { roundTo } from "./dot-rounding.ts";
import type { FlatDot } from "./flat-dot.ts";
import type { Nest } from "./nest.ts";

export interface DotElements {
  /** Lanes of a vector. */
  readonly lanes: LaneCount;
  /** Bytes of a lane. */
  readonly size: 4 | 8;
  /** Steps along k in a lane. */
  readonly perLane: 1 | 2;
}

interface Operands {
  readonly lhs: { readonly dtype: DType };
  readonly rhs: { readonly dtype: DType };
  readonly accumulate: DType;
}

export function elementsOf({ lhs, rhs, accumulate }: Operands): DotElements {
  if (!hasLanes(accumulate)) return { lanes: 2, size: 8, perLane: 1 };
  const goByTwos = isInteger(accumulate) && isShort(lhs.dtype) && isShort(rhs.dtype);
  return { lanes: 4, size: 4, perLane: goByTwos ? 2 : 1 };
}

/** Whether every value is one of 16 bits with a sign. */
function isShort(dtype: DType): boolean {
  if (dtype === "bool") return true;
  return isInteger(dtype) && (itemSize(dtype) === 1 || (itemSize(dtype) === 2 && isSigned(dtype)));
}

/** Lanes along k. */
export const stepsOf = (depth: number, { perLane }: DotElements): number =>
  Math.ceil(depth / perLane);

/** sum += left · right, of vectors in locals. */
export function emitMultiplyAdd(
  nest: Nest,
  { accumulate, rounding }: Pick<FlatDot, "accumulate" | "rounding">,
  { perLane }: DotElements,
  left: number,
  right: number,
  sum: number,
): void {
  const { code } = nest;
  const shape = laneShape(accumulate);
  code.get(sum).get(left).get(right);
  code.op(perLane === 2 ? "i32x4.dot_i16x8_s" : `${shape}.mul`);
  if (rounding !== undefined) roundTo(nest, rounding);
  code.op(`${shape}.add`);
  if (rounding !== undefined) roundTo(nest, rounding);
  code.set(sum);
}

/** A `dot` seen through four flat axes: batch, row, column, reduced index. */
import { type DotStep, type DType, isInteger, itemSize } from "@gridfuse/plan";
import { add, axis, floordiv, type IndexExpr, mod, mul } from "@gridfuse/plan/index-expr";
import { isHalf } from "../wasm/held.ts";
import { hasLanes } from "../wasm/vector-lanes.ts";
import type { Half } from "./dot-rounding.ts";

/** With fewer columns than this, rows and columns change places if that gives more. */
const narrow = 8;

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

// Flat axes: batch, row, column, reduced index.
export const B = 0;
export const M = 1;
export const N = 2;
export const K = 3;

/** One operand seen through flat axes. */
export interface Operand {
  readonly dtype: DType;
  readonly address: number;
  readonly index: IndexExpr;
}

/** A dot with flat axes, turned so that the columns are the wide side. */
export interface FlatDot {
  readonly extents: readonly [number, number, number, number];
  readonly lhs: Operand;
  readonly rhs: Operand;
  readonly out: Operand;
  readonly accumulate: DType;
  /** What products and sums are rounded to, where they are held in something wider. */
  readonly rounding: Half | undefined;
  /** Sums go on from what the result holds. */
  readonly onto: boolean;
}

/** Σ stride·coordinate for the coordinates of a flat axis over `extents`. */
function flatIndex(
  flat: number,
  extents: readonly number[],
  strides: readonly number[],
): IndexExpr {
  const whole = axis(flat, product(extents));
  let below = 1;
  const parts: IndexExpr[] = [];
  for (let i = extents.length - 1; i >= 0; i--) {
    const extent = extents[i] as number;
    const coordinate = i === 0 ? floordiv(whole, below) : mod(floordiv(whole, below), extent);
    parts.push(mul(coordinate, strides[i] as number));
    below *= extent;
  }
  return add(...parts);
}

/**
 * What sums are held in. Integers narrower than 32 bits are what is left of wider ones, at the end as after each step,
 * unless the end is wider than the steps.
 */
function sumsOf(step: DotStep): DType {
  const { accumulate, dtype, lhsDType, rhsDType } = step;
  const areIntegers = [accumulate, dtype, lhsDType, rhsDType].every(isInteger);
  const isNarrow = itemSize(accumulate) < 4 && itemSize(dtype) <= itemSize(accumulate);
  if (roundingOf(step) !== undefined) return "float32";
  return areIntegers && isNarrow ? "int32" : accumulate;
}

function roundingOf({ accumulate, lhsDType, rhsDType }: DotStep): Half | undefined {
  return isHalf(accumulate) && hasLanes(lhsDType) && hasLanes(rhsDType) ? accumulate : undefined;
}

export function flatten(step: DotStep, addresses: readonly number[]): FlatDot {
  const { batch, m, n, k, lhs, rhs, out } = step;
  const address = ({ buffer }: { readonly buffer: number }): number => addresses[buffer] as number;
  const [mCount, nCount] = [product(m), product(n)];
  const swapped = nCount < narrow && mCount > nCount;
  const [rowAxis, columnAxis] = swapped ? ([N, M] as const) : ([M, N] as const);
  const operand = (
    of: DotStep["lhs"],
    dtype: DType,
    flat: number,
    extents: readonly number[],
  ): Operand => ({
    dtype,
    address: address(of),
    index: add(
      of.base,
      flatIndex(B, batch, of.batch),
      flatIndex(flat, extents, of.free),
      flatIndex(K, k, of.contract),
    ),
  });
  const left = operand(lhs, step.lhsDType, rowAxis, m);
  const right = operand(rhs, step.rhsDType, columnAxis, n);
  return {
    extents: [product(batch), swapped ? nCount : mCount, swapped ? mCount : nCount, product(k)],
    lhs: swapped ? right : left,
    rhs: swapped ? left : right,
    out: {
      dtype: step.dtype,
      address: address(out),
      index: add(
        out.base,
        flatIndex(B, batch, out.batch),
        flatIndex(rowAxis, m, out.free.slice(0, m.length)),
        flatIndex(columnAxis, n, out.free.slice(m.length)),
      ),
    },
    accumulate: sumsOf(step),
    rounding: roundingOf(step),
    onto: step.onto === true,
  };
}

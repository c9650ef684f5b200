/**
 * Ranges of indices while a kernel is pulled together: which may be left, how guards add up, and how a
 * computed index is tested or clamped in a dtype that may be narrower than its bounds.
 */
import { guardedInterval } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  type DType,
  type IndexRange,
  isSigned,
  itemSize,
  kindOf,
  type ScalarBuilder,
} from "@gridfuse/plan/scalar";

/** The ranges that are not provably kept, where `guard` holds. */
export function openRanges(
  index: readonly IndexExpr[],
  shape: readonly number[],
  guard: readonly IndexRange[] = [],
): IndexRange[] {
  return index.flatMap((e, d) => {
    const hi = shape[d] as number;
    const within = (range: { readonly lo: number; readonly hi: number }): boolean =>
      range.lo >= 0 && range.hi < hi;
    const isKept = within(e) || (guard.length > 0 && within(guardedInterval(e, guard)));
    return isKept ? [] : [{ index: e, lo: 0, hi }];
  });
}

export function mergeGuards(
  a: readonly IndexRange[],
  b: readonly IndexRange[],
): readonly IndexRange[] {
  if (a.length === 0) return b;
  const keys = new Set(a.map(({ index, lo, hi }) => `${index.key}:${lo}:${hi}`));
  return [...a, ...b.filter(({ index, lo, hi }) => !keys.has(`${index.key}:${lo}:${hi}`))];
}

/** clamp(value, lo, hi) in the value's own dtype, which may be narrower than the bounds or unsigned. */
export function clampNode(
  b: ScalarBuilder,
  value: number,
  dtype: DType,
  lo: number,
  hi: number,
): number {
  const { least, most } = integerRange(dtype);
  let result = value;
  if (least < lo) result = b.binary("max", result, b.const(dtype, lo));
  if (most > hi) result = b.binary("min", result, b.const(dtype, hi));
  return result;
}

/** 0 ≤ value ≤ room, in the value's own dtype. */
export function insideNode(b: ScalarBuilder, value: number, dtype: DType, room: number): number {
  if (room < 0) return b.const("bool", false);
  const { least, most } = integerRange(dtype);
  let inside: number | undefined;
  if (least < 0) inside = b.compare("ge", value, b.const(dtype, 0));
  if (most > room) {
    const below = b.compare("le", value, b.const(dtype, room));
    inside = inside === undefined ? below : b.binary("and", inside, below);
  }
  return inside ?? b.const("bool", true);
}

function integerRange(dtype: DType): { least: number; most: number } {
  const width = itemSize(dtype) * 8;
  if (kindOf(dtype) === "bool") return { least: 0, most: 1 };
  return isSigned(dtype)
    ? { least: -(2 ** (width - 1)), most: 2 ** (width - 1) - 1 }
    : { least: 0, most: 2 ** width - 1 };
}

/** The guards with their indices mapped; those that always hold go. */
export function plainGuards(
  guard: readonly IndexRange[],
  map: (e: IndexExpr) => IndexExpr,
): readonly IndexRange[] {
  if (guard.length === 0) return guard;
  return guard
    .map(({ index, lo, hi }) => plainRange({ index: map(index), lo, hi }))
    .filter(({ index, lo, hi }) => index.lo < lo || index.hi >= hi);
}

/**
 * A range without division: lo ≤ ⌊e/c⌋ < hi says the same as lo·c ≤ e < hi·c, is cheaper to test, and
 * bounds e itself.
 */
function plainRange({ index, lo, hi }: IndexRange): IndexRange {
  if (index.k !== "floordiv") return { index, lo, hi };
  return plainRange({ index: index.of, lo: lo * index.by, hi: hi * index.by });
}

/**
 * Index expressions where a guard holds: a division that has one quotient there is that number. What is read through
 * a join of blocks and then cut into blocks again is so read straight: of ((i + 63) div 64, (i + 63) mod 64) a guard
 * i + 63 < 64 leaves (0, i + 63).
 */
import { guardedInterval } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";

export function underGuard(
  index: readonly IndexExpr[],
  guard: readonly IndexRange[],
): readonly IndexExpr[] {
  return guard.length === 0 || !index.some(hasDivision)
    ? index
    : index.map((e) => narrow(e, guard));
}

/** Keys spell divisions out. */
const hasDivision = ({ key }: IndexExpr): boolean => key.includes("d(") || key.includes("m(");

function narrow(e: IndexExpr, guard: readonly IndexRange[]): IndexExpr {
  switch (e.k) {
    case "sum":
      return ix.add(
        ix.constant(e.constant),
        ...e.terms.map(({ factor, of }) => ix.mul(narrow(of, guard), factor)),
      );
    case "floordiv":
    case "mod": {
      const of = narrow(e.of, guard);
      const { lo, hi } = guardedInterval(of, guard);
      const quotient = Math.floor(lo / e.by);
      if (lo > hi || quotient !== Math.floor(hi / e.by)) {
        return e.k === "mod" ? ix.mod(of, e.by) : ix.floordiv(of, e.by);
      }
      return e.k === "mod" ? ix.add(of, ix.constant(-quotient * e.by)) : ix.constant(quotient);
    }
    default:
      return e;
  }
}

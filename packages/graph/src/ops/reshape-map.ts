/**
 * The index map of a reshape.
 *
 * One flat index for the whole array would be right but opaque. Instead both shapes are cut where
 * their running products meet, and each pair of groups is mapped by itself: an unchanged dimension
 * maps to itself, a split one to a sum, a merged one to a quotient and a remainder.
 */
import * as ix from "@gridfuse/plan/index-expr";

/** Dimensions [operandFrom, operandTo) and [resultFrom, resultTo), of equal volume. */
interface Group {
  readonly operandFrom: number;
  readonly operandTo: number;
  readonly resultFrom: number;
  readonly resultTo: number;
}

/** The finest cut of both shapes into groups of equal volume, from the front; no size may be 0. */
function groupsOf(operand: readonly number[], result: readonly number[]): readonly Group[] {
  const groups: Group[] = [];
  let i = 0;
  let j = 0;
  while (i < operand.length || j < result.length) {
    const [operandFrom, resultFrom] = [i, j];
    let left = i < operand.length ? (operand[i++] as number) : 1;
    let right = j < result.length ? (result[j++] as number) : 1;
    while (left !== right) {
      if (left < right) left *= operand[i++] as number;
      else right *= result[j++] as number;
    }
    groups.push({ operandFrom, operandTo: i, resultFrom, resultTo: j });
  }
  return groups;
}

/** Row-major position of the coordinates `at` in a box of `sizes`. */
export function flatIndex(at: readonly ix.IndexExpr[], sizes: readonly number[]): ix.IndexExpr {
  const parts: ix.IndexExpr[] = [];
  let stride = 1;
  for (let i = sizes.length - 1; i >= 0; i--) {
    parts.push(ix.mul(at[i] as ix.IndexExpr, stride));
    stride *= sizes[i] as number;
  }
  return ix.add(...parts);
}

/** Coordinates in a box of `sizes` of the row-major position `flat`, which lies inside it. */
export function unflattenIndex(
  flat: ix.IndexExpr,
  sizes: readonly number[],
): readonly ix.IndexExpr[] {
  const coordinates: ix.IndexExpr[] = [];
  let rest = flat;
  for (let i = sizes.length - 1; i > 0; i--) {
    const size = sizes[i] as number;
    coordinates.unshift(ix.mod(rest, size));
    rest = ix.floordiv(rest, size);
  }
  return sizes.length === 0 ? [] : [sizes[0] === 1 ? ix.zero : rest, ...coordinates];
}

/** Operand coordinates for the result coordinates `at` of a row-major reshape. */
export function mapReshape(
  at: readonly ix.IndexExpr[],
  operand: readonly number[],
  result: readonly number[],
): readonly ix.IndexExpr[] {
  if (operand.includes(0)) return operand.map(() => ix.zero);
  return groupsOf(operand, result).flatMap(({ operandFrom, operandTo, resultFrom, resultTo }) =>
    unflattenIndex(
      flatIndex(at.slice(resultFrom, resultTo), result.slice(resultFrom, resultTo)),
      operand.slice(operandFrom, operandTo),
    ),
  );
}

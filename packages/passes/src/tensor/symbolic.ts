/**
 * Integer values as index expressions.
 *
 * Program ids, iotas, masks and loop counters are integers that the compiler can reason about: "is k
 * zero", "does this window stay inside", "which element does this gather read". This file turns a
 * tensor value, read at given coordinates, into an index expression where that is possible.
 */
import { type Node, sizes, type Table, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { fromBits, isInteger, isSigned, itemSize, type StorageArray } from "@gridfuse/plan/scalar";
import { viewOf } from "./views.ts";

/** What is known about values that are not computed from anything, such as program ids. */
export type Known = (value: ValueId) => IndexExpr | undefined;

/**
 * What an answer may cost. A value that is used twice is looked at twice, so that n steps of a program may
 * be 2ⁿ steps here, and as much text; nobody indexes so.
 */
interface Effort {
  left: number;
}
const mostVisits = 512;
const longestKey = 4096;

/** Range of an integer dtype that index expressions (doubles) can hold exactly. */
export function fitsDType(e: IndexExpr, dtype: Parameters<typeof itemSize>[0]): boolean {
  const width = Math.min(itemSize(dtype) * 8, 53);
  const lo = isSigned(dtype) ? -(2 ** (width - 1)) : 0;
  const hi = isSigned(dtype) ? 2 ** (width - 1) - 1 : 2 ** width - 1;
  return e.lo >= lo && e.hi <= hi;
}

/**
 * The element of `value` at coordinates `at`, as an index expression; undefined where it is not an
 * integer the language can express, or where arithmetic might wrap.
 */
export function symbolicValue(
  table: Table,
  value: ValueId,
  at: readonly IndexExpr[],
  known: Known,
  effort: Effort = { left: mostVisits },
): IndexExpr | undefined {
  const type = table.types[value];
  if (type?.kind !== "tensor" || !isInteger(type.dtype) || effort.left === 0) return undefined;
  effort.left -= 1;
  const given = known(value);
  if (given !== undefined) return given;
  const node = table.producer(value);
  if (node === undefined) return undefined;
  const operand = (i: number, where: readonly IndexExpr[] = at): IndexExpr | undefined =>
    symbolicValue(table, node.inputs[i] as ValueId, where, known, effort);
  const result =
    node.op === "select_n"
      ? chosenOperand(table, node, at, known, effort, operand)
      : symbolicNode(table, node, at, operand);
  if (result === undefined || result.key.length > longestKey) return undefined;
  return fitsDType(result, type.dtype) ? result : undefined;
}

/** What a selection takes, where the same is taken everywhere. */
function chosenOperand(
  table: Table,
  node: Node,
  at: readonly IndexExpr[],
  known: Known,
  effort: Effort,
  operand: (i: number) => IndexExpr | undefined,
): IndexExpr | undefined {
  const which = node.inputs[0] as ValueId;
  if (table.tensor(which).shape.length !== at.length) return undefined;
  const holds = truth(table, which, at, (v, p) => symbolicValue(table, v, p, known, effort));
  return holds === undefined ? undefined : operand(holds ? 2 : 1);
}

function symbolicNode(
  table: Table,
  node: Node,
  at: readonly IndexExpr[],
  operand: (i: number, where?: readonly IndexExpr[]) => IndexExpr | undefined,
): IndexExpr | undefined {
  const both = (
    combine: (a: IndexExpr, b: IndexExpr) => IndexExpr | undefined,
  ): IndexExpr | undefined => {
    const a = operand(0);
    const b = a === undefined ? undefined : operand(1);
    return a === undefined || b === undefined ? undefined : combine(a, b);
  };
  switch (node.op) {
    case "full": {
      const { dtype, bits } = node.params;
      if (!isInteger(dtype)) return undefined;
      const number = Number(fromBits(dtype, bits));
      return Number.isSafeInteger(number) ? ix.constant(number) : undefined;
    }
    case "iota":
      return at[node.params.dimension];
    case "constant":
      return at.length === 1 ? symbolicTable(node.params.data, at[0] as IndexExpr) : undefined;
    case "multiple_of":
      return operand(0);
    case "convert_element_type":
      return operand(0);
    case "neg": {
      const a = operand(0);
      return a === undefined ? undefined : ix.mul(a, -1);
    }
    case "add":
      return both((a, b) => ix.add(a, b));
    case "sub":
      return both((a, b) => ix.sub(a, b));
    case "mul":
      return both((a, b) =>
        a.k === "const" ? ix.mul(b, a.value) : b.k === "const" ? ix.mul(a, b.value) : undefined,
      );
    case "div":
      return both((a, b) =>
        b.k === "const" && b.value > 0 && a.lo >= 0 ? ix.floordiv(a, b.value) : undefined,
      );
    case "rem":
      return both((a, b) =>
        b.k === "const" && b.value > 0 && a.lo >= 0 ? ix.mod(a, b.value) : undefined,
      );
    case "min":
      return both(ix.min);
    case "max":
      return both(ix.max);
    case "xor":
      return both((a, b) => (a.lo >= 0 && b.lo >= 0 ? ix.xor(a, b) : undefined));
    case "and":
      return both((a, b) => (a.lo >= 0 && b.lo >= 0 ? ix.and(a, b) : undefined));
    case "shift_left":
      return both((a, b) =>
        b.k === "const" && b.value >= 0 && b.value < 32 ? ix.mul(a, 2 ** b.value) : undefined,
      );
    case "shift_right_logical":
    case "shift_right_arithmetic":
      return both((a, b) =>
        b.k === "const" && b.value >= 0 && b.value < 32 && a.lo >= 0
          ? ix.floordiv(a, 2 ** b.value)
          : undefined,
      );
    case "clamp": {
      const [lo, x, hi] = [operand(0), operand(1), operand(2)];
      if (lo === undefined || x === undefined || hi === undefined) return undefined;
      return ix.min(ix.max(x, lo), hi);
    }
    case "concatenate": {
      const { dimension } = node.params;
      const along = at[dimension] as IndexExpr;
      let first = 0;
      for (const [i, value] of node.inputs.entries()) {
        const end = first + (sizes(table.tensor(value).shape)[dimension] as number);
        if (along.lo >= first && along.hi < end) {
          return operand(i, at.with(dimension, ix.add(along, ix.constant(-first))));
        }
        first = end;
      }
      return undefined;
    }
    default: {
      const view = viewOf(table, node);
      if (view === undefined) return undefined;
      const source = view.index.map((e) => ix.substituteAxes(e, at));
      const shape = sizes(table.tensor(node.inputs[0] as ValueId).shape);
      const inside = source.every((e, d) => e.lo >= 0 && e.hi < (shape[d] as number));
      return inside ? operand(0, source) : undefined;
    }
  }
}

const flipsOf = new WeakMap<StorageArray, number>();

/** Element i of a table of integers i xor c, as tables of partners are. */
function symbolicTable(data: StorageArray, at: IndexExpr): IndexExpr | undefined {
  let flips = flipsOf.get(data);
  if (flips === undefined) {
    const first = Number(data[0]);
    const isTable =
      first >= 0 && first < 2 ** 30 && data.every((x, i) => Number(x) === (i ^ first));
    flips = isTable ? first : -1;
    flipsOf.set(data, flips);
  }
  if (flips < 0 || at.lo < 0 || at.hi >= data.length) return undefined;
  return ix.xor(at, ix.constant(flips));
}

type Lookup = (value: ValueId, at: readonly IndexExpr[]) => IndexExpr | undefined;

/** Whether a bool value is provably true or false everywhere at `at`; undefined where it is open. */
export function truth(
  table: Table,
  value: ValueId,
  at: readonly IndexExpr[],
  lookup: Lookup,
  effort: Effort = { left: mostVisits },
): boolean | undefined {
  const node = table.producer(value);
  if (node === undefined || table.tensor(value).dtype !== "bool" || effort.left === 0) {
    return undefined;
  }
  effort.left -= 1;
  const side = (i: number): boolean | undefined =>
    truth(table, node.inputs[i] as ValueId, at, lookup, effort);
  switch (node.op) {
    case "full":
      return node.params.bits.lo !== 0;
    case "not": {
      const a = side(0);
      return a === undefined ? undefined : !a;
    }
    case "and": {
      const a = side(0);
      const b = side(1);
      return a === false || b === false ? false : a === true && b === true ? true : undefined;
    }
    case "or": {
      const a = side(0);
      const b = side(1);
      return a === true || b === true ? true : a === false && b === false ? false : undefined;
    }
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge": {
      const a = lookup(node.inputs[0] as ValueId, at);
      const b = lookup(node.inputs[1] as ValueId, at);
      if (a === undefined || b === undefined) return undefined;
      return compareRanges(node.op, ix.sub(a, b));
    }
    case "broadcast_in_dim":
    case "reshape": {
      const view = viewOf(table, node);
      if (view === undefined) return undefined;
      return truth(
        table,
        node.inputs[0] as ValueId,
        view.index.map((e) => ix.substituteAxes(e, at)),
        lookup,
        effort,
      );
    }
    default:
      return undefined;
  }
}

/** Decides `difference ∘ 0` from the range of the difference. */
export function compareRanges(
  op: "eq" | "ne" | "lt" | "le" | "gt" | "ge",
  { lo, hi }: IndexExpr,
): boolean | undefined {
  switch (op) {
    case "eq":
      return lo === 0 && hi === 0 ? true : lo > 0 || hi < 0 ? false : undefined;
    case "ne":
      return lo === 0 && hi === 0 ? false : lo > 0 || hi < 0 ? true : undefined;
    case "lt":
      return hi < 0 ? true : lo >= 0 ? false : undefined;
    case "le":
      return hi <= 0 ? true : lo > 0 ? false : undefined;
    case "gt":
      return lo > 0 ? true : hi <= 0 ? false : undefined;
    case "ge":
      return lo >= 0 ? true : hi < 0 ? false : undefined;
    default:
      return op satisfies never;
  }
}

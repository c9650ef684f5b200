/**
 * Copies scalar nodes into a builder: index expressions may change on the way, single nodes may be replaced, and what the builder
 * has already is not made again.
 */
import type { Write } from "@gridfuse/plan";
import type { IndexExpr, IndexTerm } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange, ScalarBuilder, ScalarNode } from "@gridfuse/plan/scalar";
import { plainGuards } from "./guards.ts";

/** Interns `nodes` into `b` with index expressions mapped; gives the new number of each (−1 if dead). */
export function appendNodes(
  b: ScalarBuilder,
  nodes: readonly ScalarNode[],
  map: (e: IndexExpr) => IndexExpr,
  live?: Uint8Array,
  replace?: (node: ScalarNode, moved: readonly number[]) => number | undefined,
): number[] {
  const moved: number[] = [];
  const index = (e: IndexExpr): IndexExpr => mapValues(map(e), moved);
  for (let i = 0; i < nodes.length; i += 1) {
    const node = nodes[i] as ScalarNode;
    if (live !== undefined && live[i] === 0) moved.push(-1);
    else moved.push(replace?.(node, moved) ?? appendNode(b, node, moved, index));
  }
  return moved;
}

function appendNode(
  b: ScalarBuilder,
  node: ScalarNode,
  moved: readonly number[],
  index: (e: IndexExpr) => IndexExpr,
): number {
  switch (node.op) {
    case "const":
      return b.constBits(node.dtype, node.bits);
    case "index":
      return b.index(node.dtype, index(node.index));
    case "load": {
      const { dtype, buffer, guard, fill } = node;
      return b.load(dtype, buffer, index(node.index), plainGuards(guard, index), fill);
    }
    case "reduced":
      return b.reduced(node.dtype, node.stage, node.reduction);
    case "argument":
      return b.argument(node.dtype, node.index);
    default:
      return b.again(node, moved);
  }
}

/** Whether any leaf is a value. (Keys tell too, but reading a key that nobody has read costs more.) */
export function takesValues(e: IndexExpr): boolean {
  switch (e.k) {
    case "const":
    case "axis":
    case "loop":
      return false;
    case "value":
      return true;
    case "sum": {
      const { terms } = e;
      for (let i = 0; i < terms.length; i += 1) {
        if (takesValues((terms[i] as IndexTerm).of)) return true;
      }
      return false;
    }
    case "floordiv":
    case "mod":
      return takesValues(e.of);
    default:
      return takesValues(e.a) || takesValues(e.b);
  }
}

/** Renumbers the nodes that `e` takes values from. */
export const mapValues = (e: IndexExpr, moved: readonly number[]): IndexExpr =>
  !takesValues(e)
    ? e
    : ix.substitute(e, (leaf) =>
        leaf.k === "value" ? ix.value(moved[leaf.node] as number, leaf.lo, leaf.hi) : leaf,
      );

export function mapGuard(
  guard: readonly IndexRange[],
  moved: readonly number[],
): readonly IndexRange[] {
  if (guard.length === 0) return guard;
  return guard.map(({ index, lo, hi }) => ({ index: mapValues(index, moved), lo, hi }));
}

/** A write whose value, and the places it takes from values, have other numbers. */
export const movedWrite = (
  { buffer, dtype, index, guard, value }: Write,
  moved: readonly number[],
): Write => ({
  buffer,
  dtype,
  index: mapValues(index, moved),
  guard: mapGuard(guard, moved),
  value: moved[value] as number,
});

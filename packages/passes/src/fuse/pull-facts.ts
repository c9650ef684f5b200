/** What is asked while values are pulled: of ops, of scalar nodes, of coordinates. */
import type { Node } from "@gridfuse/graph";
import type { ReduceOp } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { DType, ScalarBuilder } from "@gridfuse/plan/scalar";

export const reduceOpOf = (op: Node["op"]): ReduceOp => {
  const ops: { readonly [name: string]: ReduceOp } = {
    reduce_sum: "add",
    reduce_prod: "mul",
    reduce_max: "max",
    reduce_min: "min",
    reduce_and: "and",
    reduce_or: "or",
    reduce_xor: "xor",
    argmax: "argmax",
    argmin: "argmin",
  };
  return ops[op] as ReduceOp;
};

/** Sums and multiples of positions are positions: index expressions, from which axes can be merged. */
export function positionOf(
  b: ScalarBuilder,
  op: Node["op"],
  operands: readonly number[],
  dtype: DType,
): number | undefined {
  if (dtype !== "int32" || (op !== "add" && op !== "sub" && op !== "mul")) return undefined;
  const [x, y] = operands.map((operand): IndexExpr | undefined => {
    const node = b.nodes[operand];
    if (node?.op === "index") return node.index;
    return node?.op === "const" ? ix.constant(node.bits.lo | 0) : undefined;
  });
  if (x === undefined || y === undefined) return undefined;
  if (op === "mul" && x.k !== "const" && y.k !== "const") return undefined;
  const position =
    op === "add"
      ? ix.add(x, y)
      : op === "sub"
        ? ix.sub(x, y)
        : y.k === "const"
          ? ix.mul(x, y.value)
          : ix.mul(y, (x as typeof y & { readonly value: number }).value);
  const fits = position.lo >= -(2 ** 31) && position.hi < 2 ** 31;
  return fits && position.k !== "const" ? b.index(dtype, position) : undefined;
}

/** The domain axes that `at` depends on, ascending; undefined where it depends on computed values. */
export function axesNamed(at: readonly IndexExpr[]): number[] | undefined {
  const axes = new Set<number>();
  let plain = true;
  for (const e of at) {
    ix.forEachLeaf(e, (leaf) => {
      if (leaf.k === "axis") axes.add(leaf.axis);
      else if (leaf.k === "value") plain = false;
    });
  }
  return plain ? [...axes].sort((p, q) => p - q) : undefined;
}

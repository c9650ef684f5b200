/**
 * Folds of a few elements, told as expressions: a squared distance is three terms wherever it is wanted, and an array
 * of all distances need never be there. The order is the plan's own: from +0 or 1, one element after the other.
 */
import { elementCount, type Node, sizes, type Table, type ValueId } from "@gridfuse/graph";
import type { ReduceOp } from "@gridfuse/plan";
import { type DType, isFloat, type ScalarBuilder } from "@gridfuse/plan/scalar";
import { kindOf } from "./op-kinds.ts";

/** Elements up to which a fold is an expression; few enough to be folded in order. */
const mostElements = 4;
/** Nodes behind an element: all of them are there once for each element. */
const mostNodes = 24;
/** How often each result may be wanted: more often, and it is computed once and kept. */
const mostRepeats = 4;

/** Dimensions that a reduction folds. */
export const foldedDims = (node: Node): readonly number[] =>
  node.op === "argmax" || node.op === "argmin"
    ? [node.params.axis]
    : [...(node.params as { axes: readonly number[] }).axes].sort((p, q) => p - q);

/**
 * Whether a reduction is better computed wherever it is wanted, at `points` places.
 *
 * @param isStored whether a value lies in memory
 */
export function isShortFold(
  table: Table,
  node: Node,
  points: number,
  isStored: (value: ValueId) => boolean,
): boolean {
  if (node.op === "argmax" || node.op === "argmin") return false;
  const [source] = node.inputs as readonly [ValueId];
  const shape = sizes(table.tensor(source).shape);
  const elements = foldedDims(node).reduce((count, d) => count * (shape[d] as number), 1);
  const results = elementCount(table.tensor(node.outputs[0] as ValueId).shape);
  if (elements === 0 || elements > mostElements || points > results * mostRepeats) return false;
  const seen = new Set<ValueId>([source]);
  for (const value of seen) {
    if (seen.size > mostNodes) return false;
    const maker = table.producer(value);
    if (maker === undefined || isStored(value)) continue;
    const kind = kindOf(maker);
    if (kind === "reduction" || kind === "apart") return false;
    for (const input of maker.inputs) seen.add(input);
  }
  return true;
}

/** The fold of `elements`, one or more. */
export function foldElements(
  b: ScalarBuilder,
  op: Exclude<ReduceOp, "argmax" | "argmin">,
  dtype: DType,
  elements: readonly number[],
): number {
  const [first, ...others] = elements as [number, ...number[]];
  // Sums start from +0, which only −0 notices; products from 1, which nothing does.
  const start = op === "add" && isFloat(dtype) ? b.binary("add", b.const(dtype, 0), first) : first;
  return others.reduce((total, element) => b.binary(op, total, element), start);
}

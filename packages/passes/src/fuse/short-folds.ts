/**
 * Folds of a few elements, told as expressions: a squared distance is three terms wherever it is wanted, and an array
 * of all distances need never be there. The order is the plan's own: sixteen accumulators that start from +0 or 1,
 * folded 8, 4, 2, 1.
 */
import { elementCount, type Node, sizes, type Table, type ValueId } from "@gridfuse/graph";
import type { ReduceOp } from "@gridfuse/plan";
import { type DType, isFloat, type ScalarBuilder } from "@gridfuse/plan/scalar";
import { kindOf } from "./op-kinds.ts";

/** Elements up to which a fold is an expression; fewer than the accumulators there are. */
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

/** The fold of `elements`, fewer than sixteen of them. */
export function foldElements(
  b: ScalarBuilder,
  op: Exclude<ReduceOp, "argmax" | "argmin">,
  dtype: DType,
  elements: readonly number[],
): number {
  // Sums start from +0, which only −0 notices; products from 1, which nothing does.
  const accumulators =
    op === "add" && isFloat(dtype)
      ? elements.map((element) => b.binary("add", b.const(dtype, 0), element))
      : [...elements];
  for (const step of [8, 4, 2, 1]) {
    for (let i = 0; i < step && i + step < accumulators.length; i += 1) {
      const [x, y] = [accumulators[i], accumulators[i + step]] as [number, number];
      accumulators[i] = b.binary(op, x, y);
    }
    accumulators.length = Math.min(accumulators.length, step);
  }
  return accumulators[0] as number;
}

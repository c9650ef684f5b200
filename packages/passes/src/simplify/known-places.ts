/**
 * Reads at places that are known while compiling. The coordinate of a parallel axis becomes an iota, and what
 * a kernel read at that coordinate a gather with the iota for indices; that is a view, and often the array itself.
 */
import { type Emitter, type NodeNamed, sizes, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { symbolicValue } from "../tensor/symbolic.ts";
import { coordinates } from "../tensor/views.ts";

const nothingKnown = (): undefined => undefined;

/** A gather at places that index expressions of the result's coordinates describe, as a view. */
export function gatherAsView(
  e: Emitter,
  node: NodeNamed<"gather">,
  [source, indices]: readonly [ValueId, ValueId],
): ValueId | undefined {
  const { dimensions, sliceSizes, mode, fill } = node.params;
  const { shape: resultShape } = e.type(node.outputs[0] as ValueId);
  if ([...resultShape, ...e.shape(source)].some((dim) => typeof dim !== "number")) return undefined;
  const [result, shape] = [sizes(resultShape), sizes(e.shape(source))];
  const at = coordinates(result);
  const batchAt = at.filter((_, d) => !dimensions.offsetDims.includes(d));
  const windowDims = shape
    .map((_, d) => d)
    .filter(
      (d) =>
        !dimensions.collapsedSliceDims.includes(d) && !dimensions.operandBatchingDims.includes(d),
    );
  const index = shape.map((_, d): IndexExpr => {
    const window = windowDims.indexOf(d);
    if (window >= 0) return at[dimensions.offsetDims[window] as number] as IndexExpr;
    const batch = dimensions.operandBatchingDims.indexOf(d);
    return batch < 0
      ? ix.zero
      : (batchAt[dimensions.startIndicesBatchingDims[batch] as number] as IndexExpr);
  });
  for (const [i, d] of dimensions.startIndexMap.entries()) {
    const start = symbolicValue(e.table, indices, [...batchAt, ix.constant(i)], nothingKnown);
    if (start === undefined) return undefined;
    const room = (shape[d] as number) - (sliceSizes[d] as number);
    const isInside = start.lo >= 0 && start.hi <= room;
    // A window of more than one element is filled as a whole, which no view says.
    if (mode === "fill" && !isInside && sliceSizes[d] !== 1) return undefined;
    const place = mode === "fill" ? start : ix.clamp(start, 0, Math.max(0, room));
    index[d] = ix.add(index[d] as IndexExpr, place);
  }
  return e.emit("view", [source], { shape: result, index, fill });
}

/** A dynamic slice at constant starts. */
export function sliceAtConstants(
  e: Emitter,
  node: NodeNamed<"dynamic_slice">,
  [source, ...starts]: readonly [ValueId, ...ValueId[]],
): ValueId | undefined {
  const shape = e.shape(source);
  if (shape.some((dim) => typeof dim !== "number")) return undefined;
  const known = starts.map((start) => symbolicValue(e.table, start, [], nothingKnown));
  const start: number[] = [];
  for (const [d, place] of known.entries()) {
    if (place?.k !== "const") return undefined;
    const room = (shape[d] as number) - (node.params.sizes[d] as number);
    start.push(Math.min(Math.max(place.value, 0), room));
  }
  const limit = start.map((first, d) => first + (node.params.sizes[d] as number));
  return e.emit("slice", [source], { start, limit, strides: start.map(() => 1) });
}

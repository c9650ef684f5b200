/**
 * narrow-captures: what a loop takes from outside is kept as small as it is.
 *
 * A loop's captures lie in memory, and arithmetic of iotas and program ids is often the same along some dimensions: the
 * horizontal coordinates of a picture are those of one row. Such a capture is computed once along those dimensions and
 * spread by the view through which the loop reads it.
 */
import {
  definitionOf,
  type Emitter,
  elementCount,
  type Node,
  type Region,
  sameShape,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { copyNode, rewriteRegion } from "./rebuild.ts";

export function narrowCaptures(table: Table, region: Region): Region {
  const hasRegions = (id: number): boolean => (table.nodes[id] as Node).regions.length > 0;
  if (!region.nodes.some(hasRegions)) return region;
  return rewriteRegion(table, region, (node, inputs, e) => {
    if (node.regions.length === 0) return undefined;
    const regions = node.regions.map((inner) => narrowCaptures(table, inner));
    const first = firstCapture(node);
    const given = inputs.map((value, i) => (i < first ? value : narrowed(e, value)));
    const isSame =
      given.every((value, i) => value === inputs[i]) &&
      regions.every((inner, i) => inner === node.regions[i]);
    return isSame ? undefined : copyNode(e, node, given, regions);
  });
}

/** Operands from which on a structured op only lends them to its regions. */
function firstCapture(node: Node): number {
  switch (node.op) {
    case "scan":
      return node.params.carries + node.params.xs;
    case "while":
      return node.params.carries;
    default:
      return node.inputs.length;
  }
}

/** `value` as a smaller one spread over the dimensions along which it is the same; itself where there are none. */
function narrowed(e: Emitter, value: ValueId): ValueId {
  const { table } = e;
  if (!isComputed(table, table.producer(value))) return value;
  const shape = sizes(table.tensor(value).shape);
  const varying = varies(table, value, new Map());
  const kept = shape.map((extent, d) => (varying.has(d) ? extent : Math.min(extent, 1)));
  if (elementCount(kept) >= elementCount(shape)) return value;
  const small = narrow(e, value, kept, new Map());
  const broadcastDimensions = shape.map((_, d) => d);
  return e.emit("broadcast_in_dim", [small], { shape, broadcastDimensions });
}

const isComputed = (table: Table, node: Node | undefined): node is Node =>
  node !== undefined &&
  node.outputs.length === 1 &&
  definitionOf(node.op).category === "elementwise" &&
  node.inputs.every((value) =>
    sameShape(table.tensor(value).shape, table.tensor(node.outputs[0] as ValueId).shape),
  );

/** The dimensions along which elements may differ. */
function varies(
  table: Table,
  value: ValueId,
  known: Map<ValueId, ReadonlySet<number>>,
): ReadonlySet<number> {
  let found = known.get(value);
  if (found !== undefined) return found;
  const node = table.producer(value);
  const { shape } = table.tensor(value);
  if (node?.op === "full") found = new Set();
  else if (node?.op === "iota") found = new Set([node.params.dimension]);
  else if (node?.op === "broadcast_in_dim") {
    const [source] = node.inputs as readonly [ValueId];
    const { broadcastDimensions } = node.params;
    const inside = [...varies(table, source, known)];
    const extents = table.tensor(source).shape;
    found = new Set(
      inside.filter((d) => extents[d] !== 1).map((d) => broadcastDimensions[d] as number),
    );
  } else if (isComputed(table, node)) {
    found = new Set(node.inputs.flatMap((input) => [...varies(table, input, known)]));
  } else found = new Set(shape.map((_, d) => d));
  known.set(value, found);
  return found;
}

/** The first elements of `value` along what is not kept, computed as such. */
function narrow(
  e: Emitter,
  value: ValueId,
  kept: readonly number[],
  known: Map<ValueId, ValueId>,
): ValueId {
  let found = known.get(value);
  if (found !== undefined) return found;
  const node = e.table.producer(value);
  if (node?.op === "full" || node?.op === "iota") {
    found = e.emit(node.op, [], { ...node.params, shape: [...kept] } as never);
  } else if (isComputed(e.table, node)) {
    const operands = node.inputs.map((input) => narrow(e, input, kept, known));
    found = e.emit(node.op, operands, node.params as never);
  } else {
    const zeros = kept.map(() => 0);
    const ones = kept.map(() => 1);
    found = e.emit("slice", [value], { start: zeros, limit: [...kept], strides: ones });
  }
  known.set(value, found);
  return found;
}

/**
 * settle-orders: what is computed from blocks of an array is computed in the array's order.
 *
 * Grids become leading axes, so blocks of rows and columns are views in the order [block row, block column, row, column], and
 * so would be all that is made of them and kept in memory. Elementwise ops and cumulative ops along the last axis mean
 * the same in any order of the other axes: they are turned to the order in which their operands lie, and their results
 * become views. Then neighbours in memory stay neighbours: chains can be cut along rows, library steps read arrays
 * where they are. The last axis stays the last, so that vectors stay vectors.
 */
import {
  censusOf,
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
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { copyNode, liveNodes, rewriteRegion } from "./rebuild.ts";
import { coordinates, flatten, viewOf } from "./views.ts";

/** A value as a transposed view: its dimensions in the order in which they lie in memory, and what lies there. */
interface Laid {
  readonly order: readonly number[];
  readonly source: ValueId;
}

export function settleOrders(table: Table, region: Region): Region {
  const { ops } = censusOf(table, region);
  if (!ops.has("view") && !ops.has("transpose")) return region;
  if (!region.nodes.some((id) => mayTurn(table, table.nodes[id] as Node))) return region;
  const laid = new Map<ValueId, Laid>();
  const settled = rewriteRegion(table, region, (node, inputs, e) => {
    if (node.regions.length > 0) {
      const regions = node.regions.map((inner) => settleOrders(table, inner));
      const isSame = regions.every((inner, i) => inner === node.regions[i]);
      return isSame ? undefined : copyNode(e, node, inputs, regions);
    }
    if (isMove(node)) {
      const outputs = inputs === node.inputs ? node.outputs : copyNode(e, node, inputs);
      const [value] = outputs as readonly [ValueId];
      const found = laidOut(table, value);
      if (found !== undefined) laid.set(value, found);
      return inputs === node.inputs ? undefined : outputs;
    }
    if (laid.size === 0 || !isOrderless(table, node)) return undefined;
    return turned(e, node, inputs, laid);
  });
  if (settled === region) return region;
  // Views of results that were turned again have no readers.
  return { ...settled, nodes: liveNodes(table, settled).map(({ id }) => id) };
}

const isMove = ({ op }: Node): boolean => op === "view" || op === "transpose";

/** Whether the node, or one inside it, may be a reason to turn others. */
const mayTurn = (table: Table, node: Node): boolean =>
  node.regions.length > 0 ||
  (isMove(node) && laidOut(table, node.outputs[0] as ValueId) !== undefined);

/** Whether the op means the same in any order of all axes but the last. */
function isOrderless(table: Table, { op, params, inputs, outputs }: Node): boolean {
  if (outputs.length !== 1) return false;
  const { shape } = table.tensor(outputs[0] as ValueId);
  switch (op) {
    case "cumsum":
    case "cumprod":
    case "cummax":
    case "cummin":
      return params.axis === shape.length - 1;
    default:
      return (
        definitionOf(op).category === "elementwise" &&
        inputs.every((value) => sameShape(table.tensor(value).shape, shape))
      );
  }
}

/** The dimensions of a view in the order in which they lie in what is behind it; undefined where that is their own. */
function laidOut(table: Table, value: ValueId): Laid | undefined {
  const shape = sizes(table.tensor(value).shape);
  if (shape.length < 3 || shape.at(-1) === 1) return undefined;
  let at: readonly IndexExpr[] = coordinates(shape);
  let source = value;
  for (;;) {
    const maker = table.producer(source);
    const view = maker === undefined ? undefined : viewOf(table, maker);
    if (maker === undefined || view === undefined) break;
    const [next] = maker.inputs as readonly [ValueId];
    const extents = sizes(table.tensor(next).shape);
    at = source === value ? view.index : view.index.map((e) => ix.substituteAxes(e, at));
    if (at.some((e, d) => e.lo < 0 || e.hi >= (extents[d] as number))) return undefined;
    source = next;
  }
  const extents = sizes(table.tensor(source).shape);
  if (elementCount(shape) !== elementCount(extents)) return undefined;
  const form = ix.affineForm(flatten(at, extents), shape.length);
  if (form === undefined || form.constant !== 0) return undefined;
  const order = orderBy(form.strides, shape);
  return order === undefined ? undefined : { order, source };
}

/** Dimensions by their strides, where those are the strides of an array without gaps and the last is the last. */
function orderBy(
  strides: readonly number[],
  shape: readonly number[],
): readonly number[] | undefined {
  const order = shape
    .map((_, d) => d)
    .sort((p, q) => strideFor(strides, shape, q) - strideFor(strides, shape, p) || p - q);
  if (order.at(-1) !== shape.length - 1 || order.every((d, i) => d === i)) return undefined;
  let stride = 1;
  for (const d of order.toReversed()) {
    const extent = shape[d] as number;
    if (extent > 1 && strides[d] !== stride) return undefined;
    stride *= extent;
  }
  return order;
}

/** Dimensions of one element may lie anywhere: first. */
const strideFor = (strides: readonly number[], shape: readonly number[], d: number): number =>
  shape[d] === 1 ? Number.MAX_SAFE_INTEGER : (strides[d] as number);

/** The node on operands in the order in which they lie, and a view of its result; undefined where they lie differently. */
function turned(
  e: Emitter,
  node: Node,
  inputs: readonly ValueId[],
  laid: Map<ValueId, Laid>,
): readonly ValueId[] | undefined {
  const first = inputs.map((value) => laid.get(value)).find((each) => each !== undefined);
  if (first === undefined) return undefined;
  const { order } = first;
  const [result] = node.outputs as readonly [ValueId];
  const { shape } = e.table.tensor(result);
  const inOrder = order.map((d) => shape[d] as number);
  for (const value of inputs) {
    const known = laid.get(value);
    if (known === undefined && !isSpread(e.table, value)) return undefined;
    if (known?.order.some((d, i) => d !== order[i])) return undefined;
  }
  const own = inputs.map((value) => {
    const known = laid.get(value);
    const producer = e.table.producer(value);
    if (known !== undefined) {
      const isInOrder = sameShape(e.shape(known.source), inOrder);
      return isInOrder ? known.source : e.emit("reshape", [known.source], { shape: inOrder });
    }
    if (producer?.op === "full") return e.emit("full", [], { ...producer.params, shape: inOrder });
    return e.emit("transpose", [value], { permutation: [...order] });
  });
  const made = emitLike(e, node, own, order);
  const permutation = order.map((_, d) => order.indexOf(d));
  const back = e.emit("transpose", [made], { permutation });
  laid.set(back, { order, source: made });
  return [back];
}

/** Whether the value is no array of its own: the same everywhere, or a smaller one spread over more dimensions. */
function isSpread(table: Table, value: ValueId): boolean {
  const producer = table.producer(value);
  if (producer?.op === "full" || producer?.op === "iota") return true;
  if (producer?.op !== "broadcast_in_dim") return false;
  const [source] = producer.inputs as readonly [ValueId];
  return elementCount(table.tensor(source).shape) < elementCount(table.tensor(value).shape);
}

function emitLike(
  e: Emitter,
  node: Node,
  inputs: readonly ValueId[],
  order: readonly number[],
): ValueId {
  const params =
    "axis" in node.params
      ? { ...node.params, axis: order.indexOf(node.params.axis as number) }
      : node.params;
  return e.emit(node.op, inputs, params as never);
}

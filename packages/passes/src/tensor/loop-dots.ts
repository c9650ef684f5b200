/**
 * `sum += a(i)·b(i)` in a counted loop, where a(i) and b(i) are parts of arrays: the parts of all trips side
 * by side are those arrays again, and one product contracts them whole.
 */
import {
  type BatchOperand,
  definitionOf,
  Emitter,
  isFloat,
  type Node,
  type NodeNamed,
  newRegion,
  type Region,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { simplifyRegion } from "../simplify/simplify.ts";
import { batchRegion } from "./batch.ts";
import type { LoopOptions } from "./loops.ts";
import { dependencies, inlineRegion, liveNodes, replay, withoutEffects } from "./rebuild.ts";
import { symbolicValue } from "./symbolic.ts";

/** What carry `k` is after the last trip, where it is such a sum; appended to `e`. */
export function sumOfDots(
  e: Emitter,
  node: NodeNamed<"scan">,
  inputs: readonly ValueId[],
  k: number,
  { reassociate, loops }: LoopOptions,
): ValueId | undefined {
  const { table } = e;
  const { carries, xs, trips } = node.params;
  const body = node.regions[0] as Region;
  const added = addedDot(table, body, body.params[1 + k] as ValueId, body.results[k] as ValueId);
  if (added === undefined || trips < 2) return undefined;
  const { dot, moved } = added;
  if (isFloat(dot.params.dtype) && !reassociate) return undefined;
  const term = dot.outputs[0] as ValueId;
  const state = new Set(body.params.slice(1, 1 + carries));
  if (dependencies(table, body, state)(term).size > 0) return undefined;
  const alone = withoutEffects(table, { ...body, results: [term] });
  if (alone === undefined) return undefined;

  const loop = node.params.loop ?? loops.next++;
  const counter = body.params[0] as ValueId;
  const at = ix.loop(loop, trips);
  const known = simplifyRegion(table, alone, { known: new Map([[counter, at]]) });
  const parts = windowsAsViews(table, known, counter, at);
  if (!onlyMoves(table, parts)) return undefined;
  const apart = e.nested(newRegion());
  const args: BatchOperand[] = [
    { value: apart.iota("int32", [trips], 0), batched: true },
    ...inputs.map((value, i) => ({ value, batched: i >= carries && i < carries + xs })),
  ];
  const [terms] = batchRegion(apart, parts, args, { size: trips, loop }) as [BatchOperand];
  if (!terms.batched) return undefined;
  const order = isFloat(dot.params.dtype) ? { reassociated: true } : {};
  const total = apart.emit("reduce_sum", [terms.value], { axes: [0], ...order });
  apart.region.results.push(addMoved(apart, inputs[k] as ValueId, total, moved));
  const whole = simplifyRegion(table, apart.region);
  const isOne = !whole.nodes.some((id) => table.nodes[id]?.op === "reduce_sum");
  return isOne ? replay(e, whole, new Map())[0] : undefined;
}

/** start + the moved total; a start that is the same everywhere is added before, where it may vanish. */
function addMoved(e: Emitter, start: ValueId, total: ValueId, moved: Region): ValueId {
  const move = (value: ValueId): ValueId => inlineRegion(e, moved, [value])[0] as ValueId;
  const filled = e.table.producer(start);
  if (filled?.op !== "full") return e.emit("add", [start, move(total)], {});
  const same = e.emit("full", [], { ...filled.params, shape: e.shape(total) });
  return move(e.emit("add", [same, total], {}));
}

interface AddedDot {
  readonly dot: NodeNamed<"dot_general">;
  /** What becomes of its result before it is added: other places, the same elements. */
  readonly moved: Region;
}

/** The dot in state + dot, if nothing else looks at the state or at the sum. */
function addedDot(
  table: Table,
  body: Region,
  state: ValueId,
  result: ValueId,
): AddedDot | undefined {
  const nodes = body.nodes.map((id) => table.nodes[id] as Node);
  const maker = (value: ValueId): Node | undefined =>
    nodes.find(({ outputs }) => outputs.includes(value));
  const sum = maker(result);
  if (sum?.op !== "add" || !sum.inputs.includes(state)) return undefined;
  const readers = nodes.filter(({ inputs }) => inputs.includes(state) || inputs.includes(result));
  const given = body.results.filter((value) => value === state || value === result);
  if (readers.length !== 1 || given.length !== 1) return undefined;
  const term = sum.inputs.find((value) => value !== state) ?? state;
  const moves: Node[] = [];
  let node = maker(term);
  while (node?.op === "transpose" || node?.op === "reshape") {
    moves.unshift(node);
    node = maker(node.inputs[0] as ValueId);
  }
  if (node?.op !== "dot_general") return undefined;
  const params = [node.outputs[0] as ValueId];
  return { dot: node, moved: { params, nodes: moves.map(({ id }) => id), results: [term] } };
}

/** Windows whose place is known from the counter, and inside at every trip, become views. */
function windowsAsViews(table: Table, region: Region, counter: ValueId, at: ix.IndexExpr): Region {
  const result: Region = { params: region.params, nodes: [], results: [] };
  const e = new Emitter(table, result);
  const results = replay(e, region, new Map(), (node, inputs) => {
    if (node.op !== "dynamic_slice") return undefined;
    const extents = sizes(e.shape(inputs[0] as ValueId));
    const index = node.params.sizes.map((size, d) => {
      const value = node.inputs[d + 1] as ValueId;
      const start = symbolicValue(table, value, [], (v) => (v === counter ? at : undefined));
      const isInside = start && start.lo >= 0 && start.hi + size <= (extents[d] as number);
      return isInside ? ix.add(start, ix.axis(d, size)) : undefined;
    });
    if (index.some((part) => part === undefined)) return undefined;
    const shape = node.params.sizes;
    const fill = { lo: 0, hi: 0 };
    return [e.emit("view", inputs.slice(0, 1), { shape, index: index as ix.IndexExpr[], fill })];
  });
  result.results.push(...results);
  return { ...result, nodes: liveNodes(table, result).map(({ id }) => id) };
}

/** Besides the product nothing is computed, so that nothing of all trips has to be kept. */
const onlyMoves = (table: Table, { nodes }: Region): boolean =>
  nodes.every((id) => {
    const { op } = table.nodes[id] as Node;
    const { category } = definitionOf(op);
    return op === "dot_general" || category === "movement" || category === "source";
  });

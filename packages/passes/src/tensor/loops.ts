/**
 * tidy-loops: what a loop need not carry, and what it need not do again.
 *
 *  invariants   a carry that is given on as it came is a capture
 *  dead carries a carry that only it itself (or another dead one) looks at is dropped, like unused outputs
 *  hoisting     costly work on captures alone is done once, before the loop (see hoist.ts)
 *  dots         `sum += a·b` over the trips is one product that contracts them too (see loop-dots.ts)
 *
 * Loops that do more stay loops: nothing is unrolled, and no array of all trips comes into being.
 */
import {
  Emitter,
  type Node,
  type NodeNamed,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { type Hoisted, hoistable } from "./hoist.ts";
import { sumOfDots } from "./loop-dots.ts";
import {
  copyNode,
  dependencies,
  freeValues,
  hasEffect,
  hasStructure,
  liveNodes,
  replay,
  rewriteRegion,
} from "./rebuild.ts";

export interface LoopOptions {
  readonly reassociate: boolean;
  /** Ids of loops that index expressions name. */
  readonly loops: { next: number };
}

export const tidyLoops = (table: Table, region: Region, options: LoopOptions): Region =>
  hasStructure(table, region) ? tidyInside(table, region, options) : region;

function tidyInside(table: Table, region: Region, options: LoopOptions): Region {
  const live = liveNodes(table, region);
  const used = new Set<ValueId>(region.results);
  for (const node of live) for (const input of node.inputs) used.add(input);
  // What is not live may read results that a loop gives no more.
  const isAllLive = live.length === region.nodes.length;
  const needed = isAllLive ? region : { ...region, nodes: live.map(({ id }) => id) };
  return rewriteRegion(table, needed, (node, inputs, e) => {
    if (node.regions.length === 0) return undefined;
    const regions = node.regions.map((inner, i) =>
      // Index maps are read symbolically.
      node.op === "grid" && i > 0 ? inner : tidyLoops(table, inner, options),
    );
    const isSame = regions.every((inner, i) => inner === node.regions[i]);
    const tidy: Node = isSame ? node : { ...node, regions };
    if (tidy.op === "scan" || tidy.op === "while") {
      const isUsed = node.outputs.map((value) => used.has(value));
      const tidied = tidyLoop(e, tidy, inputs, isUsed, options);
      if (tidied !== undefined) return tidied;
    }
    return isSame ? undefined : copyNode(e, node, inputs, regions);
  });
}

type Loop = NodeNamed<"scan"> | NodeNamed<"while">;

/** Undefined where there is nothing to do. */
function tidyLoop(
  e: Emitter,
  node: Loop,
  inputs: readonly ValueId[],
  isUsed: readonly boolean[],
  options: LoopOptions,
): readonly ValueId[] | undefined {
  const { carries } = node.params;
  const body = node.regions.at(-1) as Region;
  const outputs = isUsed.map((used, k): ValueId | undefined => {
    if (!used || k >= carries) return undefined;
    if (body.results[k] === carryParam(node, body, k)) return inputs[k];
    return node.op === "scan" ? sumOfDots(e, node, inputs, k, options) : undefined;
  });
  const wanted = isUsed.map((used, k) => used && outputs[k] === undefined);
  const live = liveCarries(e.table, node, wanted);
  const isCarried = (k: number): boolean =>
    live.has(k) && body.results[k] !== carryParam(node, body, k);
  const kept = range(carries).filter(isCarried);
  const ys = range(node.outputs.length).filter((k) => k >= carries && isUsed[k]);
  const hoisted = hoistable(e.table, node);
  const isSame =
    kept.length === carries &&
    ys.length === node.outputs.length - carries &&
    hoisted.values.size === 0;
  if (isSame) return undefined;

  const made =
    kept.length + ys.length === 0 && !hasEffect(e.table, node as Node)
      ? []
      : rebuild(e, node, inputs, kept, ys, hoisted);
  [...kept, ...ys].forEach((k, i) => {
    outputs[k] = made[i];
  });
  // Nobody looks at the others.
  return outputs.map((value, k) => value ?? (inputs[k] as ValueId) ?? -1);
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** Params before the carries. */
const leadOf = ({ op }: Loop): number => (op === "scan" ? 1 : 0);
const carryParam = (node: Loop, region: Region, k: number): ValueId =>
  region.params[leadOf(node) + k] as ValueId;

/** Carries that a wanted output, an effect or the condition depends on, in this trip or a later one. */
function liveCarries(table: Table, node: Loop, wanted: readonly boolean[]): Set<number> {
  const { carries } = node.params;
  const body = node.regions.at(-1) as Region;
  const live = new Set(range(carries).filter((k) => wanted[k]));
  const needsIn = node.regions.map((region) => {
    const params = range(carries).map((k) => carryParam(node, region, k));
    const needs = dependencies(table, region, new Set(params));
    const add = (value: ValueId): void => {
      for (const param of needs(value)) live.add(params.indexOf(param));
    };
    for (const id of region.nodes) {
      const inner = table.nodes[id] as Node;
      if (hasEffect(table, inner)) inner.inputs.forEach(add);
    }
    return add;
  });
  const inBody = needsIn.at(-1) as (value: ValueId) => void;
  if (node.op === "while") (node.regions[0] as Region).results.forEach(needsIn[0] as () => void);
  body.results.forEach((value, k) => {
    if (k >= carries && wanted[k]) inBody(value);
  });
  // A set grows while it is walked, and the walk goes on.
  for (const k of live) inBody(body.results[k] as ValueId);
  return live;
}

/** The loop with some carries and outputs left, and `hoisted` before it. Gives [kept…, ys…]. */
function rebuild(
  e: Emitter,
  node: Loop,
  inputs: readonly ValueId[],
  kept: readonly number[],
  ys: readonly number[],
  hoisted: Hoisted,
): readonly ValueId[] {
  const { table } = e;
  const { carries } = node.params;
  const lead = leadOf(node);
  const xs = node.op === "scan" ? node.params.xs : 0;
  const elements = range(xs).map((i) => carries + i);
  const others = range(inputs.length).filter(
    (i) => i >= carries + xs || (i < carries && !kept.includes(i)),
  );

  const outside = new Map<ValueId, ValueId>();
  for (const region of node.regions) {
    for (const i of others) outside.set(region.params[lead + i] as ValueId, inputs[i] as ValueId);
  }
  replay(e, { params: [], nodes: hoisted.nodes.map(({ id }) => id), results: [] }, outside);

  const rests = node.regions.map((region, r): Region => {
    const isBody = r === node.regions.length - 1;
    const results = isBody
      ? [...kept, ...ys].map((k) => region.results[k] as ValueId)
      : region.results;
    const nodes = region.nodes.filter(
      (id) => !table.nodes[id]?.outputs.some((value) => hoisted.values.has(value)),
    );
    const rest = { params: [], nodes, results: [...results] };
    return { ...rest, nodes: liveNodes(table, rest).map(({ id }) => id) };
  });
  const read = new Set(rests.flatMap((rest) => freeValues(table, rest)));
  const values = [...hoisted.values].filter((value) => read.has(value));
  const shared = others.filter((i) =>
    node.regions.some((region) => read.has(region.params[lead + i] as ValueId)),
  );

  const order = [...kept, ...elements, ...shared];
  const regions = rests.map((rest, r) => {
    const { params } = node.regions[r] as Region;
    const next: Region = {
      params: [...params.slice(0, lead), ...order.map((i) => params[lead + i] as ValueId)],
      nodes: [],
      results: [],
    };
    const early = values.map(
      (value) => [value, table.newParam(next, table.types[value]!)] as const,
    );
    next.results.push(...replay(new Emitter(table, next), rest, new Map(early)));
    return next;
  });
  const operands = [
    ...order.map((i) => inputs[i] as ValueId),
    ...values.map((value) => outside.get(value) as ValueId),
  ];
  const types = [...kept, ...ys].map((k) => table.types[node.outputs[k] as ValueId]!);
  const params = { ...node.params, carries: kept.length };
  return table.newNode(e.region, node.op, params as never, operands, types, regions, node.origin)
    .outputs;
}

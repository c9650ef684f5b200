/**
 * discharge: refs become values. The first pass; after it no `get`, `set` or `addupdate` is left.
 *
 * The body of a grid is walked in order with the current value of every ref. A structured op whose
 * regions touch refs takes their values as operands and gives the new ones back: as carries of a
 * loop, as results of a branch. (JAX calls this state discharge.)
 */
import {
  addToView,
  Emitter,
  type Node,
  type NodeNamed,
  newRegion,
  type Region,
  readView,
  regionOperands,
  type Table,
  tensorType,
  type ValueId,
  writeView,
  writtenRefs,
} from "@gridfuse/graph";
import { copyNode, hasStructure } from "./rebuild.ts";
import { ValueNumbers, valueNow } from "./value-numbers.ts";

/** Region with every kernel-level grid inside brought to the tensor level; itself where there is none. */
export function dischargeRegion(table: Table, region: Region): Region {
  if (!hasStructure(table, region)) return region;
  const result: Region = { params: [...region.params], nodes: [], results: [] };
  const e = new Emitter(table, result);
  const env = new ValueNumbers(table.types.length, table.nodes.length);
  walkBody(e, region, env, new Map());
  result.results.push(...region.results.map((value) => valueNow(env, value)));
  return result;
}

// What stands for a value now is kept in one list for all regions: none of them has another's values.

/** Current value of each ref, by the id under which the region at hand knows it. */
type Refs = Map<ValueId, ValueId>;

const isRef = (table: Table, value: ValueId): boolean => table.types[value]?.kind === "ref";

function walkBody(e: Emitter, region: Region, env: ValueNumbers, refs: Refs): void {
  for (const id of region.nodes) {
    const node = e.table.nodes[id] as Node;
    e.origin = node.origin;
    dischargeNode(e, node, env, refs);
  }
}

function dischargeNode(e: Emitter, node: Node, env: ValueNumbers, refs: Refs): void {
  const ref = node.inputs[0] as ValueId;
  switch (node.op) {
    case "get": {
      const indices = resolveFrom(env, node.inputs, 1);
      const { transforms } = node.params;
      const value = readView(e, refs.get(ref) as ValueId, transforms, indices);
      env.set(node.outputs[0] as ValueId, value);
      return;
    }
    case "set":
    case "addupdate": {
      const [value, ...indices] = resolveFrom(env, node.inputs, 1) as [ValueId, ...ValueId[]];
      const write = node.op === "set" ? writeView : addToView;
      refs.set(ref, write(e, refs.get(ref) as ValueId, node.params.transforms, indices, value));
      return;
    }
    case "grid": {
      const operands = resolveFrom(env, node.inputs, 0);
      const isKernel = node.params.level === "kernel";
      bind(
        env,
        node,
        isKernel ? dischargeGrid(e, node, operands, env) : copyNode(e, node, operands),
      );
      return;
    }
    case "cond":
      bind(env, node, dischargeCond(e, node, env, refs));
      return;
    case "scan":
      bind(env, node, dischargeScan(e, node, env, refs));
      return;
    case "while":
      bind(env, node, dischargeWhile(e, node, env, refs));
      return;
    default:
      bind(env, node, copyNode(e, node, resolveFrom(env, node.inputs, 0)));
  }
}

// Nodes come by the ten thousand: these two make as little as they can.

function resolveFrom(env: ValueNumbers, values: readonly ValueId[], first: number): ValueId[] {
  const resolved: ValueId[] = [];
  for (let i = first; i < values.length; i += 1) {
    resolved.push(valueNow(env, values[i] as ValueId));
  }
  return resolved;
}

function bind(env: ValueNumbers, { outputs }: Node, values: readonly ValueId[]): void {
  for (let i = 0; i < outputs.length; i += 1) {
    env.set(outputs[i] as ValueId, values[i] as ValueId);
  }
}

// ── Which refs a region writes ──────────────────────────────────────────────────────────────

/** Regions are never edited once they are there: what they write is found once. */
const writtenIn = new WeakMap<Region, ReadonlySet<ValueId>>();

/** Refs among the operands of a control-flow node, and whether some region writes them. */
function refOperands(table: Table, node: Node): { ref: ValueId; at: number; written: boolean }[] {
  const found: { ref: ValueId; at: number; written: boolean }[] = [];
  node.inputs.forEach((value, at) => {
    if (!isRef(table, value)) return;
    const written = regionOperands(node).some(([region, operands]) =>
      region.params.some(
        (param, i) => operands[i] === value && writtenRefs(table, region, writtenIn).has(param),
      ),
    );
    found.push({ ref: value, at, written });
  });
  return found;
}

// ── Structured ops ──────────────────────────────────────────────────────────────────────────

/**
 * Discharges `region` into a new one. `layout` gives the new params in order, each standing for an
 * old param; refs among `out` have their final values appended to the results.
 */
function dischargeInside(
  e: Emitter,
  region: Region,
  layout: readonly ValueId[],
  out: readonly ValueId[],
  env: ValueNumbers,
): Region {
  const table = e.table;
  const result = newRegion();
  const inner = e.nested(result);
  const refs: Refs = new Map();
  for (const old of layout) {
    const type = table.types[old]!;
    const param = table.newParam(result, tensorType(type.dtype, type.shape));
    if (type.kind === "ref") refs.set(old, param);
    else env.set(old, param);
  }
  walkBody(inner, region, env, refs);
  result.results.push(
    ...region.results.map((value) => valueNow(env, value)),
    ...out.map((ref) => refs.get(ref) as ValueId),
  );
  return result;
}

function dischargeCond(
  e: Emitter,
  node: NodeNamed<"cond">,
  env: ValueNumbers,
  refs: Refs,
): readonly ValueId[] {
  const found = refOperands(e.table, node as Node);
  const written = found.filter((r) => r.written);
  const operands = node.inputs.map((value) => refs.get(value) ?? valueNow(env, value));
  const regions = node.regions.map((region) =>
    dischargeInside(
      e,
      region,
      region.params,
      written.map(({ at }) => region.params[at - 1] as ValueId),
      env,
    ),
  );
  const types = (regions[0] as Region).results.map((value) => e.table.types[value]!);
  const { outputs } = e.table.newNode(e.region, "cond", {}, operands, types, regions, node.origin);
  written.forEach(({ ref }, i) => {
    refs.set(ref, outputs[node.outputs.length + i] as ValueId);
  });
  return outputs;
}

function dischargeScan(
  e: Emitter,
  node: NodeNamed<"scan">,
  env: ValueNumbers,
  refs: Refs,
): readonly ValueId[] {
  const { carries, xs } = node.params;
  const region = node.regions[0] as Region;
  const found = refOperands(e.table, node as Node);
  const written = found.filter((r) => r.written);
  const isWritten = (at: number): boolean => written.some((r) => r.at === at);
  const param = (at: number): ValueId => region.params[at + 1] as ValueId;

  const others = node.inputs.flatMap((_, at) => (at >= carries && !isWritten(at) ? [at] : []));
  const order: number[] = [];
  for (let at = 0; at < carries; at += 1) order.push(at);
  for (const { at } of written) order.push(at);
  order.push(...others);

  const operands = order.map((at) => {
    const value = node.inputs[at] as ValueId;
    return refs.get(value) ?? valueNow(env, value);
  });
  const body = dischargeInside(
    e,
    region,
    [region.params[0] as ValueId, ...order.map(param)],
    written.map(({ at }) => param(at)),
    env,
  );
  // Results come as [carry…, y…, written…]; carries must stand together.
  const ys = region.results.length - carries;
  const results = [
    ...body.results.slice(0, carries),
    ...body.results.slice(carries + ys),
    ...body.results.slice(carries, carries + ys),
  ];
  const arranged: Region = { params: body.params, nodes: body.nodes, results };
  const types = [
    ...results.slice(0, carries + written.length).map((value) => e.table.types[value]!),
    ...node.outputs.slice(carries).map((value) => e.table.types[value]!),
  ];
  const params = { ...node.params, carries: carries + written.length, xs };
  const { outputs } = e.table.newNode(
    e.region,
    "scan",
    params,
    operands,
    types,
    [arranged],
    node.origin,
  );
  written.forEach(({ ref }, i) => {
    refs.set(ref, outputs[carries + i] as ValueId);
  });
  return [...outputs.slice(0, carries), ...outputs.slice(carries + written.length)];
}

function dischargeWhile(
  e: Emitter,
  node: NodeNamed<"while">,
  env: ValueNumbers,
  refs: Refs,
): readonly ValueId[] {
  const { carries } = node.params;
  const [condition, body] = node.regions as readonly [Region, Region];
  const found = refOperands(e.table, node as Node);
  const written = found.filter((r) => r.written);
  const order: number[] = [];
  for (let at = 0; at < carries; at += 1) order.push(at);
  for (const { at } of written) order.push(at);
  node.inputs.forEach((_, at) => {
    if (at >= carries && !written.some((r) => r.at === at)) order.push(at);
  });
  const operands = order.map((at) => {
    const value = node.inputs[at] as ValueId;
    return refs.get(value) ?? valueNow(env, value);
  });
  const layout = (region: Region): ValueId[] => order.map((at) => region.params[at] as ValueId);
  const regions = [
    dischargeInside(e, condition, layout(condition), [], env),
    dischargeInside(
      e,
      body,
      layout(body),
      written.map(({ at }) => body.params[at] as ValueId),
      env,
    ),
  ];
  const types = (regions[1] as Region).results.map((value) => e.table.types[value]!);
  const { outputs } = e.table.newNode(
    e.region,
    "while",
    { carries: carries + written.length },
    operands,
    types,
    regions,
    node.origin,
  );
  written.forEach(({ ref }, i) => {
    refs.set(ref, outputs[carries + i] as ValueId);
  });
  return outputs.slice(0, carries);
}

function dischargeGrid(
  e: Emitter,
  node: NodeNamed<"grid">,
  operands: readonly ValueId[],
  env: ValueNumbers,
): readonly ValueId[] {
  const { table } = e;
  const { axes, prefetch, inputs, outputs, scratch } = node.params;
  const [body, ...maps] = node.regions as readonly [Region, ...Region[]];
  const firstInput = axes.length + prefetch;
  const firstState = firstInput + inputs.length;
  const stateCount = outputs.length + scratch.length;
  const written = writtenRefs(table, body, writtenIn);
  const mutated = inputs.flatMap((_, i) =>
    written.has(body.params[firstInput + i] as ValueId) ? [i] : [],
  );
  for (let i = 0; i < prefetch; i += 1) {
    const param = body.params[axes.length + i] as ValueId;
    if (written.has(param)) throw new RangeError("a kernel writes to a prefetched scalar operand");
  }

  const result = newRegion();
  const inner = e.nested(result);
  const refs: Refs = new Map();
  const bindParam = (old: ValueId): void => {
    const type = table.types[old]!;
    const param = table.newParam(result, tensorType(type.dtype, type.shape));
    if (type.kind === "ref") refs.set(old, param);
    else env.set(old, param);
  };
  body.params.slice(0, firstState + stateCount).forEach(bindParam);
  for (const i of mutated) {
    const old = body.params[firstInput + i] as ValueId;
    const type = table.types[old]!;
    refs.set(old, table.newParam(result, tensorType(type.dtype, type.shape)));
  }
  body.params.slice(firstState + stateCount).forEach(bindParam);

  walkBody(inner, body, env, refs);
  for (let i = 0; i < stateCount; i += 1) {
    result.results.push(refs.get(body.params[firstState + i] as ValueId) as ValueId);
  }
  for (const i of mutated) {
    result.results.push(refs.get(body.params[firstInput + i] as ValueId) as ValueId);
  }
  const regions = [result, ...maps.map((map) => dischargeInside(e, map, map.params, [], env))];
  const types = node.outputs.map((value) => table.types[value]!);
  return table.newNode(
    e.region,
    "grid",
    { ...node.params, level: "tensor", mutated },
    operands,
    types,
    regions,
    node.origin,
  ).outputs;
}

/**
 * Copying regions with changes: how every tensor-level pass is written.
 *
 * Nodes and regions are never edited. A pass walks a region in order, keeps an environment from old
 * to new values, and appends to the same table; what nobody refers to any more is left behind and
 * disappears when the plan is emitted. Params of a rebuilt region keep their ids, so a region
 * inside stays valid as long as nothing it captures is renamed.
 */
import {
  censusOf,
  cloneRegion,
  Emitter,
  type Node,
  type NodeNamed,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";

export type Environment = Map<ValueId, ValueId>;

export const resolve = (env: Environment, value: ValueId): ValueId => env.get(value) ?? value;

/** Appends a copy of `node` with other operands (and, if given, other regions); types are kept. */
export function copyNode(
  e: Emitter,
  node: Node,
  inputs: readonly ValueId[],
  regions: readonly Region[] = node.regions,
): readonly ValueId[] {
  return e.table.newCopy(e.region, node, inputs, regions).outputs;
}

/** What a rewriting step makes of one node: its new results, or undefined to copy it. */
export type Rewrite = (
  node: Node,
  inputs: readonly ValueId[],
  e: Emitter,
  env: Environment,
) => readonly ValueId[] | undefined;

/** Appends the nodes of `region` to `e`, its params bound to `args`; gives the results. */
export function inlineRegion(
  e: Emitter,
  region: Region,
  args: readonly ValueId[],
  rewrite?: Rewrite,
): readonly ValueId[] {
  const env: Environment = new Map(region.params.map((param, i) => [param, args[i] as ValueId]));
  return replay(e, region, env, rewrite);
}

/** Appends the nodes of `region` to `e` under `env`; gives the results. */
export function replay(
  e: Emitter,
  region: Region,
  env: Environment,
  rewrite?: Rewrite,
): readonly ValueId[] {
  const outer = e.origin;
  for (const id of region.nodes) {
    const node = e.table.nodes[id] as Node;
    const inputs = node.inputs.map((value) => resolve(env, value));
    e.origin = node.origin;
    const outputs = rewrite?.(node, inputs, e, env) ?? copyNode(e, node, inputs);
    node.outputs.forEach((value, i) => {
      env.set(value, outputs[i] as ValueId);
    });
  }
  e.origin = outer;
  return region.results.map((value) => resolve(env, value));
}

/**
 * `region` with other nodes in place of some: those of which `rewrite` makes something, and those that read what has become
 * of them. All others stay; so does the region where nothing changes.
 */
export function rewriteRegion(table: Table, region: Region, rewrite: Rewrite): Region {
  const result: Region = { params: [...region.params], nodes: [], results: [] };
  const e = new Emitter(table, result);
  const env: Environment = new Map();
  let hasChanged = false;
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    const inputs = resolveAll(env, node.inputs);
    e.origin = node.origin;
    const rewritten = rewrite(node, inputs, e, env);
    if (rewritten === undefined && inputs === node.inputs) {
      result.nodes.push(id);
      continue;
    }
    hasChanged = true;
    const outputs = rewritten ?? copyNode(e, node, inputs);
    node.outputs.forEach((value, i) => {
      env.set(value, outputs[i] as ValueId);
    });
  }
  if (!hasChanged) return region;
  result.results.push(...resolveAll(env, region.results));
  return result;
}

/** The values as they are now: the very same list where all are as they were. */
export function resolveAll(env: Environment, values: readonly ValueId[]): readonly ValueId[] {
  let resolved: ValueId[] | undefined;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as ValueId;
    const now = env.get(value) ?? value;
    if (resolved === undefined && now !== value) {
      resolved = [];
      for (let k = 0; k < i; k += 1) resolved.push(values[k] as ValueId);
    }
    resolved?.push(now);
  }
  return resolved ?? values;
}

/** Values used in `region` (results included) that are neither its params nor made in it. */
export function freeValues(table: Table, region: Region): ValueId[] {
  const bound = new Set<ValueId>(region.params);
  const free = new Set<ValueId>();
  const use = (value: ValueId): void => {
    if (!bound.has(value)) free.add(value);
  };
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    node.inputs.forEach(use);
    for (const value of node.outputs) bound.add(value);
  }
  region.results.forEach(use);
  return [...free];
}

/** Makes an open region closed: free values become trailing params; gives the values to pass for them. */
export function closeRegion(e: Emitter, open: Region): { region: Region; captures: ValueId[] } {
  const captures = freeValues(e.table, open);
  if (captures.length === 0) return { region: open, captures };
  const region: Region = { params: [...open.params], nodes: [], results: [] };
  const env: Environment = new Map();
  for (const value of captures) {
    env.set(value, e.table.newParam(region, e.table.types[value]!));
  }
  region.results.push(...replay(e.nested(region), open, env));
  return { region, captures };
}

/** Which of `sources` each value of `region` depends on; of a branch's result, through what makes that one. */
export function dependencies(
  table: Table,
  region: Region,
  sources: ReadonlySet<ValueId>,
): (value: ValueId) => ReadonlySet<ValueId> {
  const none: ReadonlySet<ValueId> = new Set();
  const known = new Map<ValueId, ReadonlySet<ValueId>>();
  for (const source of sources) known.set(source, new Set([source]));
  const unionOf = (values: readonly ValueId[]): ReadonlySet<ValueId> | undefined => {
    let union: Set<ValueId> | undefined;
    for (const value of values) {
      const from = known.get(value);
      if (from === undefined) continue;
      union ??= new Set();
      for (const source of from) union.add(source);
    }
    return union;
  };
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    const all = unionOf(node.inputs);
    if (all === undefined) continue;
    for (const [i, output] of node.outputs.entries()) {
      const own = node.op === "cond" ? unionOf(operandsBehind(table, node, i)) : all;
      if (own !== undefined) known.set(output, own);
    }
  }
  return (value) => known.get(value) ?? none;
}

/** The selector of a branch, and the operands that its result number `i` depends on in any region. */
function operandsBehind(table: Table, node: NodeNamed<"cond">, i: number): readonly ValueId[] {
  const [which, ...operands] = node.inputs as readonly [ValueId, ...ValueId[]];
  const needed = node.regions.flatMap((region) => {
    const needs = dependencies(table, region, new Set(region.params))(region.results[i] as ValueId);
    return operands.filter((_, p) => needs.has(region.params[p] as ValueId));
  });
  return [which, ...needed];
}

/** Marks on values of a table: those at which it is the latest count. */
interface Marks {
  values: Uint32Array;
  latest: number;
}
const marksIn = new WeakMap<Table, Marks>();

/** Marks of which none is set. There is one set of them for each table, for one walk at a time. */
function freshMarks(table: Table): Marks {
  let marks = marksIn.get(table);
  if (marks === undefined || marks.values.length < table.types.length) {
    marks = { values: new Uint32Array(2 * table.types.length), latest: 0 };
    marksIn.set(table, marks);
  }
  marks.latest += 1;
  return marks;
}

/** Nodes of `region` that its results or (unless told otherwise) an effect need, in order. */
export function liveNodes(
  table: Table,
  region: Region,
  isWanted: (node: Node) => boolean = (node) => hasEffect(table, node),
): Node[] {
  const { values: needed, latest: mark } = freshMarks(table);
  for (const value of region.results) needed[value] = mark;
  const live: Node[] = [];
  for (let i = region.nodes.length - 1; i >= 0; i -= 1) {
    const node = table.nodes[region.nodes[i] as number] as Node;
    const { inputs, outputs } = node;
    let isLive = false;
    for (let k = 0; k < outputs.length; k += 1) {
      if (needed[outputs[k] as ValueId] === mark) isLive = true;
    }
    if (!isLive && !isWanted(node)) continue;
    live.push(node);
    for (let k = 0; k < inputs.length; k += 1) needed[inputs[k] as ValueId] = mark;
  }
  return live.reverse();
}

/** What computes the results of `region` and does nothing else; undefined where that cannot be had. */
export function withoutEffects(table: Table, region: Region): Region | undefined {
  const live = liveNodes(table, region, () => false);
  if (live.some((node) => hasEffect(table, node))) return undefined;
  return { ...region, nodes: live.map(({ id }) => id) };
}

/**
 * `region` with regions inside that are nobody else's. A rebuilt region keeps its params, so where a part was
 * rebuilt twice (for the first point of an axis and for all of them) two nodes own the same ones.
 */
export function withOwnRegions(table: Table, region: Region): Region {
  if (!sharesValues(table, region, new Set())) return region;
  const own: Region = { params: [...region.params], nodes: [], results: [] };
  const rewrite: Rewrite = (node, inputs, e) =>
    copyNode(
      e,
      node,
      inputs,
      node.regions.map((inner) => cloneRegion(table, inner, table)),
    );
  own.results.push(...replay(new Emitter(table, own), region, new Map(), rewrite));
  return own;
}

function sharesValues(table: Table, region: Region, seen: Set<ValueId>): boolean {
  const isShared = (value: ValueId): boolean => {
    const size = seen.size;
    return seen.add(value).size === size;
  };
  return region.nodes.some((id) => {
    const node = table.nodes[id] as Node;
    return (
      node.outputs.some(isShared) ||
      node.regions.some((inner) => inner.params.some(isShared) || sharesValues(table, inner, seen))
    );
  });
}

/** `region` without what it prints, at any depth. */
export function silenced(table: Table, region: Region): Region {
  if (!region.nodes.some((id) => hasEffect(table, table.nodes[id] as Node))) return region;
  const silent: Region = { params: [...region.params], nodes: [], results: [] };
  const rewrite: Rewrite = (node, inputs, e) =>
    node.op === "debug_print"
      ? []
      : copyNode(
          e,
          node,
          inputs,
          node.regions.map((inner) => silenced(table, inner)),
        );
  silent.results.push(...replay(new Emitter(table, silent), region, new Map(), rewrite));
  return silent;
}

/** Whether something in `region` has regions of its own: a grid, a loop, a branch. */
export const hasStructure = (table: Table, region: Region): boolean =>
  !censusOf(table, region).isFlat;

export function hasEffect(table: Table, node: Node): boolean {
  const { op, regions } = node;
  if (regions.length === 0) return op === "debug_print" || op === "set" || op === "addupdate";
  return regions.some((region) =>
    region.nodes.some((id) => hasEffect(table, table.nodes[id] as Node)),
  );
}

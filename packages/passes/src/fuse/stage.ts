/**
 * Kernels under construction.
 *
 * While a kernel is pulled together, axis d of an index expression is dimension d of the root's
 * shape, and every reduction stage gets fresh numbers for what it folds over. Only at the end is it
 * known which axes are outer (all reductions agree on them) and the axes are renumbered: outer ones
 * first, then each stage's own.
 */

import type { ValueId } from "@gridfuse/graph";
import type { KernelStep, Reduction, Stage, Write } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { argsOf, type IndexRange, ScalarBuilder, type ScalarNode } from "@gridfuse/plan/scalar";

export interface StageAxis {
  readonly axis: number;
  readonly extent: number;
}

export class StageBuilder {
  readonly b: ScalarBuilder = new ScalarBuilder();
  readonly inner: readonly StageAxis[];
  readonly reductions: Reduction[] = [];
  readonly writes: Write[] = [];
  /** Nodes of values already pulled, by the number of their coordinates. */
  readonly #pulled = new Map<number, Map<ValueId, number>>();
  #place = -1;
  #pulledHere = new Map<ValueId, number>();

  constructor(inner: readonly StageAxis[]) {
    this.inner = inner;
  }

  /** Nodes of values already pulled at coordinates with this number; mostly the same as the last time. */
  pulledAt(place: number): Map<ValueId, number> {
    if (place === this.#place) return this.#pulledHere;
    let pulled = this.#pulled.get(place);
    if (pulled === undefined) {
      pulled = new Map();
      this.#pulled.set(place, pulled);
    }
    this.#place = place;
    this.#pulledHere = pulled;
    return pulled;
  }
}

export class KernelBuilder {
  readonly domain: readonly number[];
  /** Reduction stages, in order; the final stage comes after them. */
  readonly stages: StageBuilder[] = [];
  readonly final: StageBuilder;
  /** Where a reduction's result is found: value and coordinates → stage and number. */
  readonly reduced: Map<string, { stage: number; reduction: number }> = new Map();
  /** Domain axes that all reductions keep; undefined before the first one. */
  outer: readonly number[] | undefined;
  /** Elements that may yet be computed of values inside an orbit. */
  readonly limits: Map<number, number> = new Map();
  /** Names of the ops that compute something, for the kernel's name. */
  readonly ops: Set<string> = new Set();
  #nextAxis: number;

  constructor(domain: readonly number[]) {
    this.domain = domain;
    this.final = new StageBuilder(domain.map((extent, axis) => ({ axis, extent })));
    this.#nextAxis = domain.length;
  }

  newAxes(extents: readonly number[]): StageAxis[] {
    return extents.map((extent) => {
      this.#nextAxis += 1;
      return { axis: this.#nextAxis - 1, extent };
    });
  }

  /** Adds a finished reduction stage, merging it with the one before if they fold the same axes. */
  addStage(stage: StageBuilder): { stage: number; first: number } {
    const previous = this.stages.at(-1);
    const index = this.stages.length - 1;
    if (previous !== undefined && canMerge(previous, index, stage)) {
      const first = previous.reductions.length;
      const axes = new Map(
        stage.inner.map(({ axis, extent }, i) => [
          axis,
          ix.axis((previous.inner[i] as StageAxis).axis, extent),
        ]),
      );
      const moved = appendNodes(previous.b, stage.b.nodes, (e) =>
        ix.substitute(e, (leaf) => (leaf.k === "axis" ? (axes.get(leaf.axis) ?? leaf) : leaf)),
      );
      for (const reduction of stage.reductions) {
        previous.reductions.push({ ...reduction, value: moved[reduction.value] as number });
      }
      return { stage: index, first };
    }
    this.stages.push(stage);
    return { stage: this.stages.length - 1, first: 0 };
  }

  finish(name: string): KernelStep {
    const outer = this.outer ?? [];
    const kept = this.domain
      .map((extent, axis) => ({ axis, extent }))
      .filter(({ axis }) => !outer.includes(axis));
    const stages = [
      ...this.stages.map((stage) => ({ stage, inner: stage.inner })),
      { stage: this.final, inner: kept },
    ];
    return {
      kind: "kernel",
      name,
      axes: outer.map((axis) => this.domain[axis] as number),
      stages: stages.map(({ stage, inner }) => renumber(stage, outer, inner)),
    };
  }
}

function canMerge(previous: StageBuilder, index: number, next: StageBuilder): boolean {
  return (
    previous.inner.length === next.inner.length &&
    previous.inner.every(({ extent }, i) => extent === next.inner[i]?.extent) &&
    !next.b.nodes.some((node) => node.op === "reduced" && node.stage === index)
  );
}

function renumber(
  stage: StageBuilder,
  outer: readonly number[],
  inner: readonly StageAxis[],
): Stage {
  const numbers = new Map<number, number>();
  outer.forEach((axis, i) => {
    numbers.set(axis, i);
  });
  inner.forEach(({ axis }, i) => {
    numbers.set(axis, outer.length + i);
  });
  const same = [...numbers].every(([axis, number]) => axis === number);
  const rename = remembered((e) =>
    same
      ? e
      : ix.substitute(e, (leaf) =>
          leaf.k === "axis" ? ix.axis(numbers.get(leaf.axis) as number, leaf.hi + 1) : leaf,
        ),
  );
  const { nodes } = stage.b;
  const axes = inner.map(({ extent }) => extent);
  const { reductions, writes } = stage;
  const own: Stage = { axes, nodes, reductions, writes };
  // Guards may come out alike; what only has its axes renamed stays as different as it was.
  const isGuarded =
    writes.some(({ guard }) => guard.length > 0) ||
    nodes.some((node) => node.op === "load" && node.guard.length > 0);
  if (isGuarded) return rebuildStage(own, rename);
  return dropDead(same ? own : reindexed(own, rename, axes));
}

/** `map` that does the same expression once. */
export function remembered(map: (e: IndexExpr) => IndexExpr): (e: IndexExpr) => IndexExpr {
  const known = new Map<string, IndexExpr>();
  return (e) => {
    if (e.k === "const") return e;
    let result = known.get(e.key);
    if (result === undefined) {
      result = map(e);
      known.set(e.key, result);
    }
    return result;
  };
}

/**
 * The stage with its index expressions mapped and every node where it was. Nodes that have become equal
 * stay two until `rebuildStage` merges them.
 */
export function reindexed(
  stage: Stage,
  map: (e: IndexExpr) => IndexExpr,
  axes: readonly number[],
): Stage {
  return {
    axes,
    nodes: stage.nodes.map((node): ScalarNode => {
      if (node.op !== "load" && node.op !== "index") return node;
      const index = map(node.index);
      if (node.op === "index") return index === node.index ? node : { ...node, index };
      if (index === node.index && node.guard.length === 0) return node;
      return { ...node, index, guard: plainGuards(node.guard, map) };
    }),
    reductions: stage.reductions,
    writes: stage.writes.map((write) => ({
      ...write,
      index: map(write.index),
      guard: plainGuards(write.guard, map),
    })),
  };
}

/** The stage, all of whose nodes differ, without those that nothing needs. */
export function dropDead(stage: Stage): Stage {
  const used = liveNodes(stage);
  if (used.every((isUsed) => isUsed)) return stage;
  const moved = newNumbers(used);
  return {
    axes: stage.axes,
    nodes: compact(stage.nodes, used, moved),
    reductions: stage.reductions.map((r) => ({ ...r, value: moved[r.value] as number })),
    writes: stage.writes.map((write) => movedWrite(write, moved)),
  };
}

/**
 * The stage with every index expression mapped; equal nodes merge and dead ones go.
 *
 * Nodes of a stage differ, and mapped index expressions mostly still do. Then all nodes do, and no node
 * needs to be looked for.
 */
export function rebuildStage(
  stage: Stage,
  map: (e: IndexExpr) => IndexExpr,
  axes: readonly number[] = stage.axes,
): Stage {
  const used = liveNodes(stage);
  const mapped = mapDistinct(stage.nodes, used, map);
  let nodes: readonly ScalarNode[];
  let moved: readonly number[];
  if (mapped === undefined) {
    const b = new ScalarBuilder();
    moved = appendNodes(b, stage.nodes, map, used);
    nodes = b.nodes;
  } else {
    moved = newNumbers(used);
    nodes = compact(mapped, used, moved);
  }
  const isSame = moved.every((node, i) => node === i);
  const values = (e: IndexExpr): IndexExpr => (isSame ? e : mapValues(e, moved));
  const value = (node: number): number => moved[node] as number;
  return {
    axes,
    nodes,
    reductions: stage.reductions.map((r) => ({ ...r, value: value(r.value) })),
    writes: stage.writes.map((w) => ({
      ...w,
      value: value(w.value),
      index: values(map(w.index)),
      guard: plainGuards(w.guard, (e) => values(map(e))),
    })),
  };
}

/** Live nodes with their index expressions mapped, numbers as they were; undefined where two become equal. */
function mapDistinct(
  nodes: readonly ScalarNode[],
  used: readonly boolean[],
  map: (e: IndexExpr) => IndexExpr,
): ScalarNode[] | undefined {
  const seen = new Set<string>();
  const result: ScalarNode[] = [];
  for (const [i, node] of nodes.entries()) {
    if (!used[i] || (node.op !== "load" && node.op !== "index")) {
      result.push(node);
      continue;
    }
    const index = map(node.index);
    let key = `${node.dtype} ${index.key}`;
    if (node.op === "index") {
      result.push(index === node.index ? node : { ...node, index });
    } else {
      const guard = node.guard.length === 0 ? node.guard : plainGuards(node.guard, map);
      key += ` ${node.buffer} ${node.fill.lo} ${node.fill.hi}`;
      for (const range of guard) key += ` ${range.lo} ${range.index.key} ${range.hi}`;
      result.push(index === node.index && guard === node.guard ? node : { ...node, index, guard });
    }
    if (seen.has(key)) return undefined;
    seen.add(key);
  }
  return result;
}

/** Numbers that live nodes have when the dead ones are gone; −1 for those. */
function newNumbers(used: readonly boolean[]): number[] {
  let next = 0;
  return used.map((isUsed) => (isUsed ? next++ : -1));
}

function compact(
  nodes: readonly ScalarNode[],
  used: readonly boolean[],
  moved: readonly number[],
): readonly ScalarNode[] {
  if (used.every((isUsed) => isUsed)) return nodes;
  const index = (e: IndexExpr): IndexExpr => mapValues(e, moved);
  return nodes.flatMap((node, i): ScalarNode[] => {
    if (!used[i]) return [];
    if ("args" in node) {
      return [{ ...node, args: node.args.map((arg) => moved[arg]) } as unknown as ScalarNode];
    }
    if (node.op === "index") return [{ ...node, index: index(node.index) }];
    if (node.op !== "load") return [node];
    const guard = node.guard.map((range) => ({ ...range, index: index(range.index) }));
    return [{ ...node, index: index(node.index), guard }];
  });
}

/** The guards with their indices mapped; those that always hold go. */
export function plainGuards(
  guard: readonly IndexRange[],
  map: (e: IndexExpr) => IndexExpr,
): readonly IndexRange[] {
  return guard
    .map(({ index, lo, hi }) => plainRange({ index: map(index), lo, hi }))
    .filter(({ index, lo, hi }) => index.lo < lo || index.hi >= hi);
}

/**
 * A range without division: lo ≤ ⌊e/c⌋ < hi says the same as lo·c ≤ e < hi·c, is cheaper to test, and
 * bounds e itself.
 */
function plainRange({ index, lo, hi }: IndexRange): IndexRange {
  if (index.k !== "floordiv") return { index, lo, hi };
  return plainRange({ index: index.of, lo: lo * index.by, hi: hi * index.by });
}

/** Nodes that a reduction or a write needs. */
function liveNodes(stage: Stage): boolean[] {
  const live = new Array<boolean>(stage.nodes.length).fill(false);
  const needIndex = (e: IndexExpr): void =>
    ix.forEachLeaf(e, (leaf) => {
      if (leaf.k === "value") live[leaf.node] = true;
    });
  for (const { value } of stage.reductions) live[value] = true;
  for (const write of stage.writes) {
    live[write.value] = true;
    needIndex(write.index);
    for (const { index } of write.guard) needIndex(index);
  }
  for (let i = stage.nodes.length - 1; i >= 0; i -= 1) {
    if (!live[i]) continue;
    const node = stage.nodes[i] as ScalarNode;
    for (const arg of argsOf(node)) live[arg] = true;
    if (node.op === "load") {
      needIndex(node.index);
      for (const { index } of node.guard) needIndex(index);
    } else if (node.op === "index") {
      needIndex(node.index);
    }
  }
  return live;
}

/** Renumbers the nodes that `e` takes values from; keys have a "v" for values and for nothing else. */
export const mapValues = (e: IndexExpr, moved: readonly number[]): IndexExpr =>
  !e.key.includes("v")
    ? e
    : ix.substitute(e, (leaf) =>
        leaf.k === "value" ? ix.value(moved[leaf.node] as number, leaf.lo, leaf.hi) : leaf,
      );

/** A write whose value, and the places it takes from values, have other numbers. */
export const movedWrite = (write: Write, moved: readonly number[]): Write => ({
  ...write,
  value: moved[write.value] as number,
  index: mapValues(write.index, moved),
  guard: write.guard.map((range) => ({ ...range, index: mapValues(range.index, moved) })),
});

export const sameExtents = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((extent, i) => extent === b[i]);

/** Interns `nodes` into `b` with index expressions mapped; gives the new number of each (−1 if dead). */
export function appendNodes(
  b: ScalarBuilder,
  nodes: readonly ScalarNode[],
  map: (e: IndexExpr) => IndexExpr,
  live?: readonly boolean[],
  replace?: (node: ScalarNode, moved: readonly number[]) => number | undefined,
): number[] {
  const moved: number[] = [];
  const index = (e: IndexExpr): IndexExpr => mapValues(map(e), moved);
  for (const [i, node] of nodes.entries()) {
    if (live !== undefined && !live[i]) {
      moved.push(-1);
      continue;
    }
    moved.push(replace?.(node, moved) ?? appendNode(b, node, moved, index));
  }
  return moved;
}

function appendNode(
  b: ScalarBuilder,
  node: ScalarNode,
  moved: readonly number[],
  index: (e: IndexExpr) => IndexExpr,
): number {
  switch (node.op) {
    case "const":
      return b.constBits(node.dtype, node.bits);
    case "index":
      return b.index(node.dtype, index(node.index));
    case "load":
      return b.load(
        node.dtype,
        node.buffer,
        index(node.index),
        plainGuards(node.guard, index),
        node.fill,
      );
    case "reduced":
      return b.reduced(node.dtype, node.stage, node.reduction);
    case "argument":
      return b.argument(node.dtype, node.index);
    case "select":
    case "rare": {
      const [c, x, y] = node.args.map((arg) => moved[arg] as number) as [number, number, number];
      return node.op === "select" ? b.select(c, x, y) : b.rare(c, x, y);
    }
    case "convert":
      return b.convert(moved[node.args[0]] as number, node.dtype);
    case "bitcast":
      return b.bitcast(moved[node.args[0]] as number, node.dtype);
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge":
      return b.compare(node.op, moved[node.args[0]] as number, moved[node.args[1]] as number);
    default:
      return node.args.length === 1
        ? b.unary(node.op as Parameters<ScalarBuilder["unary"]>[0], moved[node.args[0]] as number)
        : b.binary(
            node.op as Parameters<ScalarBuilder["binary"]>[0],
            moved[node.args[0]] as number,
            moved[(node.args as readonly [number, number])[1]] as number,
          );
  }
}

/**
 * Kernels under construction.
 *
 * While a kernel is pulled together, axis d of an index expression is dimension d of the root's
 * shape, and every reduction stage gets fresh numbers for what it folds over. Only at the end is it
 * known which axes are outer (all reductions agree on them) and the axes are renumbered: outer ones
 * first, then each stage's own.
 */

import type { Node, Origin, ValueId } from "@gridfuse/graph";
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
  /** Where the user wrote them. */
  readonly origins: Set<Origin> = new Set();
  #nextAxis: number;

  constructor(domain: readonly number[]) {
    this.domain = domain;
    this.final = new StageBuilder(domain.map((extent, axis) => ({ axis, extent })));
    this.#nextAxis = domain.length;
  }

  /** Remembers a node that the kernel computes. */
  computes({ op, origin }: Node): void {
    this.ops.add(op);
    if (origin !== undefined) this.origins.add(origin);
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

  /** The stages over their own axes, those of `outer` first; nothing in them has been written anew yet. */
  drafts(): StageDraft[] {
    const outer = this.outer ?? [];
    const kept = this.domain
      .map((extent, axis) => ({ axis, extent }))
      .filter(({ axis }) => !outer.includes(axis));
    return [
      ...this.stages.map((stage) => draftOf(stage, outer, stage.inner)),
      draftOf(this.final, outer, kept),
    ];
  }

  finish(name: string): KernelStep {
    return {
      kind: "kernel",
      name,
      axes: this.outerExtents(),
      stages: this.drafts().map(finishDraft),
    };
  }

  outerExtents(): readonly number[] {
    return (this.outer ?? []).map((axis) => this.domain[axis] as number);
  }
}

/** A stage, and its accesses and axes as they come out. */
export interface StageDraft {
  readonly stage: Stage;
  readonly accesses: AccessMap;
  axes: readonly number[];
}

export const finishDraft = ({ stage, accesses, axes }: StageDraft): Stage =>
  rewriteStage(stage, accesses, axes);

function canMerge(previous: StageBuilder, index: number, next: StageBuilder): boolean {
  return (
    previous.inner.length === next.inner.length &&
    previous.inner.every(({ extent }, i) => extent === next.inner[i]?.extent) &&
    !next.b.nodes.some((node) => node.op === "reduced" && node.stage === index)
  );
}

function draftOf(
  { b: { nodes }, reductions, writes }: StageBuilder,
  outer: readonly number[],
  inner: readonly StageAxis[],
): StageDraft {
  const numbers = new Map<number, number>();
  outer.forEach((axis, i) => {
    numbers.set(axis, i);
  });
  inner.forEach(({ axis }, i) => {
    numbers.set(axis, outer.length + i);
  });
  const axes = inner.map(({ extent }) => extent);
  const stage: Stage = { axes, nodes, reductions, writes };
  const accesses = new AccessMap(stage);
  for (const [axis, number] of numbers) {
    if (axis === number) continue;
    accesses.mapIndices((e) =>
      ix.substitute(e, (leaf) =>
        leaf.k === "axis" ? ix.axis(numbers.get(leaf.axis) as number, leaf.hi + 1) : leaf,
      ),
    );
    return { stage, accesses, axes };
  }
  accesses.simplifyGuards();
  return { stage, accesses, axes };
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

/** The stage, all of whose nodes differ, without those that nothing needs. */
export function dropDead(stage: Stage): Stage {
  const live = liveNodes(stage);
  return live.includes(0) ? renumbered(stage, stage.nodes, live) : stage;
}

/** The stage with these nodes, of which only the live ones stay. */
function renumbered(stage: Stage, nodes: readonly ScalarNode[], live: Uint8Array): Stage {
  const moved = newNumbers(live);
  return {
    axes: stage.axes,
    nodes: compact(nodes, live, moved),
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
  const accesses = new AccessMap(stage);
  accesses.mapIndices(map);
  return rewriteStage(stage, accesses, axes);
}

/** Where a load or a write goes, or, without a guard, what an index is. */
export interface Access {
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
}

const noGuard: readonly IndexRange[] = [];

/** The different accesses of a stage's live nodes and of its writes, and what becomes of each. */
export class AccessMap {
  /** By number: as they are now. */
  current: readonly Access[];
  /** Nodes (1) that a reduction or a write needs. */
  readonly live: Uint8Array;
  /** Number of the access of each node; −1 where it has none. */
  readonly ofNodes: Int32Array;
  readonly ofWrites: readonly number[];
  /** Whether any access was guarded to begin with. */
  readonly isGuarded: boolean;
  readonly #numbers = new Map<string, number>();

  constructor(stage: Stage) {
    const { nodes, writes } = stage;
    const first: Access[] = [];
    const live = liveNodes(stage);
    this.live = live;
    this.ofNodes = new Int32Array(nodes.length).fill(-1);
    for (let i = 0; i < nodes.length; i += 1) {
      const node = nodes[i] as ScalarNode;
      if (live[i] === 0) continue;
      if (node.op === "load") this.ofNodes[i] = this.#numberOf(first, node.index, node.guard);
      else if (node.op === "index") this.ofNodes[i] = this.#numberOf(first, node.index, noGuard);
    }
    this.ofWrites = writes.map(({ index, guard }) => this.#numberOf(first, index, guard));
    this.current = first;
    this.isGuarded = first.some(({ guard }) => guard.length > 0);
  }

  #numberOf(list: Access[], index: IndexExpr, guard: readonly IndexRange[]): number {
    const key = guard.length === 0 ? index.key : accessText(index, guard);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = list.push({ index, guard }) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }

  mapIndices(map: (e: IndexExpr) => IndexExpr): void {
    this.current = this.current.map(({ index, guard }) => ({
      index: map(index),
      guard: plainGuards(guard, map),
    }));
  }

  /** Writes guards in their plain form, without those that always hold. */
  simplifyGuards(): void {
    if (this.isGuarded) this.mapIndices((e) => e);
  }

  /** Whether those that were different still are. */
  areDistinct(): boolean {
    if (this.current.length === 1) return true;
    const texts = new Set<string>();
    for (const { index, guard } of this.current) texts.add(accessText(index, guard));
    return texts.size === this.current.length;
  }
}

function accessText(index: IndexExpr, guard: readonly IndexRange[]): string {
  let text = index.key;
  for (const { index: of, lo, hi } of guard) text += `&${lo}<=${of.key}<${hi}`;
  return text;
}

/** The stage with its accesses as they have become; equal nodes merge and dead ones go. */
export function rewriteStage(
  stage: Stage,
  accesses: AccessMap,
  axes: readonly number[] = stage.axes,
): Stage {
  const { current, live, ofNodes, ofWrites } = accesses;
  let nodes: ScalarNode[] | undefined;
  for (let i = 0; i < ofNodes.length; i += 1) {
    const number = ofNodes[i] as number;
    if (number < 0) continue;
    const given = stage.nodes[i] as ScalarNode;
    const node = withAccess(given, current[number] as Access);
    if (node === given) continue;
    nodes ??= stage.nodes.slice();
    nodes[i] = node;
  }
  const changed: Stage = {
    axes,
    nodes: nodes ?? stage.nodes,
    reductions: stage.reductions,
    writes: stage.writes.map(({ buffer, dtype, value }, w): Write => {
      const { index, guard } = current[ofWrites[w] as number] as Access;
      return { buffer, dtype, index, guard, value };
    }),
  };
  if (!accesses.areDistinct()) return mergeEqual(changed);
  // Guards that always hold are gone, and with them the values that only they took.
  return accesses.isGuarded || live.includes(0) ? dropDead(changed) : changed;
}

function withAccess(node: ScalarNode, { index, guard }: Access): ScalarNode {
  if (node.op === "index") {
    return index === node.index ? node : { op: "index", dtype: node.dtype, index };
  }
  if (node.op !== "load") return node;
  const isSame = index === node.index && (guard === node.guard || guard.length === 0);
  if (isSame && node.guard.length === guard.length) return node;
  const { dtype, buffer, fill } = node;
  return { op: "load", dtype, buffer, index, guard, fill };
}

/** The stage, some of whose nodes may be equal, with all of them different. */
function mergeEqual(stage: Stage): Stage {
  const b = new ScalarBuilder();
  const moved = appendNodes(b, stage.nodes, (e) => e, liveNodes(stage));
  return {
    axes: stage.axes,
    nodes: b.nodes,
    reductions: stage.reductions.map((r) => ({ ...r, value: moved[r.value] as number })),
    writes: stage.writes.map((write) => movedWrite(write, moved)),
  };
}

/** Numbers that live nodes have when the dead ones are gone; −1 for those. */
function newNumbers(live: Uint8Array): number[] {
  let next = 0;
  return Array.from(live, (isLive) => (isLive === 1 ? next++ : -1));
}

function compact(
  nodes: readonly ScalarNode[],
  live: Uint8Array,
  moved: readonly number[],
): readonly ScalarNode[] {
  const index = (e: IndexExpr): IndexExpr => mapValues(e, moved);
  return nodes.flatMap((node, i): ScalarNode[] => {
    if (live[i] === 0) return [];
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
  if (guard.length === 0) return guard;
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

/** Nodes (1) that a reduction or a write needs. */
function liveNodes({ nodes, reductions, writes }: Stage): Uint8Array {
  const live = new Uint8Array(nodes.length);
  for (const { value } of reductions) live[value] = 1;
  for (const { value, index, guard } of writes) {
    live[value] = 1;
    markValues(live, index, guard);
  }
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    if (live[i] === 0) continue;
    const node = nodes[i] as ScalarNode;
    if (node.op === "load") markValues(live, node.index, node.guard);
    else if (node.op === "index") markValues(live, node.index, noGuard);
    else for (const arg of argsOf(node)) live[arg] = 1;
  }
  return live;
}

function markValues(live: Uint8Array, index: IndexExpr, guard: readonly IndexRange[]): void {
  if (takesValues(index)) {
    ix.forEachLeaf(index, (leaf) => {
      if (leaf.k === "value") live[leaf.node] = 1;
    });
  }
  for (const range of guard) markValues(live, range.index, noGuard);
}

/** Keys have a "v" for values and for nothing else. */
const takesValues = (e: IndexExpr): boolean => e.key.includes("v");

/** Renumbers the nodes that `e` takes values from. */
export const mapValues = (e: IndexExpr, moved: readonly number[]): IndexExpr =>
  !takesValues(e)
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
  live?: Uint8Array,
  replace?: (node: ScalarNode, moved: readonly number[]) => number | undefined,
): number[] {
  const moved: number[] = [];
  const index = (e: IndexExpr): IndexExpr => mapValues(map(e), moved);
  for (const [i, node] of nodes.entries()) {
    if (live !== undefined && live[i] === 0) {
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

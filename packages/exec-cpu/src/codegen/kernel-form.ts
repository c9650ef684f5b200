/**
 * A kernel made ready for code generation: as few and as long loops as its index expressions allow.
 *
 * Two neighbouring axes become one where every index that reads them does so through the same product
 * space, s·(n·a + b): a row-major elementwise kernel of any rank is one flat loop. A stage that reduces
 * gets exactly one inner axis, the flattened index that the plan's reduction order is written in.
 * Axis numbers keep their meaning; a merged axis keeps the number of its inner half.
 */
import {
  isOrdered,
  isSpread,
  type KernelStep,
  type Reduction,
  type Stage,
  type Write,
} from "@gridfuse/plan";
import { axis, floordiv, type IndexExpr, mod, substituteAxes } from "@gridfuse/plan/index-expr";
import type { IndexRange, ScalarNode } from "@gridfuse/plan/scalar";
import type { Contractions } from "./contract.ts";
import { simplified } from "./kernel-simplify.ts";

export interface LoopAxis {
  readonly axis: number;
  readonly extent: number;
}

export interface StageForm {
  readonly inner: readonly LoopAxis[];
  readonly nodes: readonly ScalarNode[];
  readonly reductions: readonly Reduction[];
  readonly writes: readonly Write[];
  /** Its folds are parts of longer ones, whose order they keep, however short they are (kernel-whole.ts). */
  readonly isPart?: true;
  /** Conditions that must hold nowhere, where the stage was written as if they never did (kernel-late.ts). */
  readonly late?: readonly number[];
  /** Sums that take in a product, with one rounding for both (contract.ts). */
  readonly contractions?: Contractions;
  /** Products that go straight into a reduction, likewise. */
  readonly folded?: ReadonlySet<number>;
}

export interface KernelForm {
  readonly outer: readonly LoopAxis[];
  readonly stages: readonly StageForm[];
  /** So many stages in turn are the same of neighbouring rows (kernel-rows.ts); default 1. */
  readonly rows?: number;
}

export type Rewrite = (e: IndexExpr) => IndexExpr;

export function rewriteGuard(
  guard: readonly IndexRange[],
  rewrite: Rewrite,
): readonly IndexRange[] {
  if (guard.length === 0) return guard;
  return guard.map(({ index, lo, hi }) => ({ index: rewrite(index), lo, hi }));
}

export function rewriteNode(node: ScalarNode, rewrite: Rewrite): ScalarNode {
  switch (node.op) {
    case "index":
      return { ...node, index: rewrite(node.index) };
    case "load":
      return { ...node, index: rewrite(node.index), guard: rewriteGuard(node.guard, rewrite) };
    default:
      return node;
  }
}

export function rewriteStage(
  stage: StageForm,
  inner: readonly LoopAxis[],
  rewrite: Rewrite,
): StageForm {
  return {
    inner,
    reductions: stage.reductions,
    nodes: stage.nodes.map((node) => rewriteNode(node, rewrite)),
    writes: stage.writes.map((write) => ({
      ...write,
      index: rewrite(write.index),
      guard: rewriteGuard(write.guard, rewrite),
    })),
  };
}

/** Whether a reduction of a stage has accumulators to put together. */
export const spreads = ({ inner, isPart }: StageForm, reduction: Reduction): boolean =>
  isPart === true
    ? isOrdered(reduction)
    : isSpread(
        reduction,
        inner.reduce((elements, { extent }) => elements * extent, 1),
      );

/** Every index expression of a stage, guards included. */
export function indicesOf({ nodes, writes }: Pick<StageForm, "nodes" | "writes">): IndexExpr[] {
  const found: IndexExpr[] = [];
  for (const node of nodes) {
    if (node.op === "index" || node.op === "load") found.push(node.index);
    if (node.op === "load") for (const range of node.guard) found.push(range.index);
  }
  for (const { index, guard } of writes) {
    found.push(index);
    for (const range of guard) found.push(range.index);
  }
  return found;
}

function countDivisions(e: IndexExpr): number {
  switch (e.k) {
    case "sum":
      return e.terms.reduce((total, { of }) => total + countDivisions(of), 0);
    case "floordiv":
    case "mod":
      return 1 + countDivisions(e.of);
    case "min":
    case "max":
    case "xor":
    case "and":
      return countDivisions(e.a) + countDivisions(e.b);
    default:
      return 0;
  }
}

export const reads = (e: IndexExpr, axisNumber: number): boolean =>
  e.key.includes(`a${axisNumber}:`);

/** Replaces `outer` and `inner` by one axis that runs over both, numbered as `inner`. */
function mergeRewrite(outer: LoopAxis, inner: LoopAxis): Rewrite {
  const merged = axis(inner.axis, outer.extent * inner.extent);
  const by: IndexExpr[] = [];
  by[outer.axis] = floordiv(merged, inner.extent);
  by[inner.axis] = mod(merged, inner.extent);
  return (e) => (reads(e, outer.axis) || reads(e, inner.axis) ? substituteAxes(e, by) : e);
}

/** The factor of an axis in e, where e reads it as a plain term or not at all. */
function plainFactor(e: IndexExpr, axisNumber: number): number | undefined {
  if (e.k === "axis" && e.axis === axisNumber) return 1;
  if (!reads(e, axisNumber)) return 0;
  if (e.k !== "sum") return undefined;
  let factor: number | undefined;
  for (const term of e.terms) {
    if (term.of.k === "axis" && term.of.axis === axisNumber) factor = term.factor;
    else if (reads(term.of, axisNumber)) return undefined;
  }
  return factor;
}

/** Whether merging leaves every index as simple as it was. */
function mergesWell(outer: LoopAxis, inner: LoopAxis, indices: readonly IndexExpr[]): boolean {
  const rewrite = mergeRewrite(outer, inner);
  return indices.every((e) => {
    const [high, low] = [plainFactor(e, outer.axis), plainFactor(e, inner.axis)];
    if (high !== undefined && low !== undefined) return high === low * inner.extent;
    return countDivisions(rewrite(e)) <= countDivisions(e);
  });
}

/** Merges neighbours of `axes` from the inside out; `merge` does it where it may and says whether it did. */
function mergeNeighbours(
  axes: readonly LoopAxis[],
  merge: (outer: LoopAxis, inner: LoopAxis) => boolean,
): LoopAxis[] {
  const kept: LoopAxis[] = [];
  for (const outer of [...axes].reverse()) {
    const inner = kept[0];
    if (inner !== undefined && merge(outer, inner)) {
      kept[0] = { axis: inner.axis, extent: outer.extent * inner.extent };
    } else {
      kept.unshift(outer);
    }
  }
  return kept;
}

/** Folds all inner axes of a reducing stage into one, whatever that does to its indices. */
function flattenInner(stage: StageForm): StageForm {
  let flat = stage;
  mergeNeighbours(stage.inner, (outer, inner) => {
    flat = rewriteStage(flat, flat.inner, mergeRewrite(outer, inner));
    return true;
  });
  const last = stage.inner.at(-1);
  if (last === undefined) return stage;
  const extent = stage.inner.reduce((product, loop) => product * loop.extent, 1);
  return { ...flat, inner: [{ axis: last.axis, extent }] };
}

function mergeInner(stage: StageForm): StageForm {
  let merged = stage;
  const inner = mergeNeighbours(stage.inner, (outer, innermost) => {
    if (!mergesWell(outer, innermost, indicesOf(merged))) return false;
    merged = rewriteStage(merged, merged.inner, mergeRewrite(outer, innermost));
    return true;
  });
  return { ...merged, inner };
}

function mergeOuter(form: KernelForm): KernelForm {
  let stages = form.stages;
  const outer = mergeNeighbours(form.outer, (outerAxis, innerAxis) => {
    if (!stages.every((stage) => mergesWell(outerAxis, innerAxis, indicesOf(stage)))) return false;
    const rewrite = mergeRewrite(outerAxis, innerAxis);
    stages = stages.map((stage) => rewriteStage(stage, stage.inner, rewrite));
    return true;
  });
  return { outer, stages };
}

const longAxes = (extents: readonly number[], first: number): LoopAxis[] =>
  extents.map((extent, i) => ({ axis: first + i, extent })).filter(({ extent }) => extent !== 1);

function simplifiedStage(stage: Stage): Pick<Stage, "nodes" | "reductions" | "writes"> {
  const { nodes, instead } = simplified(stage.nodes);
  if (instead.length === 0) return { ...stage, nodes };
  const taken = <T extends { readonly value: number }>(of: T): T => {
    const value = instead[of.value];
    return value === undefined ? of : { ...of, value };
  };
  return { nodes, reductions: stage.reductions.map(taken), writes: stage.writes.map(taken) };
}

/** @param step a kernel none of whose outer extents is 0 */
export function formOf(step: Pick<KernelStep, "axes" | "stages">): KernelForm {
  const outer = longAxes(step.axes, 0);
  const stages = step.stages.map((stage: Stage): StageForm => {
    const { nodes, reductions, writes } = simplifiedStage(stage);
    const form = { inner: longAxes(stage.axes, step.axes.length), nodes, reductions, writes };
    const empty = form.inner.find(({ extent }) => extent === 0);
    if (empty !== undefined) return { inner: [empty], nodes: [], reductions, writes: [] };
    return reductions.length > 0 ? flattenInner(form) : mergeInner(form);
  });
  const [only] = stages;
  // Axes of a single stage that folds nothing are as parallel as the others.
  if (stages.length === 1 && only !== undefined && only.reductions.length === 0 && !isEmpty(only)) {
    return mergeOuter({ outer: [...outer, ...only.inner], stages: [{ ...only, inner: [] }] });
  }
  return mergeOuter({ outer, stages });
}

const isEmpty = ({ inner }: StageForm): boolean => inner.some(({ extent }) => extent === 0);

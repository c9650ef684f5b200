/**
 * Pulling through reductions: a stage of the same kernel where the reduction's place depends on plain axes that all its
 * reductions agree on, an expression where it folds a few elements, else an array of its own.
 */
import { elementCount, type Node, type ValueId } from "@gridfuse/graph";
import type { ReduceOp } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";
import { unflatten } from "../tensor/views.ts";
import { axesNamed, reduceOpOf } from "./pull-facts.ts";
import type { Pulling } from "./pull-indexing.ts";
import { foldElements, foldedDims, isShortFold } from "./short-folds.ts";
import { type KernelBuilder, type StageAxis, StageBuilder } from "./stage.ts";

/** What pulls values, as reductions see it. */
export interface ReductionPulling extends Pulling {
  readonly kernel: KernelBuilder;
  /** Whether a value has memory already, or is to have it. */
  isStored(value: ValueId): boolean;
  /** Gives `value` memory, and loads its element `at`. */
  loadStored(
    stage: StageBuilder,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number;
}

/** A full reduction before a broadcast would leave one outer point: only for small arrays. */
const maxSerialReduction = 65536;
/** Outer points per result above which a reduction would be done again and again. */
const maxRepeatedReduction = 1.25;

/** Node of `stage` that holds element `at` of `value`, which `node` folds. */
export function pullReduction(
  p: ReductionPulling,
  stage: StageBuilder,
  node: Node,
  value: ValueId,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const { kernel } = p;
  const outer = guard.length > 0 ? undefined : axesNamed(at);
  if (outer === undefined || !agrees(p, outer, node)) {
    return isShort(p, stage, node, value)
      ? shortFold(p, stage, node, at, guard)
      : p.loadStored(stage, value, at, guard);
  }
  kernel.outer = outer;
  const key = `${value}[${at.map((e) => e.key).join()}]`;
  let known = kernel.reduced.get(key);
  if (known === undefined) {
    known = newStage(p, node, at);
    kernel.reduced.set(key, known);
  }
  return stage.b.reduced(p.dtypeOf(value), known.stage, known.reduction);
}

function isShort(p: ReductionPulling, stage: StageBuilder, node: Node, value: ValueId): boolean {
  if (p.isStored(value)) return false;
  const { domain, outer } = p.kernel;
  const inner = stage.inner.reduce((count, { extent }) => count * extent, 1);
  const points =
    stage.inner.length === 0 || outer === undefined
      ? elementCount(domain)
      : outer.reduce((count, axis) => count * (domain[axis] as number), inner);
  return isShortFold(p.table, node, points, (v) => p.isStored(v));
}

function shortFold(
  p: ReductionPulling,
  stage: StageBuilder,
  node: Node,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const source = node.inputs[0] as ValueId;
  const shape = p.shapeOf(source);
  const folded = foldedDims(node);
  const extents = folded.map((d) => shape[d] as number);
  const elements = Array.from({ length: elementCount(extents) }, (_, i) => {
    const inner = unflatten(ix.constant(i), extents);
    const element = (position: number): IndexExpr => inner[position] as IndexExpr;
    return p.pull(stage, source, sourceIndex(shape, folded, at, element), guard);
  });
  p.kernel.computed.push(node);
  const op = reduceOpOf(node.op) as Exclude<ReduceOp, "argmax" | "argmin">;
  return foldElements(stage.b, op, p.dtypeOf(node.outputs[0] as ValueId), elements);
}

/** Whether a reduction whose place depends on exactly these axes can be a stage of this kernel. */
function agrees(p: ReductionPulling, outer: readonly number[], node: Node): boolean {
  const { domain, outer: known } = p.kernel;
  if (outer.some((axis) => axis >= domain.length)) return false;
  if (known !== undefined) {
    return known.length === outer.length && known.every((axis) => outer.includes(axis));
  }
  const points = outer.reduce((count, axis) => count * (domain[axis] as number), 1);
  const results = elementCount(p.shapeOf(node.outputs[0] as ValueId));
  if (points > results * maxRepeatedReduction) return false;
  const all = elementCount(domain);
  const work = elementCount(p.shapeOf(node.inputs[0] as ValueId));
  return points > 1 || all === 1 || work <= maxSerialReduction;
}

function newStage(
  p: ReductionPulling,
  node: Node,
  at: readonly IndexExpr[],
): { stage: number; reduction: number } {
  const source = node.inputs[0] as ValueId;
  const shape = p.shapeOf(source);
  const folded = foldedDims(node);
  const inner = p.kernel.newAxes(folded.map((d) => shape[d] as number));
  const index = sourceIndex(shape, folded, at, (position) => {
    const { axis, extent } = inner[position] as StageAxis;
    return ix.axis(axis, extent);
  });
  const stage = new StageBuilder(inner);
  const value = p.pull(stage, source, index);
  p.kernel.computed.push(node);
  stage.reductions.push({
    op: reduceOpOf(node.op),
    dtype: p.dtypeOf(node.outputs[0] as ValueId),
    value,
  });
  const added = p.kernel.addStage(stage);
  return { stage: added.stage, reduction: added.first };
}

/** Coordinates of what is folded: those of the result, with the folded dimensions put in. */
function sourceIndex(
  shape: readonly number[],
  folded: readonly number[],
  at: readonly IndexExpr[],
  element: (position: number) => IndexExpr,
): readonly IndexExpr[] {
  let next = 0;
  return shape.map((_, d) => {
    const position = folded.indexOf(d);
    return position >= 0 ? element(position) : (at[next++] as IndexExpr);
  });
}

/** Which axis of a kernel the lanes of a C compiler should run along, and what that costs. */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  indicesOf,
  type KernelForm,
  type LoopAxis,
  type StageForm,
  spreads,
} from "../codegen/kernel-form.ts";

/** Lanes that are reckoned with. */
const lanes = 16;

export const product = (axes: readonly LoopAxis[]): number =>
  axes.reduce((total, { extent }) => total * extent, 1);

/** Rough cost of an element of `e` where lanes run along an axis: from one load for all lanes to one for each. */
function laneCost(e: IndexExpr, along: LoopAxis | undefined): number {
  if (along === undefined) return lanes;
  if (!e.key.includes(`a${along.axis}:`)) return 0.3;
  return isNextAlong(e, along) ? 1 : 12;
}

/** Whether neighbours along an axis are neighbours in memory. */
export function isNextAlong(e: IndexExpr, along: LoopAxis): boolean {
  const terms = e.k === "sum" ? e.terms : [{ factor: 1, of: e }];
  const [only, ...others] = terms.filter(({ of }) => of.key.includes(`a${along.axis}:`));
  return only?.of.k === "axis" && only.factor === 1 && others.length === 0;
}

export function costAlong(stages: readonly StageForm[], along: LoopAxis | undefined): number {
  return stages.flatMap(indicesOf).reduce((total, e) => total + laneCost(e, along), 0);
}

/** The axis along which most elements are neighbours; the last of several. */
export function bestAxis(
  axes: readonly LoopAxis[],
  stages: readonly StageForm[],
): LoopAxis | undefined {
  let best: LoopAxis | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const axis of axes) {
    const cost = (costAlong(stages, axis) + 1) / Math.min(axis.extent, lanes);
    if (cost > least) continue;
    [best, least] = [axis, cost];
  }
  return best;
}

/** The outer axis that lanes should run along, or undefined where they should run along the axes of each stage. */
export function lanesAcross(form: KernelForm): LoopAxis | undefined {
  const across = bestAxis(form.outer, form.stages);
  if (across === undefined || across.extent < 4) return undefined;
  let [inside, outside] = [0, 0];
  for (const stage of form.stages) {
    const points = product(stage.inner);
    const along = bestAxis(stage.inner, [stage]);
    const ordered = stage.reductions.filter((of) => spreads(stage, of)).length;
    const cost = (axis: LoopAxis | undefined): number => costAlong([stage], axis) + 1;
    inside += (points * cost(along)) / Math.min(along?.extent ?? 1, lanes);
    inside += stage.reductions.length * 10;
    const each = points * (cost(across) + 1 + 2 * ordered) + ordered * 30;
    outside += each / Math.min(across.extent, lanes);
  }
  return outside < inside ? across : undefined;
}

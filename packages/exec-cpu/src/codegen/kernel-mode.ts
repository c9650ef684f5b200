/**
 * Which way the lanes of a kernel run: along the last axis of each stage, the flattened index of a reduction
 * included ("inner"); along the kernel's last outer axis, all stages inside ("outer"); or not at all.
 */
import { isOrdered } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import { indicesOf, type KernelForm, type LoopAxis, type StageForm } from "./kernel-form.ts";
import { lanesIn } from "./kernel-lanes.ts";

export type Mode = "inner" | "outer" | "scalar";

export const product = (axes: readonly LoopAxis[]): number =>
  axes.reduce((total, { extent }) => total * extent, 1);

export const reduces = ({ stages }: KernelForm): boolean =>
  stages.some(({ reductions }) => reductions.length > 0);

/** Rough cost of fetching four lanes of `e` along an axis, in vector loads. */
function laneCost(e: IndexExpr, along: LoopAxis | undefined): number {
  if (along === undefined) return 4;
  const reads = `a${along.axis}:`;
  if (!e.key.includes(reads)) return 0.3;
  const terms = e.k === "sum" ? e.terms : [{ factor: 1, of: e }];
  const direct = terms.find(({ of }) => of.k === "axis" && of.axis === along.axis);
  return direct !== undefined && direct.factor === 1 ? 1 : 4;
}

function cost(stage: StageForm, along: LoopAxis | undefined): number {
  return indicesOf(stage).reduce((total, e) => total + laneCost(e, along), 0);
}

export function modeOf(form: KernelForm): Mode {
  if (lanesIn(form) === undefined) return "scalar";
  const across = form.outer.at(-1);
  if (!reduces(form) && form.stages.every(({ inner }) => inner.length === 0)) return "outer";
  if (across === undefined || across.extent < 4) return "inner";
  let inner = 0;
  let outer = 0;
  for (const stage of form.stages) {
    const points = product(stage.inner);
    const along = stage.inner.at(-1);
    const ordered = stage.reductions.filter(isOrdered).length;
    const blocks = along === undefined ? 1 : (points / along.extent) * Math.ceil(along.extent / 4);
    inner += blocks * (cost(stage, along) + 1) + stage.reductions.length * 12;
    outer += (points * (cost(stage, across) + 1 + 2 * ordered) + ordered * 30) / 4;
  }
  return outer < inner ? "outer" : "inner";
}

/**
 * Which way the lanes of a kernel run: along the last axis of each stage, the flattened index of a reduction
 * included ("inner"); along the kernel's last outer axis, all stages inside ("outer"); or not at all.
 */
import { isOrdered } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { LaneCount } from "../wasm/vector-lanes.ts";
import {
  indicesOf,
  type KernelForm,
  type LoopAxis,
  type StageForm,
  spreads,
} from "./kernel-form.ts";
import { lanesIn } from "./kernel-lanes.ts";

export type Mode = "inner" | "outer" | "scalar";

export const product = (axes: readonly LoopAxis[]): number =>
  axes.reduce((total, { extent }) => total * extent, 1);

export const reduces = ({ stages }: KernelForm): boolean =>
  stages.some(({ reductions }) => reductions.length > 0);

/** Rough cost of fetching the lanes of a vector of `e` along an axis, in vector loads. */
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

/** How a kernel goes, and the lanes of its vectors. */
export interface Ways {
  readonly mode: Mode;
  readonly lanes: LaneCount;
}

export function waysOf(form: KernelForm): Ways {
  const [within, between] = [lanesIn(form, "inner"), lanesIn(form, "outer")];
  const inner: Ways | undefined = within && { mode: "inner", lanes: within };
  const outer: Ways | undefined = between && { mode: "outer", lanes: between };
  const across = form.outer.at(-1);
  if (!reduces(form) && form.stages.every((stage) => stage.inner.length === 0)) {
    return outer ?? scalar;
  }
  if (across === undefined || across.extent < 4 || outer === undefined) return inner ?? scalar;
  if (inner === undefined) return outer;
  return costAcross(form, across, outer.lanes) < costWithin(form, inner.lanes) ? outer : inner;
}

const scalar: Ways = { mode: "scalar", lanes: 4 };

/** Cost of a point whose vectors run along its rows. */
function costWithin({ stages }: KernelForm, lanes: LaneCount): number {
  let total = 0;
  for (const stage of stages) {
    const along = stage.inner.at(-1);
    const rows = along === undefined ? 1 : product(stage.inner) / along.extent;
    const blocks = along === undefined ? 1 : rows * Math.ceil(along.extent / lanes);
    total += blocks * (cost(stage, along) + 1);
    for (const of of stage.reductions) {
      const isChain = isOrdered(of) && !spreads(stage, of);
      total += isChain ? 2 * product(stage.inner) : 12;
    }
  }
  return total;
}

/** Cost of a point of a vector of points. */
function costAcross({ stages }: KernelForm, across: LoopAxis, lanes: LaneCount): number {
  let total = 0;
  for (const stage of stages) {
    const ordered = stage.reductions.filter((of) => spreads(stage, of)).length;
    const points = product(stage.inner);
    total += points * (cost(stage, across) + 1 + 2 * ordered) + ordered * 30;
  }
  return total / lanes;
}

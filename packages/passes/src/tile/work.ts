/** How much there is to do in a step, in operations: enough to weigh one step against another. */
import type { Step } from "@gridfuse/plan";
import { expandedCount } from "../fuse/leaves.ts";

const product = (extents: readonly number[]): number => extents.reduce((n, e) => n * e, 1);

/** Points of a step's own domain, those of all its stages. */
export function pointsOf(step: Step): number {
  if (step.kind !== "kernel") return workOf(step);
  return product(step.axes) * step.stages.reduce((n, { axes }) => n + product(axes), 0);
}

export const workOfAll = (steps: readonly Step[]): number =>
  steps.reduce((work, step) => work + workOf(step), 0);

export function workOf(step: Step): number {
  switch (step.kind) {
    case "kernel":
      return (
        product(step.axes) *
        step.stages.reduce((n, { axes, nodes }) => n + product(axes) * expandedCount(nodes), 0)
      );
    case "scatter":
      return product(step.axes) * expandedCount(step.nodes);
    case "dot":
      return 2 * product([...step.batch, ...step.m, ...step.n, ...step.k]);
    case "copy":
      return step.length;
    case "sort":
    case "scan":
      return step.outer * step.extent * step.inner;
    case "topk":
      return step.outer * step.extent;
    case "loop":
    case "tile":
      return step.trips * workOfAll(step.body);
    case "while":
      return workOfAll(step.condition) + workOfAll(step.body);
    case "branch":
      return Math.max(0, ...step.branches.map(workOfAll));
    case "print":
      return 0;
    default:
      return step satisfies never;
  }
}

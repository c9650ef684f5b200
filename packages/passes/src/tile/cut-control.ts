/**
 * Loops and branches cut from outside: what is in them is cut, and the tile encloses them. What every round makes and every
 * tile wants whole, as the keys of a block of attention are, every tile makes for itself where that is little beside its work.
 */
import type { BranchStep, LoopStep, Stage, Step, WhileStep } from "@gridfuse/plan";
import { accessesOf } from "../plan/accesses.ts";
import { cutAxes, mapStage, renumbering } from "./axes.ts";
import {
  addLoads,
  type Cut,
  type CutContext,
  type CutStep,
  isCut,
  repeated,
  type Uncut,
} from "./cut-step.ts";
import { Uses } from "./uses.ts";
import { workOfAll } from "./work.ts";

interface CutSteps {
  readonly steps: readonly Step[];
  readonly uses: Uses;
}

/** What all tiles together do more than once may be so much of what they do at all. */
const mostRepeated = 1 / 8;

function cutAll(steps: readonly Step[], context: CutContext, cutStep: Cut): CutSteps | Uncut {
  const again = new Set<Step>();
  for (;;) {
    const cut = cutEach(steps, context, again, cutStep);
    if (typeof cut === "string") return cut;
    const shared = cut.uses.conflict();
    if (shared === undefined) return cut;
    const makers = steps.filter((step) => accessesOf(step).writes.has(shared));
    if (makers.length === 0 || makers.some((step) => again.has(step))) return cut;
    if (context.buffers[shared]?.kind !== "temporary") return cut;
    for (const step of makers) again.add(step);
    const more = workOfAll([...again]) * (context.trips - 1);
    if (more > workOfAll(steps) * mostRepeated) return cut;
  }
}

/** Every step cut, but for those that every tile does as a whole. */
function cutEach(
  steps: readonly Step[],
  context: CutContext,
  again: ReadonlySet<Step>,
  cutStep: Cut,
): CutSteps | Uncut {
  const uses = new Uses();
  const done: Step[] = [];
  for (const step of steps) {
    const cut = again.has(step) ? repeated(step) : cutStep(step, context);
    if (cut === undefined || !isCut(cut)) {
      return `in it "${step.name}" cannot be cut: ${cut ?? "every tile would need all of it"}`;
    }
    uses.addAll(cut.uses);
    done.push(cut.step);
  }
  return { steps: done, uses };
}

export function cutLoop(step: LoopStep, context: CutContext, cutStep: Cut): CutStep | Uncut {
  const body = cutAll(step.body, context, cutStep);
  if (typeof body === "string") return body;
  return { step: { ...step, body: body.steps }, uses: body.uses };
}

/** Branches of which all tiles take the same one. */
export function cutBranch(step: BranchStep, context: CutContext, cutStep: Cut): CutStep | Uncut {
  const uses = new Uses();
  uses.add(step.selector, { own: false, read: true });
  const branches: (readonly Step[])[] = [];
  for (const branch of step.branches) {
    const cut = cutAll(branch, context, cutStep);
    if (typeof cut === "string") return cut;
    uses.addAll(cut.uses);
    branches.push(cut.steps);
  }
  return { step: { ...step, branches }, uses };
}

/**
 * All tiles may go on equally long, by a predicate that each computes for itself. Or the loop goes on while any lane
 * does: then a tile goes on while any lane of its own does, since finished lanes do not change.
 */
export function cutWhile(step: WhileStep, context: CutContext, cutStep: Cut): CutStep | Uncut {
  const uses = new Uses();
  uses.add(step.predicate, { own: false, read: true });
  const condition: Step[] = [];
  let byLanes = false;
  for (const inner of step.condition) {
    const writes = accessesOf(inner).writes.has(step.predicate);
    const some =
      writes && context.laneLoops.has(step.predicate) ? cutAny(inner, context) : undefined;
    byLanes ||= some !== undefined;
    const cut = some ?? cutStep(inner, context);
    if (!isCut(cut)) return `in it "${inner.name}" cannot be cut: ${cut}`;
    uses.addAll(cut.uses);
    condition.push(cut.step);
  }
  const body = cutAll(step.body, context, cutStep);
  if (typeof body === "string") return body;
  uses.addAll(body.uses);
  if (byLanes) {
    for (const [buffer, use] of uses.byBuffer) {
      if (use.repeated && buffer !== step.predicate) return "its tiles share what a round computes";
    }
    if (readsOf([...step.condition, ...step.body]).has(step.predicate))
      return "its predicate is read";
  }
  return { step: { ...step, condition, body: body.steps }, uses };
}

function readsOf(steps: readonly Step[]): Set<number> {
  return new Set(steps.flatMap((step) => [...accessesOf(step).reads]));
}

/** Kernel that says whether any point of its first stage has a property: of some points. */
function cutAny(step: Step, context: CutContext): CutStep | undefined {
  if (step.kind !== "kernel" || step.axes.length > 0 || step.stages.length !== 2) return undefined;
  const [fold, last] = step.stages as readonly [Stage, Stage];
  const [reduction] = fold.reductions;
  const [write] = last.writes;
  if (fold.reductions.length !== 1 || reduction?.op !== "or" || reduction.dtype !== "bool")
    return undefined;
  if (fold.writes.length > 0 || last.writes.length !== 1 || write === undefined) return undefined;
  if (last.axes.length > 0 || write.guard.length > 0) return undefined;
  if (last.nodes[write.value]?.op !== "reduced") return undefined;
  const axes = cutAxes(fold.axes, context);
  if (axes === undefined) return undefined;
  const stage = mapStage(fold, axes.extents, renumbering(axes, context));
  const uses = new Uses();
  addLoads(uses, stage.nodes, context);
  uses.add(write.buffer, { own: false, repeated: true });
  return { step: { ...step, stages: [stage, last] }, uses };
}

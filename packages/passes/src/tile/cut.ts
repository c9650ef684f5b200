/**
 * One step as one tile's part of it. What a step has outermost is cut: a kernel's leading axes, a product's batch and rows,
 * the rows of a sort, a stretch of a copy. Loops are cut by cutting what is in them, so the tile encloses the loop.
 */
import type { KernelStep, ScatterStep, Stage, Step } from "@gridfuse/plan";
import { plainGuards } from "../fuse/stage.ts";
import { accessesOf } from "../plan/accesses.ts";
import {
  type CutAxes,
  cutAxes,
  cutAxis,
  cutRagged,
  mapLoads,
  mapNodes,
  mapStage,
  mapWrites,
  renumbering,
} from "./axes.ts";
import { cutBranch, cutLoop, cutWhile } from "./cut-control.ts";
import { cutCopy, cutDot, cutDotAlongSum, cutRows } from "./cut-library.ts";
import {
  addLoads,
  type CutContext,
  type CutStep,
  isCut,
  repeated,
  type Uncut,
} from "./cut-step.ts";
import { areApart, partLength, reachOf, strideOfAxis, Uses } from "./uses.ts";
import { pointsOf } from "./work.ts";

export function cutStep(step: Step, context: CutContext): CutStep | Uncut {
  const cut = cutAlone(step, context);
  // Parts of updates are in order within one turn of a loop, not over all of them.
  if (isCut(cut) && cut.uses.isOrdered && hasInner(step)) {
    return "the order of its updates would change";
  }
  if (isCut(cut) && cut.uses.conflict() === undefined) return cut;
  const repeated = repeat(step, context);
  if (repeated !== undefined) return repeated;
  if (!isCut(cut)) return cut;
  return "it reads or writes across tiles";
}

const hasInner = ({ kind }: Step): boolean =>
  kind === "loop" || kind === "while" || kind === "branch";

/** Other ways to cut a step, where the usual one does not fit what other steps make: the cheapest first. */
export function* otherWays(step: Step, context: CutContext): Generator<CutStep> {
  switch (step.kind) {
    case "kernel": {
      const domain = isPlain(step) ? (step.stages[0] as Stage).axes : step.axes;
      for (let axis = 1; axis < domain.length; axis += 1) {
        yield* sound(cutKernelBy(step, cutAxis(domain, axis, context), context));
      }
      for (const own of partsRead(step, context)) {
        yield* sound(cutKernelBy(step, cutRagged(domain, own, context), context));
      }
      return;
    }
    case "dot":
      yield* sound(cutDotAlongSum(step, context));
      return;
    default:
  }
}

function* sound(cut: CutStep | undefined): Generator<CutStep> {
  if (cut !== undefined && cut.uses.conflict() === undefined) yield cut;
}

function cutAlone(step: Step, context: CutContext): CutStep | Uncut {
  switch (step.kind) {
    case "kernel":
      return cutKernel(step, context);
    case "scatter":
      return cutScatter(step, context);
    case "dot":
      return cutDot(step, context);
    case "copy":
      return cutCopy(step, context);
    case "sort":
      return cutRows(step, step.inputs, step.outputs, context);
    case "topk":
      return cutRows(step, [step.input], [step.values, step.indices], context);
    case "scan":
      return cutRows(step, [step.input], [step.output], context);
    case "loop":
      return cutLoop(step, context, cutStep);
    case "while":
      return cutWhile(step, context, cutStep);
    case "branch":
      return cutBranch(step, context, cutStep);
    case "print":
      return "it prints";
    case "tile":
      return "it is cut already";
    default:
      return step satisfies never;
  }
}

/** The whole step, done by every tile for itself: what it writes is small. */
function repeat(step: Step, context: CutContext): CutStep | undefined {
  const { buffers, lengthOf, small } = context;
  for (const buffer of accessesOf(step).writes) {
    if (buffers[buffer]?.kind !== "temporary" || lengthOf(buffer) > small) return undefined;
  }
  return pointsOf(step) > small ** 2 ? undefined : repeated(step);
}

/** What a stage reads and writes. */
type StageAccesses = Pick<Stage, "nodes" | "writes">;

function usesOfStages(stages: readonly StageAccesses[], context: CutContext): Uses {
  const uses = new Uses();
  for (const { nodes, writes } of stages) {
    addLoads(uses, nodes, context);
    for (const write of writes) {
      uses.add(write.buffer, { ...reachOf(context, write.buffer, write), written: true });
    }
  }
  for (const [buffer, use] of uses.byBuffer) {
    // A temporary would stay whole, so that nothing were gained.
    if (use.own || use.read || context.buffers[buffer]?.kind === "temporary") continue;
    const writes = stages.flatMap((stage) => stage.writes.filter((w) => w.buffer === buffer));
    use.apart = areApart(context, writes);
  }
  return uses;
}

// ── Kernels ─────────────────────────────────────────────────────────────────────────────────

/** Whether every point is for itself: what the kernel has of axes is its only stage's. */
const isPlain = ({ axes, stages }: KernelStep): boolean =>
  axes.length === 0 && stages.length === 1 && (stages[0] as Stage).reductions.length === 0;

function cutKernel(step: KernelStep, context: CutContext): CutStep | Uncut {
  const domain = isPlain(step) ? (step.stages[0] as Stage).axes : step.axes;
  const cut = cutKernelBy(step, cutAxes(domain, context), context);
  if (cut !== undefined) return cut;
  if (isPlain(step)) return `its domain [${domain.join(", ")}] has no equal parts`;
  return domain.length === 0
    ? "it folds the axis"
    : `its [${domain.join(", ")}] rows have no equal parts`;
}

function cutKernelBy(
  step: KernelStep,
  axes: CutAxes | undefined,
  context: CutContext,
): CutStep | undefined {
  if (axes === undefined) return undefined;
  const { extents, inside } = axes;
  const map = renumbering(axes, context);
  const accesses = step.stages.map(({ nodes, writes }) => ({
    nodes: mapLoads(nodes, map, inside),
    writes: mapWrites(writes, map, inside),
  }));
  const isWhole = isPlain(step);
  let made: KernelStep | undefined;
  return {
    uses: usesOfStages(accesses, context),
    get step() {
      made ??= {
        ...step,
        axes: isWhole ? step.axes : extents,
        stages: step.stages.map((stage) =>
          mapStage(stage, isWhole ? extents : stage.axes, map, inside),
        ),
      };
      return made;
    },
  };
}

/** How much of its first axis a tile would take, for it to read its own part of some buffer. */
function partsRead({ stages }: KernelStep, context: CutContext): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { nodes } of stages) {
    for (const node of nodes) {
      if (node.op !== "load") continue;
      const part = partLength(context, node.buffer);
      const stride = strideOfAxis(node.index, 0);
      if (part !== undefined && stride > 0 && part % stride === 0) found.add(part / stride);
    }
  }
  return found;
}

function cutScatter(step: ScatterStep, context: CutContext): CutStep | Uncut {
  const axes = cutAxes(step.axes, context);
  if (axes === undefined) return "its updates have no equal parts";
  const map = renumbering(axes, context);
  const nodes = mapNodes(step.nodes, map);
  const { index, guard } = step.write;
  const write = { ...step.write, index: map(index), guard: plainGuards(guard, map) };
  const uses = new Uses();
  addLoads(uses, nodes, context);
  const { own, strays } = reachOf(context, write.buffer, write);
  // Updates may go anywhere: parts of them are done in order, if nothing else touches what they update.
  const ordered = !own && !uses.byBuffer.has(write.buffer);
  uses.add(write.buffer, { own, strays, ordered, read: true, written: true });
  return { step: { ...step, axes: axes.extents, nodes, write }, uses };
}

/**
 * fuse, last part: neighbouring kernels over one domain become one kernel with several outputs.
 *
 * Siblings that read the same arrays share the loads; a kernel that reads what the other wrote, at
 * the very place it was written, takes the value instead. What nobody reads any more is not written.
 */
import type { DType, KernelStep, PlanBuffer, SortStep, Stage, Step } from "@gridfuse/plan";
import { type LoadNode, ScalarBuilder } from "@gridfuse/plan/scalar";
import { accessesOf, accessesOfAll, mapInner } from "../plan/accesses.ts";
import { hasTemporaries } from "../plan/temporaries.ts";
import { appendNodes, movedWrite, takesValues } from "./append-nodes.ts";
import { joinStages } from "./join-stages.ts";
import { exceed, leavesOf } from "./leaves.ts";
import { dropDead } from "./rewrite-stage.ts";
import { sameExtents } from "./stage.ts";

const lookBack = 24;
const maxNodes = 256;

export function mergeKernels(steps: readonly Step[]): readonly Step[] {
  if (steps.length === 1 && steps[0]?.kind === "kernel") return steps;
  const merger = new Merger();
  for (const given of steps) merger.add(mapInner(given, mergeKernels));
  return merger.steps;
}

interface Partner {
  readonly at: number;
  readonly joined: KernelStep;
}

/** A list of steps under construction. */
class Merger {
  readonly steps: Step[] = [];
  /** The nodes of kernels that were joined here, to go on with. */
  readonly #builders = new Map<KernelStep, ScalarBuilder>();

  add(step: Step): void {
    const partner = step.kind === "kernel" ? this.#findPartner(step) : undefined;
    if (partner === undefined) this.steps.push(step);
    else this.steps[partner.at] = partner.joined;
  }

  /**
   * An earlier kernel that `kernel` can join: they read something in common, or one reads what the other writes; and no
   * order between them, or with anything in between, is lost.
   */
  #findPartner(kernel: KernelStep): Partner | undefined {
    const { steps } = this;
    const own = accessesOf(kernel);
    const first = Math.max(0, steps.length - lookBack);
    for (let i = steps.length - 1; i >= first; i -= 1) {
      const other = steps[i] as Step;
      const theirs = accessesOf(other);
      const overwrites = meet(own.writes, theirs.reads) || meet(own.writes, theirs.writes);
      const takes = meet(theirs.writes, own.reads);
      if (other.kind === "kernel" && !overwrites && (takes || meet(theirs.reads, own.reads))) {
        const joined = this.#join(other, kernel);
        if (joined !== undefined) return { at: i, joined };
      }
      if (overwrites || takes) return undefined;
    }
    return undefined;
  }

  #join(earlier: KernelStep, later: KernelStep): KernelStep | undefined {
    const strangers = apart.get(earlier);
    if (strangers?.has(later)) return undefined;
    const joined = canJoin(earlier, later)
      ? this.#merge(earlier, later)
      : joinStages(earlier, later);
    if (joined !== undefined) return joined;
    if (strangers === undefined) apart.set(earlier, new WeakSet([later]));
    else strangers.add(later);
    return undefined;
  }

  /** Everything that either does; `earlier` is used up, for its nodes may be those of the joined kernel. */
  #merge(earlier: KernelStep, later: KernelStep): KernelStep {
    const [a, b] = [earlier.stages[0] as Stage, later.stages[0] as Stage];
    const builder = this.#builders.get(earlier) ?? ScalarBuilder.from(a.nodes);
    const moved = appendNodes(
      builder,
      b.nodes,
      (e) => e,
      undefined,
      (node) => (node.op === "load" ? forwarded(a, node) : undefined),
    );
    const stage: Stage = {
      axes: a.axes,
      nodes: builder.nodes,
      reductions: [],
      writes: [...a.writes, ...b.writes.map((write) => movedWrite(write, moved))],
    };
    const joined: KernelStep = { ...earlier, stages: [stage] };
    this.#builders.delete(earlier);
    this.#builders.set(joined, builder);
    return joined;
  }
}

function meet(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  if (b.size < a.size) return meet(b, a);
  for (const each of a) if (b.has(each)) return true;
  return false;
}

/** Kernels that do not go together, by the earlier one: nothing changes that, for kernels are never edited. */
const apart = new WeakMap<KernelStep, WeakSet<KernelStep>>();

function canJoin(earlier: KernelStep, later: KernelStep): boolean {
  const [a, b] = [earlier.stages[0] as Stage, later.stages[0] as Stage];
  if (earlier.stages.length !== 1 || later.stages.length !== 1) return false;
  if (!sameExtents(earlier.axes, later.axes) || !sameExtents(a.axes, b.axes)) return false;
  if (exceed(maxNodes, [a, b])) return false;
  const { writes } = accessesOf(earlier);
  return leavesOf(b.nodes).loads.every((at) => {
    const load = b.nodes[at] as LoadNode;
    return !writes.has(load.buffer) || forwarded(a, load) !== undefined;
  });
}

/**
 * The node of `stage` whose value was written exactly where `load` reads. Places that are computed have no name in both,
 * and where a guard fails a load gives something else than what is there.
 */
function forwarded(stage: Stage, load: LoadNode): number | undefined {
  if (load.guard.length > 0 || takesValues(load.index)) return undefined;
  const write = stage.writes.find(
    ({ buffer, index, guard, dtype }) =>
      buffer === load.buffer &&
      index.key === load.index.key &&
      guard.length === 0 &&
      dtype === load.dtype,
  );
  return write?.value;
}

/** Drops writes to temporaries that nobody reads, and steps that then do nothing. */
export function dropDeadWrites(
  steps: readonly Step[],
  buffers: readonly PlanBuffer[],
): readonly Step[] {
  return hasTemporaries(buffers) ? dropUnread(steps, buffers) : steps;
}

function dropUnread(steps: readonly Step[], buffers: readonly PlanBuffer[]): readonly Step[] {
  const { reads } = accessesOfAll(steps);
  const wanted = (buffer: number): boolean =>
    buffers[buffer]?.kind !== "temporary" || reads.has(buffer);
  let changed = false;
  const prune = (list: readonly Step[]): Step[] =>
    list.flatMap((given): Step[] => {
      const step = mapInner(given, prune);
      const { writes } = accessesOf(step);
      if (writes.size > 0 && ![...writes].some(wanted) && !prints(step)) {
        changed = true;
        return [];
      }
      if (step.kind === "sort") {
        const kept = keepOutputs(step, wanted);
        changed ||= kept !== step;
        return [kept];
      }
      if (step.kind !== "kernel") return [step];
      if (step.stages.every((stage) => stage.writes.every((write) => wanted(write.buffer)))) {
        return [step];
      }
      changed = true;
      const stages = step.stages.map((stage) =>
        dropDead({ ...stage, writes: stage.writes.filter((write) => wanted(write.buffer)) }),
      );
      return [{ ...step, stages }];
    });
  const result = prune(steps);
  return changed ? dropUnread(result, buffers) : result;
}

/** A sort without the results that nobody wants, and without the operands that only those carried. */
function keepOutputs(step: SortStep, wanted: (buffer: number) => boolean): SortStep {
  const { keys, inputs, dtypes, sources, outputs } = step;
  const kept = [...outputs.keys()].filter((i) => wanted(outputs[i] as number));
  if (kept.length === outputs.length) return step;
  const keptSources = kept.map((i) => sources[i] as number);
  const operands = [...inputs.keys()].filter((i) => i < keys || keptSources.includes(i));
  return {
    ...step,
    inputs: operands.map((i) => inputs[i] as number),
    dtypes: operands.map((i) => dtypes[i] as DType),
    sources: keptSources.map((source) =>
      source === inputs.length ? operands.length : operands.indexOf(source),
    ),
    outputs: kept.map((i) => outputs[i] as number),
  };
}

function prints(step: Step): boolean {
  switch (step.kind) {
    case "print":
      return true;
    case "loop":
    case "tile":
      return step.body.some(prints);
    case "while":
      return step.condition.some(prints) || step.body.some(prints);
    case "branch":
      return step.branches.some((branch) => branch.some(prints));
    default:
      return false;
  }
}

/**
 * Makes results where they are wanted: `T = …; copy T → C` becomes `C = …` when nothing else reads T
 * and nobody looks at C in between. This is what lets a loop update its carries in place.
 */
import type { CopyStep, KernelStep, PlanBuffer, Step } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { accessesOf, mapInner } from "../plan/accesses.ts";
import { hasTemporaries } from "../plan/temporaries.ts";
import { sameExtents } from "./stage.ts";

export function elideCopies(
  steps: readonly Step[],
  buffers: readonly PlanBuffer[],
): readonly Step[] {
  return hasTemporaries(buffers) ? elideThrough(steps, buffers) : steps;
}

function elideThrough(steps: readonly Step[], buffers: readonly PlanBuffer[]): readonly Step[] {
  const readers = countReaders(steps);
  const elide = (list: readonly Step[]): Step[] => {
    const result: Step[] = list.map((step) => mapInner(step, elide));
    const writers = countWriters(result);
    for (let at = 0; at < result.length; at += 1) {
      const step = result[at] as Step;
      if (step.kind !== "copy") continue;
      const made = producerFor(result, at, step, buffers, readers, writers);
      if (made === undefined) continue;
      result[made] = retarget(result[made] as Step, step);
      writers.delete(step.from);
      result.splice(at, 1);
      at -= 1;
    }
    return result;
  };
  return elide(steps);
}

function countReaders(steps: readonly Step[]): Map<number, number> {
  const counts = new Map<number, number>();
  const visit = (list: readonly Step[]): void => {
    for (const step of list) {
      switch (step.kind) {
        case "loop":
        case "tile":
          visit(step.body);
          break;
        case "while":
          visit(step.condition);
          visit(step.body);
          counts.set(step.predicate, 2);
          break;
        case "branch":
          counts.set(step.selector, 2);
          for (const branch of step.branches) visit(branch);
          break;
        default:
          for (const buffer of accessesOf(step).reads) {
            counts.set(buffer, (counts.get(buffer) ?? 0) + 1);
          }
      }
    }
  };
  visit(steps);
  return counts;
}

/** How many steps of a list write each buffer. */
function countWriters(steps: readonly Step[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const step of steps) {
    for (const buffer of accessesOf(step).writes) counts.set(buffer, (counts.get(buffer) ?? 0) + 1);
  }
  return counts;
}

/** Index of the step in the same list that could write straight to the copy's target. */
function producerFor(
  steps: readonly Step[],
  at: number,
  copy: CopyStep,
  buffers: readonly PlanBuffer[],
  readers: ReadonlyMap<number, number>,
  writers: ReadonlyMap<number, number>,
): number | undefined {
  const source = buffers[copy.from] as PlanBuffer;
  const wholeSource =
    source.kind === "temporary" &&
    source.length === copy.length &&
    copy.fromIndex.k === "const" &&
    copy.fromIndex.value === 0;
  if (!wholeSource || readers.get(copy.from) !== 1 || buffers[copy.to]?.kind === "input") {
    return undefined;
  }
  if (writers.get(copy.from) !== 1) return undefined;
  for (let i = at - 1; i >= 0; i -= 1) {
    const step = steps[i] as Step;
    const { reads, writes } = accessesOf(step);
    if (writes.has(copy.from)) {
      return canRetarget(step, copy) ? i : undefined;
    }
    if (reads.has(copy.to) || writes.has(copy.to)) return undefined;
  }
  return undefined;
}

function canRetarget(step: Step, copy: CopyStep): boolean {
  if (step.kind === "dot") return !accessesOf(step).reads.has(copy.to);
  if (step.kind !== "kernel" || accessesOf(step).writes.has(copy.to)) return false;
  // Reading the target is fine where every element is read only by the point that writes it.
  return !accessesOf(step).reads.has(copy.to) || readsOnlyOwn(step, copy);
}

/**
 * Whether every outer point reads of the target only what it overwrites itself, and has read it by then: each element in
 * the stage that writes it, or all of them in a stage before.
 */
function readsOnlyOwn({ axes, stages }: KernelStep, copy: CopyStep): boolean {
  const writes = stages.flatMap((stage, at) =>
    stage.writes.flatMap((write) => (write.buffer === copy.from ? [{ write, stage, at }] : [])),
  );
  const [only] = writes;
  if (only === undefined || writes.length > 1 || only.write.guard.length > 0) return false;
  const target = ix.add(only.write.index, copy.toIndex);
  return stages.every((stage, at) =>
    stage.nodes.every((node) => {
      if (node.op !== "load" || node.buffer !== copy.to) return true;
      if (at < only.at && axes.length === 0) return true;
      const isOwn = node.index.key === target.key && sameExtents(stage.axes, only.stage.axes);
      // A stage that folds and writes may do the one after the other.
      return isOwn && (at < only.at || (at === only.at && stage.reductions.length === 0));
    }),
  );
}

function retarget(step: Step, copy: CopyStep): Step {
  if (step.kind === "dot") {
    return {
      ...step,
      out: { ...step.out, buffer: copy.to, base: ix.add(step.out.base, copy.toIndex) },
    };
  }
  if (step.kind !== "kernel") return step;
  return {
    ...step,
    stages: step.stages.map((stage) => ({
      ...stage,
      writes: stage.writes.map((write) =>
        write.buffer === copy.from
          ? { ...write, buffer: copy.to, index: ix.add(write.index, copy.toIndex) }
          : write,
      ),
    })),
  };
}

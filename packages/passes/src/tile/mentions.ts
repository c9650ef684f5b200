/** Who mentions which buffer: steps with steps in them do it by those. */
import type { Step } from "@gridfuse/plan";
import { type Accesses, accessesOf } from "../plan/accesses.ts";

/** Whether two steps may change places. */
export function areFree(a: Step, b: Step): boolean {
  const [p, q] = [accessesOf(a), accessesOf(b)];
  const clear = (writes: ReadonlySet<number>, other: Accesses): boolean =>
    [...writes].every((buffer) => !other.reads.has(buffer) && !other.writes.has(buffer));
  return clear(p.writes, q) && clear(q.writes, p);
}

export function forEachLeaf(steps: readonly Step[], visit: (step: Step) => void): void {
  for (const step of steps) {
    switch (step.kind) {
      case "loop":
      case "tile":
        forEachLeaf(step.body, visit);
        break;
      case "while":
        forEachLeaf(step.condition, visit);
        forEachLeaf(step.body, visit);
        break;
      case "branch":
        for (const branch of step.branches) forEachLeaf(branch, visit);
        break;
      default:
        visit(step);
    }
  }
}

export function countLeaves(steps: readonly Step[]): number {
  let count = 0;
  forEachLeaf(steps, () => {
    count += 1;
  });
  return count;
}

/** How many steps without inner steps mention a buffer; selectors and predicates are mentioned by their makers. */
export function countMentions(steps: readonly Step[]): Map<number, number> {
  const counts = new Map<number, number>();
  const add = (buffer: number): void => {
    counts.set(buffer, (counts.get(buffer) ?? 0) + 1);
  };
  forEachLeaf(steps, (step) => {
    const { reads, writes } = accessesOf(step);
    for (const buffer of new Set([...reads, ...writes])) add(buffer);
  });
  return counts;
}

export function localsInside(steps: readonly Step[]): number[] {
  return steps.flatMap((step) => (step.kind === "tile" ? step.locals : []));
}

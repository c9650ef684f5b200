/**
 * Merges neighbouring axes of a kernel where every index expression allows it: an elementwise kernel
 * over [16, 131072] becomes one flat loop. Accepted when no new division appears; where the inner axis is
 * short, shifts and masks may.
 *
 * Only accesses change, and most of a stage's are alike: each kind is changed once, through all merges, and the nodes are
 * looked at when it is known how they come out.
 */
import { guardedInterval, type KernelStep } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type Access, AccessMap } from "./access-map.ts";
import { plainGuards } from "./guards.ts";
import { type IndexMap, merging } from "./index-maps.ts";
import { finishDraft, type KernelBuilder, type StageDraft } from "./stage.ts";

/** Inner extents up to which a shift or a mask in every index is cheaper than a short inner loop. */
const shortLoop = 64;

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

/** Divisions of `e`; those by powers of two are shifts and count only where they are not `free`. */
export function countDivisions(e: IndexExpr, free: boolean): number {
  switch (e.k) {
    case "const":
    case "axis":
    case "loop":
    case "value":
      return 0;
    case "sum": {
      let total = 0;
      for (const { of } of e.terms) total += countDivisions(of, free);
      return total;
    }
    case "floordiv":
    case "mod":
      return (free && isPowerOfTwo(e.by) ? 0 : 1) + countDivisions(e.of, free);
    default:
      return countDivisions(e.a, free) + countDivisions(e.b, free);
  }
}

/** The accesses after a merge over an inner axis of this extent; undefined where one gets dearer or less provable. */
function mapped(accesses: readonly Access[], inner: number, map: IndexMap): Access[] | undefined {
  const free = inner <= shortLoop && isPowerOfTwo(inner);
  const result: Access[] = [];
  for (const access of accesses) {
    const { guard } = access;
    const index = map(access.index);
    if (countDivisions(index, free) > countDivisions(access.index, free)) return undefined;
    for (const range of guard) {
      if (countDivisions(map(range.index), free) > countDivisions(range.index, free)) {
        return undefined;
      }
    }
    const after: Access = {
      index,
      guard: guard.length === 0 ? guard : plainGuards(guard, map),
    };
    if (!staysProvable(access, after)) return undefined;
    result.push(after);
  }
  return result;
}

const rangeOf = ({ index, guard }: Access): { readonly lo: number; readonly hi: number } =>
  guard.length === 0 ? index : guardedInterval(index, guard);

/** A range that grows could no longer be proven to lie in its buffer. */
function staysProvable(before: Access, after: Access): boolean {
  const [was, is] = [rangeOf(before), rangeOf(after)];
  return is.lo >= was.lo && is.hi <= was.hi;
}

export function collapseAxes(given: KernelStep): KernelStep {
  const drafts = given.stages.map(
    (stage): StageDraft => ({ stage, accesses: new AccessMap(stage), axes: stage.axes }),
  );
  const axes = collapseDrafts(drafts, given.axes);
  const isSame = axes === given.axes && drafts.every(({ stage, axes: own }) => own === stage.axes);
  return isSame ? given : { ...given, axes, stages: drafts.map(finishDraft) };
}

/** The kernel that `builder` has pulled together, over as few axes as can be. */
export function finishCollapsed(builder: KernelBuilder, name: string): KernelStep {
  const drafts = builder.drafts();
  const axes = collapseDrafts(drafts, builder.outerExtents());
  return { kind: "kernel", name, axes, stages: drafts.map(finishDraft) };
}

/** Axes that all stages of `drafts` share are `given`; those that they share then. */
function collapseDrafts(
  drafts: readonly StageDraft[],
  given: readonly number[],
): readonly number[] {
  const isUnit = (extent: number): boolean => extent === 1;
  const hasUnits = given.some(isUnit) || drafts.some(({ axes }) => axes.some(isUnit));
  const outer = collapseOuter(drafts, hasUnits ? dropUnits(drafts, given) : given);
  for (const draft of drafts) collapseInner(draft, outer.length);
  return outer;
}

function dropUnits(drafts: readonly StageDraft[], outer: readonly number[]): readonly number[] {
  const keep = (axes: readonly number[]): number[] => axes.filter((extent) => extent !== 1);
  for (const draft of drafts) {
    let next = 0;
    const numbers = [...outer, ...draft.axes].map((extent) => (extent === 1 ? -1 : next++));
    const map = (e: IndexExpr): IndexExpr =>
      ix.substitute(e, (leaf) =>
        leaf.k === "axis" ? ix.axis(numbers[leaf.axis] as number, leaf.hi + 1) : leaf,
      );
    draft.accesses.mapIndices(map);
    draft.axes = keep(draft.axes);
  }
  return keep(outer);
}

function collapseOuter(drafts: readonly StageDraft[], given: readonly number[]): readonly number[] {
  let outer = given;
  for (let i = outer.length - 2; i >= 0; i -= 1) {
    const pair = [outer[i], outer[i + 1]] as [number, number];
    const map = merging(i, pair[0], pair[1]);
    const merged: Access[][] = [];
    for (const { accesses } of drafts) {
      const after = mapped(accesses.current, pair[1], map);
      if (after === undefined) break;
      merged.push(after);
    }
    if (merged.length < drafts.length) continue;
    outer = [...outer.slice(0, i), pair[0] * pair[1], ...outer.slice(i + 2)];
    for (const [d, { accesses }] of drafts.entries()) accesses.current = merged[d] as Access[];
  }
  return outer;
}

/** A reduction's inner axes merge only in row-major order, which is what neighbours are. */
function collapseInner(draft: StageDraft, outer: number): void {
  for (let i = draft.axes.length - 2; i >= 0; i -= 1) {
    const { axes, accesses } = draft;
    const pair = [axes[i], axes[i + 1]] as [number, number];
    const after = mapped(accesses.current, pair[1], merging(outer + i, pair[0], pair[1]));
    if (after === undefined) continue;
    draft.axes = [...axes.slice(0, i), pair[0] * pair[1], ...axes.slice(i + 2)];
    accesses.current = after;
  }
}

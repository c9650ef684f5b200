/**
 * Merges neighbouring axes of a kernel where every index expression allows it: an elementwise kernel
 * over [16, 131072] becomes one flat loop. Accepted when no new division appears; where the inner axis is
 * short, shifts and masks may.
 */
import { guardedInterval, type KernelStep, type Stage } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";
import { plainGuards, rebuildStage, reindexed, remembered } from "./stage.ts";

interface Access {
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
}

/** Indices that are values, and accesses to memory; of those that are alike, one. */
function indicesOf(stage: Stage): readonly Access[] {
  const distinct = new Map<string, Access>();
  const add = (access: Access): void => {
    let key = access.index.key;
    for (const { index, lo, hi } of access.guard) key += `&${lo}<=${index.key}<${hi}`;
    if (!distinct.has(key)) distinct.set(key, access);
  };
  for (const node of stage.nodes) {
    if (node.op === "load") add(node);
    else if (node.op === "index") add({ index: node.index, guard: [] });
  }
  stage.writes.forEach(add);
  return [...distinct.values()];
}

/** Inner extents up to which a shift or a mask in every index is cheaper than a short inner loop. */
const shortLoop = 64;

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

/** Divisions of `e`; those by powers of two are shifts and count only where they are not `free`. */
export function countDivisions(e: IndexExpr, free: boolean): number {
  const count = (inner: IndexExpr): number => countDivisions(inner, free);
  switch (e.k) {
    case "const":
    case "axis":
    case "loop":
    case "value":
      return 0;
    case "sum":
      return e.terms.reduce((total, { of }) => total + count(of), 0);
    case "floordiv":
    case "mod":
      return (free && isPowerOfTwo(e.by) ? 0 : 1) + count(e.of);
    default:
      return count(e.a) + count(e.b);
  }
}

/** Axes i and i+1 of all stages in `stages` as one; `extents` are those two. */
function mergeMap(
  at: number,
  [upper, lower]: readonly [number, number],
): (e: IndexExpr) => IndexExpr {
  const flat = ix.axis(at, upper * lower);
  const high = ix.floordiv(flat, lower);
  const low = ix.mod(flat, lower);
  return remembered((e) =>
    ix.substitute(e, (leaf) => {
      if (leaf.k !== "axis" || leaf.axis < at) return leaf;
      if (leaf.axis === at) return high;
      if (leaf.axis === at + 1) return low;
      return ix.axis(leaf.axis - 1, leaf.hi + 1);
    }),
  );
}

/** Whether the expressions stay as cheap and as provable; `accesses` are all of a stage, each kind once. */
function allows(
  accesses: readonly Access[],
  inner: number,
  map: (e: IndexExpr) => IndexExpr,
): boolean {
  const free = inner <= shortLoop && isPowerOfTwo(inner);
  const cheap = (e: IndexExpr): boolean => countDivisions(map(e), free) <= countDivisions(e, free);
  return accesses.every(
    (access) =>
      cheap(access.index) &&
      access.guard.every(({ index }) => cheap(index)) &&
      staysProvable(access, map),
  );
}

/** A range that grows could no longer be proven to lie in its buffer. */
function staysProvable({ index, guard }: Access, map: (e: IndexExpr) => IndexExpr): boolean {
  const before = guardedInterval(index, guard);
  const after = guardedInterval(map(index), plainGuards(guard, map));
  return after.lo >= before.lo && after.hi <= before.hi;
}

function withoutUnits(kernel: KernelStep): KernelStep {
  const isUnit = (extent: number): boolean => extent === 1;
  if (!kernel.axes.some(isUnit) && !kernel.stages.some(({ axes }) => axes.some(isUnit))) {
    return kernel;
  }
  const keep = (axes: readonly number[]): number[] => axes.filter((extent) => extent !== 1);
  return {
    ...kernel,
    axes: keep(kernel.axes),
    stages: kernel.stages.map((stage) => {
      let next = 0;
      const numbers = [...kernel.axes, ...stage.axes].map((extent) =>
        isUnit(extent) ? -1 : next++,
      );
      const map = remembered((e) =>
        ix.substitute(e, (leaf) =>
          leaf.k === "axis" ? ix.axis(numbers[leaf.axis] as number, leaf.hi + 1) : leaf,
        ),
      );
      return reindexed(stage, map, keep(stage.axes));
    }),
  };
}

export function collapseAxes(given: KernelStep): KernelStep {
  const kernel = collapseInner(collapseOuter(withoutUnits(given)));
  if (kernel === given) return given;
  return { ...kernel, stages: kernel.stages.map((stage) => rebuildStage(stage, (e) => e)) };
}

function collapseOuter(given: KernelStep): KernelStep {
  let kernel = given;
  for (let i = kernel.axes.length - 2; i >= 0; i -= 1) {
    const pair = [kernel.axes[i], kernel.axes[i + 1]] as [number, number];
    const map = mergeMap(i, pair);
    if (!kernel.stages.every((stage) => allows(indicesOf(stage), pair[1], map))) continue;
    kernel = {
      ...kernel,
      axes: [...kernel.axes.slice(0, i), pair[0] * pair[1], ...kernel.axes.slice(i + 2)],
      stages: kernel.stages.map((stage) => reindexed(stage, map, stage.axes)),
    };
  }
  return kernel;
}

/** A reduction's inner axes merge only in row-major order, which is what neighbours are. */
function collapseInner(kernel: KernelStep): KernelStep {
  const stages = kernel.stages.map((stage) => collapseStage(stage, kernel.axes.length));
  const changed = stages.some((stage, i) => stage !== kernel.stages[i]);
  return changed ? { ...kernel, stages } : kernel;
}

function collapseStage(given: Stage, outer: number): Stage {
  let stage = given;
  for (let i = stage.axes.length - 2; i >= 0; i -= 1) {
    const pair = [stage.axes[i], stage.axes[i + 1]] as [number, number];
    const map = mergeMap(outer + i, pair);
    if (!allows(indicesOf(stage), pair[1], map)) continue;
    const axes = [...stage.axes.slice(0, i), pair[0] * pair[1], ...stage.axes.slice(i + 2)];
    stage = reindexed(stage, map, axes);
  }
  return stage;
}

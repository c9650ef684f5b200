/**
 * One step as one tile's part of it. What a step has outermost is cut: a kernel's leading axes, a product's batch and rows,
 * the rows of a sort, a stretch of a copy. Loops are cut by cutting what is in them, so the tile encloses the loop.
 */
import type {
  BranchStep,
  CopyStep,
  DotStep,
  KernelStep,
  LoopStep,
  PlanBuffer,
  ScanStep,
  ScatterStep,
  SortStep,
  Stage,
  Step,
  Strided,
  TopKStep,
  WhileStep,
} from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import { plainGuards } from "../fuse/stage.ts";
import { accessesOf } from "../plan/accesses.ts";
import { partLength, type Reach, reachOf, type Tiling, tileIndex, Uses } from "./uses.ts";

export interface CutContext extends Tiling {
  readonly buffers: readonly PlanBuffer[];
  /** Predicates of `while` steps that go on as long as any lane does, and leave finished lanes as they are. */
  readonly laneLoops: ReadonlySet<number>;
  /** Elements up to which every tile may compute for itself what all of them need. */
  readonly small: number;
}

export interface CutStep {
  readonly step: Step;
  readonly uses: Uses;
}
/** Why a step cannot be cut. */
export type Uncut = string;

const isCut = (result: CutStep | Uncut): result is CutStep => typeof result !== "string";

export function cutStep(step: Step, context: CutContext): CutStep | Uncut {
  const cut = cutAlone(step, context);
  // Parts of updates are in order within one turn of a loop, not over all of them.
  if (isCut(cut) && cut.uses.isOrdered && step.kind !== "scatter") {
    return "the order of its updates would change";
  }
  if (isCut(cut) && cut.uses.conflict() === undefined) return cut;
  const repeated = repeat(step, context);
  if (repeated !== undefined) return repeated;
  if (!isCut(cut)) return cut;
  return "it reads or writes across tiles";
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
      return cutLoop(step, context);
    case "while":
      return cutWhile(step, context);
    case "branch":
      return cutBranch(step, context);
    case "print":
      return "it prints";
    case "tile":
      return "it is cut already";
    default:
      return step satisfies never;
  }
}

/** The whole step, done by every tile for itself: what it writes is small. */
function repeat(step: Step, { buffers, lengthOf, small }: CutContext): CutStep | undefined {
  if (step.kind !== "kernel" && step.kind !== "copy") return undefined;
  const { reads, writes } = accessesOf(step);
  for (const buffer of writes) {
    if (buffers[buffer]?.kind !== "temporary" || lengthOf(buffer) > small) return undefined;
  }
  if (workOf(step) > small ** 2) return undefined;
  const uses = new Uses();
  for (const buffer of reads) uses.add(buffer, { own: false, read: true });
  for (const buffer of writes) uses.add(buffer, { own: false, repeated: true });
  return { step, uses };
}

const product = (extents: readonly number[]): number => extents.reduce((n, e) => n * e, 1);

const workOf = (step: KernelStep | CopyStep): number =>
  step.kind === "copy"
    ? step.length
    : product(step.axes) * step.stages.reduce((n, { axes }) => n + product(axes), 0);

// ── Axes ────────────────────────────────────────────────────────────────────────────────────

interface CutAxes {
  /** Extents that are left for one tile. */
  readonly extents: readonly number[];
  /** For each axis: its new number, or undefined if tiles have it all; and where the tile's part of it begins. */
  readonly places: readonly { readonly axis: number | undefined; readonly start: IndexExpr }[];
}

/** Leading axes divided among the tiles, row-major: the first ones as a whole, one more in equal parts. */
function cutAxes(extents: readonly number[], tiling: Tiling): CutAxes | undefined {
  const left: number[] = [];
  const places: { axis: number | undefined; start: IndexExpr }[] = [];
  let rest = tiling.trips;
  for (const extent of extents) {
    const parts = Math.min(extent, rest);
    if (parts === 0 || extent % parts !== 0 || rest % parts !== 0) return undefined;
    rest /= parts;
    const part = ix.mod(ix.floordiv(tileIndex(tiling), rest), parts);
    const own = extent / parts;
    const whole = own === 1 && parts > 1;
    places.push({ axis: whole ? undefined : left.length, start: ix.mul(part, own) });
    if (!whole) left.push(own);
  }
  return rest === 1 ? { extents: left, places } : undefined;
}

/** The axes that were cut come first; those behind them move up. */
function renumbering(
  { extents, places }: CutAxes,
  { known: { maps } }: Tiling,
): (e: IndexExpr) => IndexExpr {
  const domain = `${places.map(({ start }) => start.key).join()}:${extents.join()}`;
  const same = maps.get(domain);
  if (same !== undefined) return same;
  const leaf = (axis: number, hi: number): IndexExpr => {
    const place = places[axis];
    if (place === undefined) return ix.axis(axis - places.length + extents.length, hi + 1);
    if (place.axis === undefined) return place.start;
    return ix.add(place.start, ix.axis(place.axis, extents[place.axis] as number));
  };
  const known = new Map<string, IndexExpr>();
  const map = (e: IndexExpr): IndexExpr => {
    let found = known.get(e.key);
    if (found === undefined) {
      found = ix.substitute(e, (l) => (l.k === "axis" ? leaf(l.axis, l.hi) : l));
      known.set(e.key, found);
    }
    return found;
  };
  maps.set(domain, map);
  return map;
}

// ── Programs ────────────────────────────────────────────────────────────────────────────────

function mapNodes(
  nodes: readonly ScalarNode[],
  map: (e: IndexExpr) => IndexExpr,
): readonly ScalarNode[] {
  return nodes.map((node): ScalarNode => {
    if (node.op === "index") return { ...node, index: map(node.index) };
    if (node.op !== "load") return node;
    return { ...node, index: map(node.index), guard: plainGuards(node.guard, map) };
  });
}

const mapStage = (
  stage: Stage,
  axes: readonly number[],
  map: (e: IndexExpr) => IndexExpr,
): Stage => ({
  axes,
  nodes: mapNodes(stage.nodes, map),
  reductions: stage.reductions,
  writes: stage.writes.map((write) => ({
    ...write,
    index: map(write.index),
    guard: plainGuards(write.guard, map),
  })),
});

function addLoads(uses: Uses, nodes: readonly ScalarNode[], context: CutContext): void {
  for (const node of nodes) {
    if (node.op !== "load") continue;
    uses.add(node.buffer, { ...reachOf(context, node.buffer, node), read: true });
  }
}

function usesOfStages(stages: readonly Stage[], context: CutContext): Uses {
  const uses = new Uses();
  for (const { nodes, writes } of stages) {
    addLoads(uses, nodes, context);
    for (const write of writes) {
      uses.add(write.buffer, { ...reachOf(context, write.buffer, write), written: true });
    }
  }
  return uses;
}

function cutKernel(step: KernelStep, context: CutContext): CutStep | Uncut {
  const [only] = step.stages as readonly [Stage];
  const isPlain =
    step.axes.length === 0 && step.stages.length === 1 && only.reductions.length === 0;
  if (isPlain) {
    const axes = cutAxes(only.axes, context);
    if (axes === undefined) return `its domain [${only.axes.join(", ")}] has no equal parts`;
    const stage = mapStage(only, axes.extents, renumbering(axes, context));
    return { step: { ...step, stages: [stage] }, uses: usesOfStages([stage], context) };
  }
  const axes = cutAxes(step.axes, context);
  if (axes === undefined) return "it folds the axis";
  const map = renumbering(axes, context);
  const stages = step.stages.map((stage) => mapStage(stage, stage.axes, map));
  return { step: { ...step, axes: axes.extents, stages }, uses: usesOfStages(stages, context) };
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

// ── Library steps ───────────────────────────────────────────────────────────────────────────

function cutDot(step: DotStep, context: CutContext): CutStep | Uncut {
  const outer = step.batch.length;
  const axes = cutAxes([...step.batch, ...step.m], context);
  if (axes === undefined) return "its rows have no equal parts";
  const keep = (strides: readonly number[], from: number): number[] =>
    strides.filter((_, i) => axes.places[from + i]?.axis !== undefined);
  const extents = (from: number, count: number): number[] =>
    axes.places
      .slice(from, from + count)
      .flatMap(({ axis }) => (axis === undefined ? [] : [axes.extents[axis] as number]));
  const moved = (base: IndexExpr, strides: readonly number[]): IndexExpr =>
    ix.add(base, ...strides.map((s, i) => ix.mul(axes.places[i]?.start as IndexExpr, s)));
  const { lhs, rhs, out } = step;
  const rows = step.m.length;
  const cut: DotStep = {
    ...step,
    batch: extents(0, outer),
    m: extents(outer, rows),
    lhs: {
      ...lhs,
      base: moved(lhs.base, [...lhs.batch, ...lhs.free]),
      batch: keep(lhs.batch, 0),
      free: keep(lhs.free, outer),
    },
    rhs: { ...rhs, base: moved(rhs.base, rhs.batch), batch: keep(rhs.batch, 0) },
    out: {
      ...out,
      base: moved(out.base, [...out.batch, ...out.free.slice(0, rows)]),
      batch: keep(out.batch, 0),
      free: [...keep(out.free.slice(0, rows), outer), ...out.free.slice(rows)],
    },
  };
  const uses = new Uses();
  const add = (side: Strided, box: readonly number[], use: object): void => {
    const span = reach([...side.batch, ...side.free, ...side.contract], box);
    const to = reachOf(context, side.buffer, { index: side.base, guard: [], ...span });
    uses.add(side.buffer, { ...to, ...use });
  };
  add(cut.lhs, [...cut.batch, ...cut.m, ...cut.k], { read: true });
  add(cut.rhs, [...cut.batch, ...cut.n, ...cut.k], { read: true });
  add(cut.out, [...cut.batch, ...cut.m, ...cut.n], { written: true });
  return { step: cut, uses };
}

function reach(
  strides: readonly number[],
  extents: readonly number[],
): { first: number; last: number } {
  let first = 0;
  let last = 0;
  for (const [i, stride] of strides.entries()) {
    const span = stride * Math.max(0, (extents[i] as number) - 1);
    first += Math.min(0, span);
    last += Math.max(0, span);
  }
  return { first, last };
}

function cutCopy(step: CopyStep, context: CutContext): CutStep | Uncut {
  if (step.length % context.trips !== 0) return `its ${step.length} elements have no equal parts`;
  const length = step.length / context.trips;
  const start = ix.mul(tileIndex(context), length);
  const cut: CopyStep = {
    ...step,
    length,
    fromIndex: ix.add(step.fromIndex, start),
    toIndex: ix.add(step.toIndex, start),
  };
  const uses = new Uses();
  const reach = (buffer: number, index: IndexExpr): Reach =>
    reachOf(context, buffer, { index, guard: [], last: length - 1 });
  uses.add(cut.from, { ...reach(cut.from, cut.fromIndex), read: true });
  uses.add(cut.to, { ...reach(cut.to, cut.toIndex), written: true });
  return { step: cut, uses };
}

/** A sort, a scan or a selection of some rows; it takes its buffers from their starts. */
function cutRows(
  step: SortStep | TopKStep | ScanStep,
  inputs: readonly number[],
  outputs: readonly number[],
  context: CutContext,
): CutStep | Uncut {
  if (step.outer % context.trips !== 0) return `its ${step.outer} rows have no equal parts`;
  const uses = new Uses();
  const own = (buffer: number): boolean => partLength(context, buffer) !== undefined;
  for (const buffer of inputs) uses.add(buffer, { own: own(buffer), read: true });
  for (const buffer of outputs) uses.add(buffer, { own: own(buffer), written: true });
  if ([...inputs, ...outputs].some((buffer) => !own(buffer))) return "its rows have no equal parts";
  return { step: { ...step, outer: step.outer / context.trips }, uses };
}

// ── Control flow ────────────────────────────────────────────────────────────────────────────

interface CutSteps {
  readonly steps: readonly Step[];
  readonly uses: Uses;
}

function cutAll(steps: readonly Step[], context: CutContext): CutSteps | Uncut {
  const uses = new Uses();
  const done: Step[] = [];
  for (const step of steps) {
    const cut = cutStep(step, context);
    if (!isCut(cut)) return `in it "${step.name}" cannot be cut: ${cut}`;
    uses.addAll(cut.uses);
    done.push(cut.step);
  }
  return { steps: done, uses };
}

function cutLoop(step: LoopStep, context: CutContext): CutStep | Uncut {
  const body = cutAll(step.body, context);
  if (typeof body === "string") return body;
  return { step: { ...step, body: body.steps }, uses: body.uses };
}

/** Branches of which all tiles take the same one. */
function cutBranch(step: BranchStep, context: CutContext): CutStep | Uncut {
  const uses = new Uses();
  uses.add(step.selector, { own: false, read: true });
  const branches: (readonly Step[])[] = [];
  for (const branch of step.branches) {
    const cut = cutAll(branch, context);
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
function cutWhile(step: WhileStep, context: CutContext): CutStep | Uncut {
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
  const body = cutAll(step.body, context);
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

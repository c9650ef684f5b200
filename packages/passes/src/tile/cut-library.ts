/**
 * Library steps cut into tiles: a product's batch and rows, or what it sums over; rows of a sort, a scan or a selection; a
 * stretch of a copy.
 */
import type {
  CopyStep,
  DotStep,
  KernelStep,
  ScanStep,
  SortStep,
  Strided,
  TopKStep,
} from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type CutAxes, cutAxes } from "./axes.ts";
import type { CutContext, CutStep, Uncut } from "./cut-step.ts";
import { partLength, type Reach, reachOf, tileIndex, type Use, Uses } from "./uses.ts";

export function cutDot(step: DotStep, context: CutContext): CutStep | Uncut {
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
  addSide(uses, context, cut.lhs, [...cut.batch, ...cut.m, ...cut.k], { read: true });
  addSide(uses, context, cut.rhs, [...cut.batch, ...cut.n, ...cut.k], { read: true });
  const isRead = step.onto === true;
  addSide(uses, context, cut.out, [...cut.batch, ...cut.m, ...cut.n], {
    written: true,
    read: isRead,
  });
  return { step: cut, uses };
}

function addSide(
  uses: Uses,
  context: CutContext,
  { buffer, base, batch, free, contract }: Strided,
  box: readonly number[],
  use: Partial<Use>,
): void {
  const span = reach([...batch, ...free, ...contract], box);
  uses.add(buffer, { ...reachOf(context, buffer, { index: base, guard: [], ...span }), ...use });
}

/** Extents of a list of dimensions of which the first have been cut. */
const keptOf = (extents: readonly number[], { places, extents: left }: CutAxes): number[] =>
  extents.flatMap((extent, i) => {
    const place = places[i];
    if (place === undefined) return [extent];
    return place.axis === undefined ? [] : [left[place.axis] as number];
  });

/**
 * Parts of what is summed over, one after the other: every tile goes on from where the one before it ended, so sums run
 * over k in order as they do without tiles.
 */
export function cutDotAlongSum(step: DotStep, context: CutContext): CutStep | undefined {
  const { lhs, rhs, out, dtype } = step;
  // What is kept between tiles is kept in the result.
  if (dtype !== step.accumulate || step.onto === true) return undefined;
  const axes = cutAxes(step.k, context);
  if (axes === undefined) return undefined;
  const part = (of: Strided): Strided => ({
    ...of,
    base: ix.add(
      of.base,
      ...axes.places.map(({ start }, i) => ix.mul(start, of.contract[i] as number)),
    ),
    contract: of.contract.filter(
      (_, i) => axes.places[i]?.axis !== undefined || i >= axes.places.length,
    ),
  });
  const cut: DotStep = {
    ...step,
    k: keptOf(step.k, axes),
    lhs: part(lhs),
    rhs: part(rhs),
    onto: true,
  };
  const uses = new Uses();
  const { batch, m, n, k } = cut;
  addSide(uses, context, cut.lhs, [...batch, ...m, ...k], { read: true });
  addSide(uses, context, cut.rhs, [...batch, ...n, ...k], { read: true });
  if (uses.byBuffer.has(out.buffer)) return undefined;
  uses.add(out.buffer, { own: false, ordered: true, read: true, written: true });
  return { step: cut, uses, before: zeros(step) };
}

/** The kernel that sets a product's result to +0. */
function zeros({ name, dtype, batch, m, n, out }: DotStep): KernelStep {
  const axes = [...batch, ...m, ...n];
  const strides = [...out.batch, ...out.free];
  const places = axes.map((extent, d) => ix.mul(ix.axis(d, extent), strides[d] as number));
  const write = {
    buffer: out.buffer,
    dtype,
    index: ix.add(out.base, ...places),
    guard: [],
    value: 0,
  };
  const zero = { op: "const", dtype, bits: { lo: 0, hi: 0 } } as const;
  const stage = { axes, nodes: [zero], reductions: [], writes: [write] };
  return { kind: "kernel", name: `${name}_zero`, axes: [], stages: [stage] };
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

export function cutCopy(step: CopyStep, context: CutContext): CutStep | Uncut {
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
export function cutRows(
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

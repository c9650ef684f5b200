/** Guards: a test for a whole vector; only vectors on the edge test each lane. */
import { add, constant } from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";
import { inLane, type LaneQuad, type Spread, spread } from "./lane-quad.ts";
import type { Nest } from "./nest.ts";

/** Ranges that may fail; undefined where one always does. */
export function openRanges(guard: readonly IndexRange[]): readonly IndexRange[] | undefined {
  if (guard.length === 0) return guard;
  const open = guard.filter(({ index, lo, hi }) => index.lo < lo || index.hi >= hi);
  return open.some(({ index, lo, hi }) => index.hi < lo || index.lo >= hi || hi <= lo)
    ? undefined
    : open;
}

/** Pushes whether `lo ≤ index < hi`, as one unsigned comparison. */
function pushInRange(nest: Nest, { index, lo, hi }: IndexRange): void {
  nest.pushIndex(add(index, constant(-lo)));
  nest.code.i32(hi - lo).op("i32.lt_u");
}

/** Pushes whether every range holds; there is at least one. */
export function pushGuard(nest: Nest, guard: readonly IndexRange[]): void {
  for (const [i, range] of guard.entries()) {
    pushInRange(nest, range);
    if (i > 0) nest.code.op("i32.and");
  }
}

/** A guard seen from the lanes of a vector. */
export interface QuadGuard {
  /** Ranges that do not change along the lanes. */
  readonly uniform: readonly IndexRange[];
  readonly along: readonly { readonly range: IndexRange; readonly quad: LaneQuad }[];
}

/**
 * Runs one of three bodies: `whole` where every lane is in bounds, `lane` (once a lane, under its own
 * condition) on an edge, nothing where no lane is.
 */
export function guardQuad(
  nest: Nest,
  guard: QuadGuard,
  whole: () => void,
  lane: (lane: number) => void,
): void {
  if (guard.uniform.length === 0) {
    guardAlong(nest, guard.along, whole, lane);
    return;
  }
  pushGuard(nest, guard.uniform);
  conditionally(nest, () => guardAlong(nest, guard.along, whole, lane));
}

/** if … end: what is computed inside is not known outside. */
function conditionally(nest: Nest, yes: () => void, no?: () => void): void {
  const { code } = nest;
  code.if();
  code.append(nest.branch(yes));
  if (no !== undefined) {
    code.else();
    code.append(nest.branch(no));
  }
  code.end();
}

function guardAlong(
  nest: Nest,
  along: QuadGuard["along"],
  whole: () => void,
  lane: (lane: number) => void,
): void {
  const [first] = along;
  if (first === undefined) {
    whole();
    return;
  }
  const eachLane = (): void => {
    for (let i = 0; i < first.quad.valid; i++) {
      const ranges = along.map(({ range, quad }) => ({
        ...range,
        index: quad.index.at(quad.first + i),
      }));
      inLane(nest, first.quad.first + i, () => {
        pushGuard(nest, ranges);
        conditionally(nest, () => lane(i));
      });
    }
  };
  const spans = along.map(({ range, quad }) => ({ range, near: spread(nest, quad) }));
  if (spans.some(({ near }) => near === undefined)) {
    eachLane();
    return;
  }
  pushAllIn(nest, spans as KnownSpan[]);
  if (along.every(({ range, quad }) => !mayBeCut(nest, range, quad))) {
    conditionally(nest, whole);
    return;
  }
  conditionally(nest, whole, () => {
    pushAnyIn(nest, spans as KnownSpan[]);
    conditionally(nest, eachLane);
  });
}

/** Whether some lanes of a vector may lie in a range, and others not: where an end of it may be among them. */
function mayBeCut(nest: Nest, { lo, hi }: IndexRange, quad: LaneQuad): boolean {
  const { start } = quad.index;
  const near = spread(nest, quad);
  if (start === undefined || near === undefined) return true;
  const { modulus, residue } = start;
  return [lo, hi].some((end) => {
    // So far the end may lie beyond the lowest lane, and farther by any multiple of the modulus.
    const beyond = end - residue - near.shift;
    if (modulus === 0) return beyond >= 1 && beyond <= near.reach;
    const least = beyond - Math.floor((beyond - 1) / modulus) * modulus;
    return least <= near.reach;
  });
}

interface KnownSpan {
  readonly range: IndexRange;
  readonly near: Spread;
}

/** lo ≤ lowest and highest < hi, for every range. */
function pushAllIn(nest: Nest, spans: readonly KnownSpan[]): void {
  for (const [i, { range, near }] of spans.entries()) {
    const room = range.hi - range.lo - near.reach;
    nest.pushIndex(add(near.from, constant(near.shift - range.lo)));
    nest.code.i32(Math.max(room, 0)).op("i32.lt_u");
    if (i > 0) nest.code.op("i32.and");
  }
}

/** highest ≥ lo and lowest < hi, for every range. */
function pushAnyIn(nest: Nest, spans: readonly KnownSpan[]): void {
  for (const [i, { range, near }] of spans.entries()) {
    const reach = near.reach;
    nest.pushIndex(add(near.from, constant(near.shift + reach - range.lo)));
    nest.code.i32(range.hi - range.lo + reach).op("i32.lt_u");
    if (i > 0) nest.code.op("i32.and");
  }
}

/**
 * Reads and writes of buffers, one element or four lanes at a time, never outside the buffer.
 *
 * An index along the lanes is looked at once: where neighbouring lanes lie at constant distances, the
 * block is one vector load, a splat, or loads and a shuffle; otherwise lanes are fetched one by one. A
 * guard is tested for a whole block; only blocks on its edge test each lane.
 */
import { type DType, isSigned, itemSize } from "@gridfuse/plan";
import { add, constant, type IndexExpr } from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";
import { loadOp, storeOp } from "../wasm/held.ts";
import type { LaneIndex } from "./lanes.ts";
import type { Address, Nest } from "./nest.ts";

// ── One element ─────────────────────────────────────────────────────────────────────────────

export function pushElement(nest: Nest, dtype: DType, base: Address, index: IndexExpr): void {
  const offset = nest.pushAddress(index, itemSize(dtype), base);
  nest.code.memory(loadOp(dtype), offset);
}

export function storeElement(
  nest: Nest,
  dtype: DType,
  base: Address,
  index: IndexExpr,
  value: () => void,
): void {
  const offset = nest.pushAddress(index, itemSize(dtype), base);
  value();
  nest.code.memory(storeOp(dtype), offset);
}

/** Ranges that may fail; undefined where one always does. */
export function openRanges(guard: readonly IndexRange[]): readonly IndexRange[] | undefined {
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

// ── Four lanes ──────────────────────────────────────────────────────────────────────────────

/** Four lanes of a block, from lane `first` on; the first `valid` of them count. */
export interface LaneQuad {
  readonly index: LaneIndex;
  readonly first: number;
  readonly valid: number;
}

/** Four lanes at constant distances from the lowest of them, which lies `shift` beyond `from`. */
interface Spread {
  readonly from: IndexExpr;
  readonly shift: number;
  readonly lanes: readonly number[];
}

function spread({ index, first }: LaneQuad): Spread | undefined {
  if (index.offsets === undefined) return undefined;
  const offsets = index.offsets.slice(first, first + 4);
  const lowest = Math.min(...offsets);
  return { from: index.at(0), shift: lowest, lanes: offsets.map((offset) => offset - lowest) };
}

const consecutive = (lanes: readonly number[]): boolean => lanes.every((lane, i) => lane === i);

// ── Neighbours: loads and stores that share their vectors ───────────────────────────────────

const fixedPart = (e: IndexExpr): number =>
  e.k === "const" ? e.value : e.k === "sum" ? e.constant : 0;

/** A text that is the same for the indices that read the same four places counted from a multiple of 4. */
export function neighbourhood(e: IndexExpr): string {
  const fixed = fixedPart(e);
  return `${add(e, constant(-fixed)).key}+${Math.floor(fixed / 4)}`;
}

/**
 * Pushes four lanes of 32-bit elements that other loads read the neighbours of: out of vectors loaded once,
 * each at a constant multiple of 4. Four vectors are transposed in two rounds, of which loads share the first.
 */
function pushShared(nest: Nest, base: Address, quad: LaneQuad, near: Spread, name: string): void {
  const { code } = nest;
  const fixed = fixedPart(near.from);
  const dynamic = add(near.from, constant(-fixed));
  const places = near.lanes.map((lane, i) => {
    // A lane beyond the end repeats the first, so that nothing is read for it.
    const place = fixed + near.shift + (i < quad.valid ? lane : (near.lanes[0] as number));
    return { chunk: Math.floor(place / 4), at: place - 4 * Math.floor(place / 4) };
  });
  const chunk = (number: number): number =>
    nest.memoised(`${name} ${dynamic.key} ${number}`, nest.level, "v128", () => {
      code.memory("v128.load", nest.pushAddress(dynamic, 4, base, 4 * number));
    });
  const shuffle = (a: number, b: number, lanes: readonly number[]): void => {
    code.get(a).get(b).shuffleLanes(lanes);
  };
  const [p, q, r, t] = places as [Place, Place, Place, Place];
  const numbers = [...new Set(places.map((place) => place.chunk))];
  /** What several loads want that differ only in what they take the bits for. */
  const once = (shuffled: () => void): void => {
    const lanes = places.map(({ chunk: number, at }) => 4 * number + at);
    const key = `${name} ${dynamic.key} of ${lanes.join()}`;
    code.get(nest.memoised(key, nest.level, "v128", shuffled));
  };
  if (numbers.length <= 2) {
    const [first, second = first] = numbers as [number, number?];
    const lanes = places.map((place) => place.at + (place.chunk === first ? 0 : 4));
    once(() => shuffle(chunk(first), chunk(second), lanes));
    return;
  }
  const pair = (x: Place, y: Place): { readonly local: number; readonly lanes: number[] } => {
    const half = x.at < 2 ? 0 : 2;
    const together = half === (y.at < 2 ? 0 : 2);
    const lanes = together
      ? [half, half + 4, half + 1, half + 5]
      : [x.at, y.at + 4, x.at, y.at + 4];
    const [a, b] = [chunk(x.chunk), chunk(y.chunk)];
    const key = `${name} ${dynamic.key} ${x.chunk}&${y.chunk} ${lanes.join()}`;
    const local = nest.memoised(key, nest.level, "v128", () => shuffle(a, b, lanes));
    return { local, lanes: together ? [2 * (x.at - half), 2 * (y.at - half) + 1] : [0, 1] };
  };
  once(() => {
    const [low, high] = [pair(p, q), pair(r, t)];
    shuffle(low.local, high.local, [...low.lanes, ...high.lanes.map((lane) => lane + 4)]);
  });
}

interface Place {
  readonly chunk: number;
  readonly at: number;
}

/** Runs `body` with computed indices taken from lane `lane`. */
function inLane(nest: Nest, lane: number, body: () => void): void {
  const before = nest.lane;
  nest.lane = lane;
  body();
  nest.lane = before;
}

/** Pushes four lanes of 32-bit elements. */
function pushWords(nest: Nest, base: Address, quad: LaneQuad, shared?: string): void {
  const near = spread(quad);
  const { code } = nest;
  if (shared !== undefined && near !== undefined && Math.max(...near.lanes) >= 4) {
    pushShared(nest, base, quad, near, shared);
    return;
  }
  const reach = near === undefined ? Number.POSITIVE_INFINITY : Math.max(...near.lanes);
  if (near !== undefined && reach === 0) {
    code.memory("v128.load32_splat", nest.pushAddress(near.from, 4, base, near.shift));
  } else if (near !== undefined && reach < 4) {
    code.memory("v128.load", nest.pushAddress(near.from, 4, base, near.shift));
    if (!consecutive(near.lanes)) {
      const whole = nest.local("v128");
      code.tee(whole).get(whole).shuffleLanes(near.lanes);
    }
  } else if (near !== undefined && reach < 8) {
    code.memory("v128.load", nest.pushAddress(near.from, 4, base, near.shift));
    code.memory("v128.load", nest.pushAddress(near.from, 4, base, near.shift + 4));
    code.shuffleLanes(near.lanes);
  } else {
    const offsets: number[] = [];
    for (let lane = quad.valid - 1; lane >= 0; lane--) {
      inLane(nest, quad.first + lane, () => {
        offsets[lane] = nest.pushAddress(quad.index.at(quad.first + lane), 4, base);
      });
    }
    code.memory("v128.load32_zero", offsets[0] as number);
    for (let lane = 1; lane < quad.valid; lane++) {
      code.memoryLane("v128.load32_lane", offsets[lane] as number, lane);
    }
  }
}

/** Pushes four lanes of elements narrower than a lane: integers extended, bools as masks. */
function pushNarrow(nest: Nest, dtype: DType, base: Address, quad: LaneQuad): void {
  const near = spread(quad);
  const { code } = nest;
  const size = itemSize(dtype);
  const sign = isSigned(dtype) ? "s" : "u";
  if (near !== undefined && consecutive(near.lanes)) {
    const offset = nest.pushAddress(near.from, size, base, near.shift);
    if (size === 2) {
      code.memory(`v128.load16x4_${sign}`, offset);
    } else {
      code.memory("v128.load32_zero", offset);
      code.op(`i16x8.extend_low_i8x16_${sign}`).op(`i32x4.extend_low_i16x8_${sign}`);
    }
  } else {
    for (let lane = 0; lane < quad.valid; lane++) {
      inLane(nest, quad.first + lane, () => {
        pushElement(nest, dtype, base, quad.index.at(quad.first + lane));
      });
      if (lane === 0) code.op("i32x4.splat");
      else code.lane("i32x4.replace_lane", lane);
    }
  }
  if (dtype === "bool") code.v128([0, 0, 0, 0]).op("i32x4.ne");
}

/**
 * Pushes four lanes of a buffer.
 *
 * @param shared a name for vectors of this buffer, where other loads want them too
 */
export function pushLanes(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  shared?: string,
): void {
  if (itemSize(dtype) === 4) pushWords(nest, base, quad, shared);
  else pushNarrow(nest, dtype, base, quad);
}

/** Stores the four lanes that `value` pushes. */
export function storeLanes(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  value: () => void,
): void {
  if (itemSize(dtype) === 4) storeWords(nest, base, quad, value);
  else storeNarrow(nest, dtype, base, quad, value);
}

/** Stores the four lanes that `value` pushes as 32-bit elements. */
function storeWords(nest: Nest, base: Address, quad: LaneQuad, value: () => void): void {
  const near = spread(quad);
  const { code } = nest;
  if (
    near !== undefined &&
    quad.valid === 4 &&
    [...near.lanes].sort().every((lane, i) => lane === i)
  ) {
    const offset = nest.pushAddress(near.from, 4, base, near.shift);
    value();
    if (!consecutive(near.lanes)) {
      value();
      code.shuffleLanes([0, 1, 2, 3].map((place) => near.lanes.indexOf(place)));
    }
    code.memory("v128.store", offset);
    return;
  }
  for (let lane = 0; lane < quad.valid; lane++) {
    storeLane(nest, "int32", base, quad, lane, value);
  }
}

/** A store that may be joined with others. */
export interface QuadStore {
  readonly quad: LaneQuad;
  readonly value: () => void;
}

/** How the stores of neighbours follow each other: lane l of store i goes to place lanes[l] + i. */
function runOfStores(stores: readonly QuadStore[]): Spread | undefined {
  const spreads = stores.map(({ quad }) => (quad.valid === 4 ? spread(quad) : undefined));
  const [first] = spreads;
  if (first === undefined) return undefined;
  const follows = spreads.every(
    (near, i) =>
      near?.lanes.every((lane, l) => lane === first.lanes[l]) &&
      add(near.from, constant(near.shift - first.shift - i - fixedPart(first.from))).key ===
        add(first.from, constant(-fixedPart(first.from))).key,
  );
  return follows ? first : undefined;
}

/**
 * Stores of 32-bit elements of which each goes one place beyond the one before, by shuffles and whole
 * vectors: two that interleave, or four whose lanes lie 4 or more apart, in any order. False where they do not fit.
 */
export function storeNeighbours(nest: Nest, base: Address, stores: readonly QuadStore[]): boolean {
  const { code } = nest;
  const near = runOfStores(stores);
  if (near === undefined) return false;
  const to = (place: number, value: () => void): void => {
    const offset = nest.pushAddress(near.from, 4, base, near.shift + place);
    value();
    code.memory("v128.store", offset);
  };
  const steps = near.lanes.map((lane, l) => lane - (l === 0 ? 0 : (near.lanes[l - 1] as number)));
  const joined = (a: () => void, b: () => void, lanes: readonly number[]): (() => void) => {
    const local = nest.local("v128");
    a();
    b();
    code.shuffleLanes(lanes).set(local);
    return () => code.get(local);
  };
  if (stores.length === 2 && near.lanes[0] === 0 && steps.slice(1).every((step) => step === 2)) {
    const [x, y] = stores.map(({ value }) => value) as [() => void, () => void];
    const halves = [joined(x, y, [0, 4, 1, 5]), joined(x, y, [2, 6, 3, 7])];
    for (const [i, half] of halves.entries()) to(4 * i, half);
    return true;
  }
  const inOrder = [...near.lanes].sort((p, q) => p - q);
  const areFar = inOrder.slice(1).every((lane, i) => lane - (inOrder[i] as number) >= 4);
  if (stores.length !== 4 || !areFar) return false;
  const [x, y, z, w] = stores.map(({ value }) => value) as [
    () => void,
    () => void,
    () => void,
    () => void,
  ];
  for (const half of [0, 2]) {
    const left = joined(x, y, [half, half + 4, half + 1, half + 5]);
    const right = joined(z, w, [half, half + 4, half + 1, half + 5]);
    to(near.lanes[half] as number, joined(left, right, [0, 1, 4, 5]));
    to(near.lanes[half + 1] as number, joined(left, right, [2, 3, 6, 7]));
  }
  return true;
}

/** Stores the lowest bytes of the four lanes that `value` pushes. */
function storeNarrow(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  value: () => void,
): void {
  const near = spread(quad);
  const { code } = nest;
  const size = itemSize(dtype);
  if (near !== undefined && quad.valid === 4 && consecutive(near.lanes)) {
    const offset = nest.pushAddress(near.from, size, base, near.shift);
    value();
    if (dtype === "bool") code.v128([1, 1, 1, 1]).op("v128.and");
    value();
    const bytes = size === 1 ? [0, 4, 8, 12] : [0, 1, 4, 5, 8, 9, 12, 13];
    code.shuffle(Array.from({ length: 16 }, (_, i) => bytes[i % bytes.length] as number));
    code.memoryLane(size === 1 ? "v128.store32_lane" : "v128.store64_lane", offset, 0);
    return;
  }
  for (let lane = 0; lane < quad.valid; lane++) storeLane(nest, dtype, base, quad, lane, value);
}

/** Stores one lane of a quad; `value` pushes all four. */
export function storeLane(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  lane: number,
  value: () => void,
): void {
  const size = itemSize(dtype);
  inLane(nest, quad.first + lane, () => {
    const offset = nest.pushAddress(quad.index.at(quad.first + lane), size, base);
    value();
    if (dtype === "bool") nest.code.v128([1, 1, 1, 1]).op("v128.and");
    // The narrow stores count lanes of their own width.
    if (size === 1) nest.code.memoryLane("v128.store8_lane", offset, 4 * lane);
    else if (size === 2) nest.code.memoryLane("v128.store16_lane", offset, 2 * lane);
    else nest.code.memoryLane("v128.store32_lane", offset, lane);
  });
}

/** A guard seen from four lanes. */
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
  const spans = along.map(({ range, quad }) => ({ range, near: spread(quad) }));
  if (spans.some(({ near }) => near === undefined)) {
    eachLane();
    return;
  }
  pushAllIn(nest, spans as KnownSpan[]);
  conditionally(nest, whole, () => {
    pushAnyIn(nest, spans as KnownSpan[]);
    conditionally(nest, eachLane);
  });
}

interface KnownSpan {
  readonly range: IndexRange;
  readonly near: Spread;
}

/** lo ≤ lowest and highest < hi, for every range. */
function pushAllIn(nest: Nest, spans: readonly KnownSpan[]): void {
  for (const [i, { range, near }] of spans.entries()) {
    const room = range.hi - range.lo - Math.max(...near.lanes);
    nest.pushIndex(add(near.from, constant(near.shift - range.lo)));
    nest.code.i32(Math.max(room, 0)).op("i32.lt_u");
    if (i > 0) nest.code.op("i32.and");
  }
}

/** highest ≥ lo and lowest < hi, for every range. */
function pushAnyIn(nest: Nest, spans: readonly KnownSpan[]): void {
  for (const [i, { range, near }] of spans.entries()) {
    const reach = Math.max(...near.lanes);
    nest.pushIndex(add(near.from, constant(near.shift + reach - range.lo)));
    nest.code.i32(range.hi - range.lo + reach).op("i32.lt_u");
    if (i > 0) nest.code.op("i32.and");
  }
}

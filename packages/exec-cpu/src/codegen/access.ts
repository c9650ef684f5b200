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

/** Runs `body` with computed indices taken from lane `lane`. */
function inLane(nest: Nest, lane: number, body: () => void): void {
  const before = nest.lane;
  nest.lane = lane;
  body();
  nest.lane = before;
}

/** Pushes four lanes of 32-bit elements. */
function pushWords(nest: Nest, base: Address, quad: LaneQuad): void {
  const near = spread(quad);
  const { code } = nest;
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

/** Pushes four lanes of a buffer. */
export function pushLanes(nest: Nest, dtype: DType, base: Address, quad: LaneQuad): void {
  if (itemSize(dtype) === 4) pushWords(nest, base, quad);
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

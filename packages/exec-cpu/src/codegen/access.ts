/**
 * Reads and writes of buffers, one element or the lanes of a vector at a time, never outside the buffer.
 *
 * An index along the lanes is looked at once: where neighbouring lanes lie at constant distances, the
 * block is one vector load, a splat, or loads and a shuffle; otherwise lanes are fetched one by one.
 */
import { type DType, isSigned, itemSize } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import { loadOp, storeOp } from "../wasm/held.ts";
import { pushPair, storePair } from "./access-pairs.ts";
import { gatherLanes, inLane, type LaneQuad, spread } from "./lane-quad.ts";
import type { Address, Nest } from "./nest.ts";
import { pushShared } from "./shared-vectors.ts";

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

// ── Lanes ───────────────────────────────────────────────────────────────────────────────────

/** Pushes four lanes of 32-bit elements. */
function pushWords(nest: Nest, base: Address, quad: LaneQuad, shared?: string): void {
  const near = spread(nest, quad);
  const { code } = nest;
  if (shared !== undefined && near !== undefined && near.reach >= 4) {
    pushShared(nest, base, quad, near, shared);
    return;
  }
  const reach = near === undefined ? Number.POSITIVE_INFINITY : near.reach;
  if (near !== undefined && reach === 0) {
    code.memory("v128.load32_splat", nest.pushAddress(near.from, 4, base, near.shift));
  } else if (near !== undefined && reach < 4) {
    code.memory("v128.load", nest.pushAddress(near.from, 4, base, near.shift));
    if (!near.isRun) {
      const whole = nest.local("v128");
      code.tee(whole).get(whole).shuffleLanes(near.lanes);
    }
  } else if (near !== undefined && reach < 8) {
    code.memory("v128.load", nest.pushAddress(near.from, 4, base, near.shift));
    code.memory("v128.load", nest.pushAddress(near.from, 4, base, near.shift + 4));
    code.shuffleLanes(near.lanes);
  } else {
    gatherLanes(nest, 4, base, quad);
  }
}

/** Pushes four lanes of elements narrower than a lane: integers extended, bools as masks. */
function pushNarrow(nest: Nest, dtype: DType, base: Address, quad: LaneQuad): void {
  const near = spread(nest, quad);
  const { code } = nest;
  const size = itemSize(dtype);
  const sign = isSigned(dtype) ? "s" : "u";
  if (near?.isRun) {
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
 * Pushes the lanes of a vector out of a buffer.
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
  if (nest.lanes === 2) pushPair(nest, dtype, base, quad);
  else if (itemSize(dtype) === 4) pushWords(nest, base, quad, shared);
  else pushNarrow(nest, dtype, base, quad);
}

/** Stores the lanes that `value` pushes. */
export function storeLanes(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  value: () => void,
): void {
  if (nest.lanes === quad.valid) {
    const isStored =
      nest.lanes === 2
        ? storePair(nest, dtype, base, quad, value)
        : itemSize(dtype) === 4
          ? storeWords(nest, base, quad, value)
          : storeNarrow(nest, dtype, base, quad, value);
    if (isStored) return;
  }
  for (let lane = 0; lane < quad.valid; lane++) storeLane(nest, dtype, base, quad, lane, value);
}

/** Stores the four lanes that `value` pushes as 32-bit elements; false where they do not lie together. */
function storeWords(nest: Nest, base: Address, quad: LaneQuad, value: () => void): boolean {
  const near = spread(nest, quad);
  const { code } = nest;
  if (!near || ![...near.lanes].sort().every((lane, i) => lane === i)) return false;
  const offset = nest.pushAddress(near.from, 4, base, near.shift);
  value();
  if (!near.isRun) {
    value();
    code.shuffleLanes([0, 1, 2, 3].map((place) => near.lanes.indexOf(place)));
  }
  code.memory("v128.store", offset);
  return true;
}

/** Stores the lowest bytes of the four lanes that `value` pushes; false where they do not lie together. */
function storeNarrow(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  value: () => void,
): boolean {
  const near = spread(nest, quad);
  const { code } = nest;
  const size = itemSize(dtype);
  if (!near?.isRun) return false;
  const offset = nest.pushAddress(near.from, size, base, near.shift);
  value();
  if (dtype === "bool") code.v128([1, 1, 1, 1]).op("v128.and");
  value();
  const bytes = size === 1 ? [0, 4, 8, 12] : [0, 1, 4, 5, 8, 9, 12, 13];
  code.shuffle(Array.from({ length: 16 }, (_, i) => bytes[i % bytes.length] as number));
  code.memoryLane(size === 1 ? "v128.store32_lane" : "v128.store64_lane", offset, 0);
  return true;
}

/** Stores one lane; `value` pushes all of them. */
export function storeLane(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  lane: number,
  value: () => void,
): void {
  const { code } = nest;
  const size = itemSize(dtype);
  inLane(nest, quad.first + lane, () => {
    const offset = nest.pushAddress(quad.index.at(quad.first + lane), size, base);
    value();
    if (dtype === "bool") code.v128([1, 1, 1, 1]).op("v128.and");
    const words = dtype === "bool" ? 4 / nest.lanes : 1;
    // The narrow stores count lanes of their own width.
    if (size === 1) code.memoryLane("v128.store8_lane", offset, 4 * words * lane);
    else if (size === 2) code.memoryLane("v128.store16_lane", offset, 2 * lane);
    else code.memoryLane(size === 4 ? "v128.store32_lane" : "v128.store64_lane", offset, lane);
  });
}

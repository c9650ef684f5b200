/** Reads and writes of the two lanes of kernels that have 64-bit values (vector-lanes.ts). */
import { type DType, isSigned, itemSize } from "@gridfuse/plan";
import { loadOp } from "../wasm/held.ts";
import { widenMask } from "../wasm/vector-lanes.ts";
import { gatherLanes, inLane, type LaneQuad, spread } from "./lane-quad.ts";
import type { Address, Nest } from "./nest.ts";

const swapped = [2, 3, 0, 1];

/** Pushes two lanes of a buffer. */
export function pushPair(nest: Nest, dtype: DType, base: Address, quad: LaneQuad): void {
  const size = itemSize(dtype);
  if (size >= 4) pushWholes(nest, size === 4 ? 4 : 8, base, quad);
  else pushNarrow(nest, dtype, base, quad);
  if (dtype !== "bool") return;
  nest.code.v128([0, 0, 0, 0]).op("i32x4.ne");
  widenMask(nest, "uint8");
}

function pushWholes(nest: Nest, size: 4 | 8, base: Address, quad: LaneQuad): void {
  const near = spread(nest, quad);
  const { code } = nest;
  const reach = near === undefined ? Number.POSITIVE_INFINITY : near.reach;
  if (near === undefined || reach > 1 || (size === 4 && near.lanes[0] === 1)) {
    gatherLanes(nest, size, base, quad);
    return;
  }
  const offset = nest.pushAddress(near.from, size, base, near.shift);
  if (reach === 0) {
    code.memory(size === 4 ? "v128.load32_splat" : "v128.load64_splat", offset);
    return;
  }
  code.memory(size === 4 ? "v128.load64_zero" : "v128.load", offset);
  if (near.lanes[0] === 0) return;
  const whole = nest.local("v128");
  code.tee(whole).get(whole).shuffleLanes(swapped);
}

/** Elements narrower than a word, extended to one. */
function pushNarrow(nest: Nest, dtype: DType, base: Address, quad: LaneQuad): void {
  const near = spread(nest, quad);
  const { code } = nest;
  const size = itemSize(dtype);
  const sign = isSigned(dtype) ? "s" : "u";
  if (near?.isRun) {
    const offset = nest.pushAddress(near.from, size, base, near.shift);
    code.memory(size === 1 ? "v128.load16_splat" : "v128.load32_zero", offset);
    if (size === 1) code.op(`i16x8.extend_low_i8x16_${sign}`);
    code.op(`i32x4.extend_low_i16x8_${sign}`);
    return;
  }
  for (let lane = 0; lane < quad.valid; lane++) {
    inLane(nest, quad.first + lane, () => {
      const offset = nest.pushAddress(quad.index.at(quad.first + lane), size, base);
      code.memory(loadOp(dtype), offset);
    });
    if (lane === 0) code.op("i32x4.splat");
    else code.lane("i32x4.replace_lane", lane);
  }
}

/** Stores the two lanes that `value` pushes; false where they do not lie together. */
export function storePair(
  nest: Nest,
  dtype: DType,
  base: Address,
  quad: LaneQuad,
  value: () => void,
): boolean {
  const near = spread(nest, quad);
  const size = itemSize(dtype);
  if (near === undefined || near.reach !== 1) return false;
  const isSwapped = near.lanes[0] === 1;
  if (near.lanes[0] === near.lanes[1] || (isSwapped && size < 8)) return false;
  const { code } = nest;
  const offset = nest.pushAddress(near.from, size, base, near.shift);
  value();
  if (size === 8) {
    if (isSwapped) {
      value();
      code.shuffleLanes(swapped);
    }
    code.memory("v128.store", offset);
    return true;
  }
  if (dtype === "bool") code.v128([1, 1, 1, 1]).op("v128.and");
  if (size < 4) {
    value();
    const bytes = dtype === "bool" ? [0, 8] : size === 1 ? [0, 4] : [0, 1, 4, 5];
    code.shuffle(Array.from({ length: 16 }, (_, i) => bytes[i % bytes.length] as number));
  }
  const store =
    size === 4 ? "v128.store64_lane" : size === 2 ? "v128.store32_lane" : "v128.store16_lane";
  code.memoryLane(store, offset, 0);
  return true;
}

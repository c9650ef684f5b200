/** Where the elements of a vector's lanes lie in their buffer. */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { LaneIndex } from "./lanes.ts";
import type { Address, Nest } from "./nest.ts";

/** The lanes of one vector of a block, from lane `first` on; the first `valid` of them count. */
export interface LaneQuad {
  readonly index: LaneIndex;
  readonly first: number;
  readonly valid: number;
}

/** Lanes at constant distances from the lowest of them, which lies `shift` beyond `from`. */
export interface Spread {
  readonly from: IndexExpr;
  readonly shift: number;
  readonly lanes: readonly number[];
}

export function spread(nest: Nest, { index, first }: LaneQuad): Spread | undefined {
  if (index.offsets === undefined) return undefined;
  const offsets = index.offsets.slice(first, first + nest.lanes);
  const lowest = Math.min(...offsets);
  return { from: index.at(0), shift: lowest, lanes: offsets.map((offset) => offset - lowest) };
}

export const consecutive = (lanes: readonly number[]): boolean =>
  lanes.every((lane, i) => lane === i);

/** Runs `body` with computed indices taken from lane `lane`. */
export function inLane(nest: Nest, lane: number, body: () => void): void {
  const before = nest.lane;
  nest.lane = lane;
  body();
  nest.lane = before;
}

/** Pushes lanes of elements of 4 or 8 bytes, each from a place of its own. */
export function gatherLanes(nest: Nest, size: 4 | 8, base: Address, quad: LaneQuad): void {
  const offsets: number[] = [];
  for (let lane = quad.valid - 1; lane >= 0; lane--) {
    inLane(nest, quad.first + lane, () => {
      offsets[lane] = nest.pushAddress(quad.index.at(quad.first + lane), size, base);
    });
  }
  const bits = size === 4 ? 32 : 64;
  nest.code.memory(`v128.load${bits}_zero`, offsets[0] as number);
  for (let lane = 1; lane < quad.valid; lane++) {
    nest.code.memoryLane(`v128.load${bits}_lane`, offsets[lane] as number, lane);
  }
}

/** Where the elements of a vector's lanes lie in their buffer. */
import type { LaneIndex, Spread } from "./lanes.ts";
import type { Address, Nest } from "./nest.ts";

/** The lanes of one vector of a block, from lane `first` on; the first `valid` of them count. */
export interface LaneQuad {
  readonly index: LaneIndex;
  readonly first: number;
  readonly valid: number;
}

export type { Spread } from "./lanes.ts";

/** Undefined where lanes do not lie at constant distances. */
export function spread(nest: Nest, { index, first }: LaneQuad): Spread | undefined {
  const { offsets, spreads } = index;
  if (offsets === undefined) return undefined;
  const known = spreads?.[first];
  if (known !== undefined) return known;
  const end = Math.min(first + nest.lanes, offsets.length);
  let lowest = offsets[first] as number;
  for (let i = first; i < end; i++) lowest = Math.min(lowest, offsets[i] as number);
  const lanes: number[] = [];
  let reach = 0;
  let isRun = true;
  for (let i = first; i < end; i++) {
    const lane = (offsets[i] as number) - lowest;
    reach = Math.max(reach, lane);
    isRun &&= lane === i - first;
    lanes.push(lane);
  }
  const found = { from: index.at(0), shift: lowest, lanes, reach, isRun };
  if (spreads !== undefined) spreads[first] = found;
  return found;
}

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

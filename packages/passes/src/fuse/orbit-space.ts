/** Positions of a tensor's elements as bit vectors, and at which of them to look to see whether a map of positions is affine. */
import { elementCount } from "@gridfuse/graph";

/** Positions of the last layer: (high · 2^bits + vector) · low + rest. */
export interface PositionSpace {
  readonly high: number;
  readonly bits: number;
  readonly low: number;
}

/** Bits of positions that the arithmetic here has room for. */
const mostBits = 28;
/** Positions beyond the unit vectors at which a proposal is tried before it is made. */
const spotChecks = 4;

/** The bits of a value with `size` elements among others of the same outer and inner extents. */
export function bitsOf(size: number, high: number, low: number): number | undefined {
  const bits = Math.log2(size / (high * low));
  return Number.isInteger(bits) && bits >= 0 && bits <= mostBits ? bits : undefined;
}

/** Ways to see positions as bit vectors, between what is not a power of two outside and inside. */
export function spacesOf(shape: readonly number[]): PositionSpace[] {
  const size = elementCount(shape);
  const spaces: PositionSpace[] = [];
  let low = 1;
  for (let d = shape.length - 1; d >= 0; d -= 1) {
    const extent = shape[d] as number;
    if (low === 1 || isOdd(shape[d + 1] as number)) {
      const bits = twos(size / low);
      if (bits > 0 && bits <= mostBits) spaces.push({ high: size / low / 2 ** bits, bits, low });
    }
    low *= extent;
  }
  return spaces.filter((space, i) => spaces.findIndex((s) => s.low === space.low) === i);
}

const isOdd = (n: number): boolean => n > 1 && n % 2 === 1;

function twos(n: number): number {
  let bits = 0;
  for (let rest = n; rest > 0 && rest % 2 === 0; rest /= 2) bits += 1;
  return bits;
}

export interface Position {
  readonly high: number;
  readonly vector: number;
  readonly low: number;
}

/** Positions that determine an affine map: `start`, and one step from it in every direction. */
export function unitPositions(bits: number, start: number): Position[] {
  const positions = [{ high: 0, vector: start, low: 0 }];
  for (let bit = 0; bit < bits; bit += 1) {
    positions.push({ high: 0, vector: start ^ (1 << bit), low: 0 });
  }
  return positions;
}

/** A few positions that could disprove an affine map. Any sequence will do that looks like chance and is always the same. */
export function spotPositions({ high, bits, low }: PositionSpace): Position[] {
  let state = 0x2545f491;
  const next = (below: number): number => {
    state = (Math.imul(state, 0x19660d) + 0x3c6ef35f) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: spotChecks }, () => ({
    high: next(high),
    vector: next(2 ** bits),
    low: next(low),
  }));
}

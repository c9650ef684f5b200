/**
 * What it costs to keep a value in memory, and what to compute it again: every number that `fuse` decides by.
 *
 * The unit is a scalar operation on one element, as vector code does it. A trip through memory (a write by one kernel, a read
 * by another) is `memoryTrip` of them where the array lies in a cache, and a kernel of its own comes on top. Measured on
 * x86-64 with 128-bit vectors; the same on every machine, because a plan is.
 */

/** Scalar operations that weigh as much as writing an element and reading it back in the same shape. */
export const memoryTrip = 2;
/** The same where several kernels would each compute the value: they have to be worth a kernel of their own. */
export const memoryTripOfOwnKernel = 8;
/** Copies that a broadcast makes of an element, from which computing each of them counts as computing again. */
export const repeatsThatCount = 1.5;
/**
 * Pieces of a concatenation that a kernel tells apart for each element, by a comparison and a guarded read each. Of more, every
 * piece is put in its place by itself. On the machine of the guide an element of 8 pieces takes 1.4 ns, of 16 3.0, of 64 25.
 */
export const mostPieces = 8;

/** Scalar operations in a row that one kernel computes; a longer chain is cut, so that neither kernels nor stacks grow without end. */
export const longestChain = 128;
/** Operations that a scatter does itself, one element after the other, rather than read what vectors have computed. */
export const operationsOfScatter = 4;
/** What a reduction counts for: the stages after it compute what it folds once more. */
export const reductionWeight = 32;

const operations: { readonly [op: string]: number } = {
  full: 0,
  iota: 0,
  multiple_of: 0,
  exp: 16,
  log: 16,
  sin: 20,
  cos: 20,
  tanh: 20,
  logistic: 18,
  erf: 20,
  pow: 40,
  threefry2x32: 100,
  div: 4,
  sqrt: 4,
  rsqrt: 6,
};

/** Scalar operations of an elementwise op. */
export const operationsOf = (op: string): number => operations[op] ?? 1;

/** How a value that could be computed where it is read is read. */
export interface Readers {
  /** Scalar operations for one element, all producers inlined. */
  readonly cost: number;
  /** Contains a reduction: such values are hoisted per row and never worth a kernel of their own. */
  readonly reduces: boolean;
  /** Different index maps through which it is read. */
  readonly maps: number;
  /** Elements of the reader per element of the value, at most. */
  readonly repeat: number;
  /** It flows into several arrays that cannot be outputs of one kernel, for want of one domain. */
  readonly severalDomains: boolean;
}

/** Why a value is stored. `maps`: every layer of a butterfly would double the work; orbits may undo it. */
export type StoreReason = "maps" | "kernels" | "repeats";

/** Whether a value is stored, and why; undefined to compute it where it is read. */
export function storeOrRecompute(readers: Readers): StoreReason | undefined {
  const { cost, reduces, maps, repeat, severalDomains } = readers;
  if (cost <= memoryTrip) return undefined;
  if (maps > 1) return !reduces || cost > memoryTripOfOwnKernel ? "maps" : undefined;
  if (reduces || cost <= memoryTripOfOwnKernel) return undefined;
  if (severalDomains) return "kernels";
  return repeat > repeatsThatCount ? "repeats" : undefined;
}

/** A value that is stored because computing it again would cost more. */
export interface Stored {
  readonly reason: StoreReason;
  readonly readers: Readers;
}

/** One line of a report. */
export function explainStore({ reason, readers: { cost, maps, repeat } }: Stored): string {
  const again = `${cost >= 1e6 ? "over a million" : cost} operations an element`;
  switch (reason) {
    case "maps":
      return `${again} would be done for each of ${maps} index maps`;
    case "kernels":
      return `${again} would be done by several kernels`;
    case "repeats":
      return `${again} would be done ${Number(repeat.toFixed(1))} times over along a broadcast`;
    default:
      return reason satisfies never;
  }
}

// ── Orbits ──────────────────────────────────────────────────────────────────────────────────

/** Scalar operations of one kernel over orbits, all members together. */
const mostOperations = 1500;
/** Values that are alive at once: four-lane vectors beyond what registers and the first cache hold for free. */
const mostAlive = 16;
/** log₂ of the members of the largest orbit. */
const largestRank = 3;

/**
 * Whether an orbit of 2^rank members, with `alive` elements in its widest layer and `operations` in all of them, is worth
 * one kernel: it saves a trip through memory for every layer but one, as long as a core has room for it.
 */
export const orbitPays = (rank: number, alive: number, operations: number): boolean =>
  rank <= largestRank && alive <= mostAlive && operations <= mostOperations;

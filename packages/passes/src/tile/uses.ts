/**
 * What a step that does one tile's part uses of each buffer, and whether that is the tile's own part.
 *
 * Tile t's part of a buffer of n elements is t·n/T … (t + 1)·n/T − 1. An access keeps to it if, with t·n/T subtracted, its
 * interval lies in [0, n/T): the same arithmetic by which the verifier proves that accesses are in bounds.
 */
import { guardedInterval } from "@gridfuse/plan";
import type { IndexExpr, IndexTerm } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";

/** An axis that all steps of a chain share, as so many tiles, named in index expressions by `loop`. */
export interface Tiling {
  readonly loop: number;
  readonly trips: number;
  /** Elements of a buffer, as the steps see it that are to be cut. */
  readonly lengthOf: (buffer: number) => number;
  /** Whether the steps see a tile's part of the buffer, of tiles around the ones they are to be cut into. */
  readonly isPart: (buffer: number) => boolean;
  readonly known: Known;
}

/** Steps of a chain ask for the same few expressions again and again. */
export class Known {
  /** Renumberings, by the domain they cut. */
  readonly maps: Map<string, (e: IndexExpr) => IndexExpr> = new Map();
  readonly within: Map<string, IndexExpr> = new Map();
  readonly reaches: Map<string, Reach> = new Map();
}

/** Where an access goes, as far as intervals show it. */
export interface Reach {
  /** It keeps to the tile's own part. */
  readonly own: boolean;
  /** Beyond what a tile around this one has of the buffer. */
  readonly strays: boolean;
}

export interface Use {
  /** Every access keeps to the tile's own part. */
  own: boolean;
  /** Some access is not shown to keep to the part of a tile around this one. */
  strays: boolean;
  read: boolean;
  /** Written by a step that does the tile's part of the work. */
  written: boolean;
  /** Written by a step that every tile does as a whole, for itself. */
  repeated: boolean;
  /** Written by one step in all tiles, wherever it likes: they have to run one after the other. */
  ordered: boolean;
  /** Written by one step, and nothing else: by every tile other elements, though not a part of the buffer. */
  apart: boolean;
}

export class Uses {
  readonly byBuffer: Map<number, Use> = new Map();

  add(
    buffer: number,
    {
      own = true,
      strays = false,
      read = false,
      written = false,
      repeated = false,
      ordered = false,
      apart = false,
    }: Partial<Use>,
  ): void {
    const known = this.byBuffer.get(buffer);
    if (known === undefined) {
      this.byBuffer.set(buffer, { own, strays, read, written, repeated, ordered, apart });
      return;
    }
    known.ordered ||= ordered;
    // Only what one step writes is shown to be apart.
    known.apart = false;
    known.own &&= own;
    known.strays ||= strays;
    known.read ||= read;
    known.written ||= written;
    known.repeated ||= repeated;
  }

  addAll(other: Uses): void {
    for (const [buffer, use] of other.byBuffer) this.add(buffer, use);
  }

  /** A buffer by which tiles would depend on each other, if any. */
  conflict(): number | undefined {
    for (const [buffer, use] of this.byBuffer) {
      const { own, strays, written, repeated, ordered, apart } = use;
      if ((ordered || apart) && !strays) continue;
      if (strays || (written && (!own || repeated))) return buffer;
    }
    return undefined;
  }

  /** Whether tiles have to run one after the other. */
  get isOrdered(): boolean {
    return [...this.byBuffer.values()].some(({ ordered }) => ordered);
  }

  /** Whether there would be a conflict with `other` added. */
  conflictsWith(other: Uses): boolean {
    for (const [buffer, theirs] of other.byBuffer) {
      const known = this.byBuffer.get(buffer);
      if (known === undefined && (theirs.ordered || theirs.apart)) continue;
      const ours = known ?? theirs;
      if (ours.ordered || theirs.ordered || ours.apart || theirs.apart) return true;
      const own = ours.own && theirs.own;
      const repeated = ours.repeated || theirs.repeated;
      if ((ours.written || theirs.written) && (!own || repeated)) return true;
    }
    return false;
  }
}

/** An access as indices and what is known of them; `first` and `last` for a stretch of elements. */
interface Access {
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
  readonly first?: number;
  readonly last?: number;
}

/** Elements of a tile's part; undefined where the buffer has no equal parts. */
export function partLength({ trips, lengthOf }: Tiling, buffer: number): number | undefined {
  const length = lengthOf(buffer);
  return length > 0 && length % trips === 0 ? length / trips : undefined;
}

export const tileIndex = ({ loop, trips }: Tiling): IndexExpr => ix.loop(loop, trips);

/** `index` counted from where the tile's part of the buffer begins. */
export function withinPart(tiling: Tiling, buffer: number, index: IndexExpr): IndexExpr {
  const length = partLength(tiling, buffer) as number;
  const { within } = tiling.known;
  const key = `${length}:${index.key}`;
  let found = within.get(key);
  if (found === undefined) {
    found = ix.sub(index, ix.mul(tileIndex(tiling), length));
    within.set(key, found);
  }
  return found;
}

/** The other way round. */
export function fromPart(
  { loop, trips }: Tiling,
  partElements: number,
  index: IndexExpr,
): IndexExpr {
  return ix.add(index, ix.mul(ix.loop(loop, trips), partElements));
}

/** Where elements `index + first … index + last` lie. */
export function reachOf(tiling: Tiling, buffer: number, access: Access): Reach {
  const part = partLength(tiling, buffer);
  const { index, guard, first = 0, last = 0 } = access;
  const within = (e: IndexExpr, length: number): boolean => {
    const { lo, hi } = guardedInterval(e, guard);
    return lo > hi || (lo + first >= 0 && hi + last < length);
  };
  const isPart = tiling.isPart(buffer);
  if (part === undefined && !isPart) return across;
  const length = tiling.lengthOf(buffer);
  let key = `${isPart ? "p" : ""}${length}:${first}:${last}:${index.key}`;
  for (const range of guard) key += `&${range.lo}<=${range.index.key}<${range.hi}`;
  let reach = tiling.known.reaches.get(key);
  if (reach === undefined) {
    const own = part !== undefined && within(withinPart(tiling, buffer, index), part);
    reach = { own, strays: isPart && !own && !within(index, length) };
    tiling.known.reaches.set(key, reach);
  }
  return reach;
}

const across: Reach = { own: false, strays: false };

/**
 * Whether tiles write different elements, wherever those lie: modulo some multiple of all tiles' strides s·trips, tile t
 * keeps to o + t·s … o + (t + 1)·s − 1. Blocks of columns of a matrix are such elements.
 */
export function areApart(tiling: Tiling, writes: readonly Access[]): boolean {
  let [stride, least, greatest] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { index, guard } of writes) {
    const own = strideAlong(tiling, index);
    if (own <= 0 || (stride !== 0 && own !== stride)) return false;
    stride = own;
    const { lo, hi } = guardedInterval(beside(tiling, index, own), guard);
    least = Math.min(least, lo);
    greatest = Math.max(greatest, hi);
  }
  return greatest - least < stride;
}

const termsOf = (e: IndexExpr): readonly IndexTerm[] =>
  e.k === "sum" ? e.terms : e.k === "const" ? [] : [{ factor: 1, of: e }];

const strideAlong = ({ loop }: Tiling, e: IndexExpr): number =>
  termsOf(e).find(({ of }) => of.k === "loop" && of.loop === loop)?.factor ?? 0;

/** `index` without what the tile adds to it, and without multiples of what all tiles together add. */
function beside(tiling: Tiling, index: IndexExpr, stride: number): IndexExpr {
  const all = stride * tiling.trips;
  return termsOf(index).reduce((rest, { factor, of }) => {
    const isTile = of.k === "loop" && of.loop === tiling.loop;
    return isTile || factor % all === 0 ? ix.sub(rest, ix.mul(of, factor)) : rest;
  }, index);
}

/** By how much the index grows along an axis, as far as that is the same everywhere. */
export const strideOfAxis = (e: IndexExpr, axis: number): number =>
  termsOf(e).find(({ of }) => of.k === "axis" && of.axis === axis)?.factor ?? 0;

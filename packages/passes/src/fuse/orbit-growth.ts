/** One orbit, growing from its last layer towards memory as long as it stays closed and pays. */
import type { ValueId } from "@gridfuse/graph";
import { orbitPays } from "./cost.ts";
import { type AffineFit, preimage, Span } from "./gf2.ts";
import { bitsOf, type PositionSpace } from "./orbit-space.ts";
import type { OrbitSearch, SearchedSpace } from "./orbits.ts";

export interface Orbit {
  /** Values of the last layer; they alone get memory. */
  readonly finals: readonly ValueId[];
  readonly space: PositionSpace;
  /** Basis of the differences between the positions of one orbit. */
  readonly span: Span;
  /** Values of the layers before, and how many elements of each one orbit needs. */
  readonly inner: ReadonlyMap<ValueId, number>;
  /** Layers of computation in one kernel. */
  readonly layers: number;
}

/** Positions of a value that belong to domain point t: linear(t) + offset + coset. */
interface Member {
  readonly linear: readonly number[];
  readonly offset: number;
  readonly coset: Span;
}

/** What was known of a value before one more member was found to read it. */
interface Before {
  readonly value: ValueId;
  readonly positions: Member | null | undefined;
}

/**
 * Whether an orbit may end in `final`, as far as can be said before anything is traced. Of every stored value that it reads
 * the positions must be known. Where such a value has fewer of them, each is read from so many positions of `final` that
 * those would have to be computed together.
 */
export function mayGrow(
  search: OrbitSearch,
  final: ValueId,
  { high, bits, low }: PositionSpace,
): boolean {
  const { reads, isPlain } = search.coneOf(final);
  for (const value of reads) {
    if (!search.isStored(value)) continue;
    const own = isPlain ? bitsOf(search.sizeOf(value), high, low) : undefined;
    if (own === undefined || bits - own > mostRank) return false;
  }
  return true;
}

/** One orbit, growing from its last layer towards memory. */
export class OrbitGrowth {
  readonly #search: OrbitSearch;
  readonly #space: PositionSpace;
  readonly #searched: SearchedSpace;
  readonly #finals: ValueId[] = [];
  /** In the order in which they came. */
  readonly #members = new Map<ValueId, Member>();
  /** Positions of each value that members read; null where that is no matter of a few directions. */
  readonly #reads = new Map<ValueId, Member | null>();
  /** How `reads` came about, to undo it. */
  readonly #history: Before[] = [];
  #span = new Span();

  constructor(search: OrbitSearch, final: ValueId, space: PositionSpace) {
    this.#search = search;
    this.#space = space;
    this.#searched = search.searchedIn(space);
    this.#addFinal(final);
  }

  #addFinal(value: ValueId): void {
    this.#finals.push(value);
    const linear = Array.from({ length: this.#space.bits }, (_, bit) => 2 ** bit);
    this.#add(value, { linear, offset: 0, coset: new Span() });
  }

  #add(value: ValueId, member: Member): void {
    this.#members.set(value, member);
    const fits = this.#search.fitsOf(value, this.#searched);
    for (const read of this.#search.coneOf(value).reads) {
      const positions = this.#reads.get(read);
      if (positions === null) continue;
      this.#history.push({ value: read, positions });
      this.#reads.set(read, joinedPositions(positions, member, fits?.get(read)));
    }
  }

  /** Takes back all members but the first `members`, with what they read. */
  #undo(finals: number, members: number, history: number): void {
    this.#finals.length = finals;
    for (const value of [...this.#members.keys()].slice(members)) this.#members.delete(value);
    while (this.#history.length > history) {
      const { value, positions } = this.#history.pop() as Before;
      if (positions === undefined) this.#reads.delete(value);
      else this.#reads.set(value, positions);
    }
  }

  run(): void {
    if (!this.#widen(this.#finals)) {
      return;
    }
    const refused = new Set<ValueId>();
    for (;;) {
      const next = this.#nextCandidate(refused);
      if (next === undefined) return;
      if (!this.#absorb(next)) refused.add(next);
    }
  }

  /** The deepest value that the members read and that is not one of them. */
  #nextCandidate(refused: ReadonlySet<ValueId>): ValueId | undefined {
    let best: ValueId | undefined;
    let deepest = -1;
    for (const value of this.#reads.keys()) {
      const depth = this.#search.depthOf(value);
      if (depth <= deepest || this.#members.has(value) || refused.has(value)) continue;
      if (!this.#search.isCandidate(value)) continue;
      best = value;
      deepest = depth;
    }
    return best;
  }

  /** Takes `value` in, with whatever else reads it, or changes nothing. */
  #absorb(value: ValueId): boolean {
    const counts = [this.#finals.length, this.#members.size, this.#history.length] as const;
    const span = this.#span;
    const added = this.#addReaders(value);
    if (added !== undefined && this.#widen(added) && this.#pays()) return true;
    this.#undo(...counts);
    this.#span = span;
    return false;
  }

  /**
   * Makes `value` a member, after all who read it: they become members in the same way, or final ones where they are
   * as deep as those.
   *
   * @returns the new members; undefined where one of them cannot be one
   */
  #addReaders(value: ValueId): ValueId[] | undefined {
    const search = this.#search;
    const readers = search.readersOf(value).filter((reader) => !this.#members.has(reader));
    if (!this.#mayJoin(readers)) return undefined;
    // Its own inputs must lie at positions that do not depend on data, too.
    if (search.fitsOf(value, this.#searched) === undefined) return undefined;
    const added: ValueId[] = [];
    for (const reader of readers) {
      // Another reader may have taken it along.
      if (this.#members.has(reader)) continue;
      if (this.#isInner(reader)) {
        const more = this.#addReaders(reader);
        if (more === undefined) return undefined;
        added.push(...more);
      } else {
        this.#addFinal(reader);
        added.push(reader);
      }
    }
    const member = this.#reads.get(value);
    if (member === undefined || member === null) return undefined;
    this.#add(value, member);
    return [...added, value];
  }

  #isInner(value: ValueId): boolean {
    return this.#search.depthOf(value) < this.#search.depthOf(this.#finals[0] as ValueId);
  }

  /** What can be said without looking into them: who may be an inner member, and how many final ones there may be. */
  #mayJoin(readers: readonly ValueId[]): boolean {
    const search = this.#search;
    const first = this.#finals[0] as ValueId;
    let finals = this.#finals.length;
    for (const reader of readers) {
      if (!search.isFree(reader)) return false;
      if (this.#isInner(reader)) {
        if (!search.isCandidate(reader)) return false;
        continue;
      }
      if (search.depthOf(reader) !== search.depthOf(first)) return false;
      if (search.sizeOf(reader) !== search.sizeOf(first)) return false;
      finals += 1;
      // However small the orbit, these are alive together.
      if (!orbitPays(0, finals, 0)) return false;
    }
    return true;
  }

  /** Closes the orbit under what `members` read; false where that is no matter of a few directions. */
  #widen(members: readonly ValueId[]): boolean {
    const span = new Span().addAll(this.#span.basis());
    for (const member of members) {
      for (const value of this.#search.coneOf(member).reads) {
        const positions = this.#reads.get(value) ?? undefined;
        const isStored = this.#search.isStored(value);
        if (positions === undefined && isStored) return false;
        if (positions === undefined || (positions.coset.rank === 0 && !isStored)) continue;
        span.addAll(preimage(positions.linear, positions.coset));
        if (span.rank > mostRank) return false;
      }
    }
    this.#span = span;
    return true;
  }

  #positionsOf({ linear, coset }: Member): Span {
    const positions = new Span().addAll(coset.basis());
    for (const v of this.#span.basis()) {
      let image = 0;
      for (let bit = 0; bit < linear.length; bit += 1) {
        if ((v >>> bit) & 1) image ^= linear[bit] as number;
      }
      positions.add(image);
    }
    return positions;
  }

  #pays(): boolean {
    const { rank } = this.#span;
    const points = this.#search.sizeOf(this.#finals[0] as ValueId) / 2 ** rank;
    const alive = new Map<number, number>();
    let operations = 0;
    for (const [value, member] of this.#members) {
      const elements = 2 ** this.#positionsOf(member).rank;
      if (points * elements > this.#search.sizeOf(value)) return false;
      const depth = this.#search.depthOf(value);
      alive.set(depth, (alive.get(depth) ?? 0) + elements);
      operations += this.#search.coneOf(value).operations * elements;
    }
    return orbitPays(rank, Math.max(...alive.values()), operations);
  }

  /** How many members read something at several positions of an orbit, one after the other. */
  #countLayers(): number {
    const depths = new Set<number>();
    for (const member of this.#members.keys()) {
      const fits = [...(this.#search.fitsOf(member, this.#searched)?.values() ?? [])];
      if (fits.some(({ ambiguity }) => ambiguity.rank > 0))
        depths.add(this.#search.depthOf(member));
    }
    return depths.size;
  }

  finish(): Orbit | undefined {
    if (this.#span.rank === 0 || this.#members.size === this.#finals.length) return undefined;
    const inner = new Map<ValueId, number>();
    for (const [value, member] of this.#members) {
      if (!this.#finals.includes(value)) inner.set(value, 2 ** this.#positionsOf(member).rank);
    }
    const layers = this.#countLayers();
    return { finals: this.#finals, space: this.#space, span: this.#span, inner, layers };
  }
}

/** More directions than this in which one value is read are no orbit worth a kernel. */
const mostRank = 4;

/** Positions that other members read, with those that `reader` reads through `fit`; null where that cannot be said. */
function joinedPositions(
  known: Member | undefined,
  reader: Member,
  fit: AffineFit | undefined,
): Member | null {
  if (fit === undefined) return null;
  const images = reader.linear.map((v) => fit.linear(v));
  const image = fit.image(reader.offset);
  const coset = new Span().addAll(known?.coset.basis() ?? []).addAll(fit.ambiguity.basis());
  for (const v of reader.coset.basis()) coset.add(fit.linear(v));
  if (known !== undefined) {
    for (const [bit, v] of images.entries()) coset.add(v ^ (known.linear[bit] as number));
    coset.add(image ^ known.offset);
  }
  if (coset.rank > mostRank) return null;
  return { linear: known?.linear ?? images, offset: known?.offset ?? image, coset };
}

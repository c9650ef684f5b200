/**
 * orbits: layers of butterflies that one kernel computes.
 *
 * A value that is computed and then read through two index maps gets memory of its own, or the work would double at
 * every layer. Where those maps stay inside small closed sets of positions, a kernel that computes all positions of a
 * set at one point of its domain computes every layer once, without memory in between: three substages of a sorting
 * network, three stages of an FFT.
 *
 * Positions are taken as bit vectors, in which exchanging by xor, reversing, transposing and cutting powers of two
 * are affine over GF(2). A layer reads, for position p, the positions linear(p) + constant + ambiguity, where the
 * ambiguity is a subspace: the differences between what is read of one value. Positions of the last layer whose
 * inputs meet in some layer have to be computed together; their differences span the orbit. (Deltas of xor exchanges
 * simply add up; a transposing layer takes its own map along.)
 *
 * What is found here from samples is only a proposal. The kernel is pulled like any other, and whoever pulls it counts
 * what it computes: a proposal that was wrong costs no more than the attempt.
 */
import { elementCount, type Table, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { ConeShapes } from "./cone-shapes.ts";
import { type Cone, Cones } from "./cones.ts";
import { orbitPays } from "./cost.ts";
import { AffineFit, preimage, Span } from "./gf2.ts";
import { isMovement } from "./op-kinds.ts";
import type { Roots } from "./roots.ts";
import { type Element, PointTracer } from "./trace-point.ts";

/** Positions of the last layer: (high · 2^bits + vector) · low + rest. */
export interface PositionSpace {
  readonly high: number;
  readonly bits: number;
  readonly low: number;
}

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

type Fits = ReadonlyMap<ValueId, AffineFit>;

/** Positions of a value that belong to domain point t: linear(t) + offset + coset. */
interface Member {
  readonly linear: readonly number[];
  readonly offset: number;
  readonly coset: Span;
}

/**
 * Proposes orbits and takes their inner values out of `roots`.
 *
 * @param baseOf the value whose memory a value takes, through reshapes
 */
export function findOrbits(
  table: Table,
  decided: Roots,
  baseOf: (value: ValueId) => ValueId,
): readonly Orbit[] {
  for (const { reason } of decided.stored.values()) {
    if (reason === "maps") return searchOrbits(table, decided, baseOf);
  }
  return none;
}

const none: readonly Orbit[] = [];

function searchOrbits(
  table: Table,
  { roots, stored, numbers }: Roots,
  baseOf: (value: ValueId) => ValueId,
): Orbit[] {
  const candidates = new Set(stored.keys());
  const isMoved = (value: ValueId): boolean => {
    const node = table.producer(value);
    return node !== undefined && isMovement(node);
  };
  const bases = new Set<ValueId>();
  for (const value of roots) bases.add(isMoved(value) ? baseOf(value) : value);
  const cones = new Cones(table, numbers, roots, bases);
  return new OrbitSearch(table, roots, candidates, cones).run();
}

/** What has been found out in one space. */
interface SearchedSpace {
  readonly space: PositionSpace;
  readonly fitsOf: Map<ValueId, Fits | undefined>;
  /** By cone shape: how it reads its leaves. */
  readonly traces: Map<number, { possible: boolean; fits: (AffineFit | undefined)[] }>;
}

/** Bits of positions that the arithmetic here has room for. */
const mostBits = 28;
/** Positions beyond the unit vectors at which a proposal is tried before it is made. */
const spotChecks = 4;

class OrbitSearch {
  readonly #table: Table;
  readonly #tracer: PointTracer;
  readonly #roots: Set<ValueId>;
  readonly #candidates: ReadonlySet<ValueId>;
  readonly #cones: Cones;
  readonly #taken = new Set<ValueId>();
  readonly #shapes: ConeShapes;
  readonly #searched = new Map<string, SearchedSpace>();

  constructor(table: Table, roots: Set<ValueId>, candidates: ReadonlySet<ValueId>, cones: Cones) {
    this.#table = table;
    this.#roots = roots;
    this.#tracer = new PointTracer(table, (value) => roots.has(value));
    this.#shapes = new ConeShapes(table);
    this.#candidates = candidates;
    this.#cones = cones;
  }

  run(): Orbit[] {
    const orbits: Orbit[] = [];
    const growing = this.#growing();
    for (const value of this.#cones.heads().toReversed()) {
      if (!growing.has(value) || this.#taken.has(value)) continue;
      for (const space of spacesOf(this.#table.tensor(value).shape.map(Number))) {
        const growth = new OrbitGrowth(this, value, space);
        growth.run();
        const orbit = growth.finish();
        if (orbit === undefined) continue;
        for (const final of orbit.finals) this.#taken.add(final);
        for (const inner of orbit.inner.keys()) {
          this.#taken.add(inner);
          this.#roots.delete(inner);
        }
        orbits.push(orbit);
        break;
      }
    }
    return orbits;
  }

  /**
   * Values that an orbit may end in: those that take in something that they read. All who read that have to be as deep,
   * or members in their turn. Most values of a program that is no network fail here, before anything is traced.
   */
  #growing(): Set<ValueId> {
    const growing = new Set<ValueId>();
    for (const candidate of this.#candidates) {
      if (!this.isCandidate(candidate)) continue;
      const readers = this.readersOf(candidate);
      const depth = readers.reduce((most, reader) => Math.max(most, this.depthOf(reader)), 0);
      const deepest = readers.filter((reader) => this.depthOf(reader) === depth);
      const size = this.sizeOf(deepest[0] ?? candidate);
      const fits = readers.every((reader) =>
        this.depthOf(reader) < depth ? this.isCandidate(reader) : this.sizeOf(reader) === size,
      );
      if (fits) for (const reader of deepest) growing.add(reader);
    }
    return growing;
  }

  // ── What a growing orbit asks ───────────────────────────────────────────────────────────────

  sizeOf(value: ValueId): number {
    return elementCount(this.#table.tensor(value).shape);
  }

  coneOf(value: ValueId): Cone {
    return this.#cones.of(value);
  }

  depthOf(value: ValueId): number {
    return this.#cones.depthOf(value);
  }

  isFree(value: ValueId): boolean {
    return this.#cones.has(value) && !this.#taken.has(value);
  }

  isCandidate(value: ValueId): boolean {
    return this.#candidates.has(value) && this.isFree(value);
  }

  isStored(value: ValueId): boolean {
    return this.#candidates.has(value) && this.#roots.has(value);
  }

  readersOf(value: ValueId): readonly ValueId[] {
    return this.#cones.readersOf(value);
  }

  /**
   * How the reads of `head` depend on its position, for each value that it reads; undefined where they are not of this
   * kind. Layers of one network resemble each other: of cones that are written alike, one is traced.
   */
  fitsOf(head: ValueId, { space, fitsOf, traces }: SearchedSpace): Fits | undefined {
    if (!this.#cones.of(head).isPlain) return undefined;
    if (fitsOf.has(head)) return fitsOf.get(head);
    const { number, leaves } = this.#shapes.of(head, (value) => this.#roots.has(value));
    let traced = traces.get(number);
    if (traced === undefined) {
      const fits = this.#fit(head, space);
      traced = { possible: fits !== undefined, fits: leaves.map((leaf) => fits?.get(leaf)) };
      traces.set(number, traced);
    }
    const fits = traced.possible ? new Map<ValueId, AffineFit>() : undefined;
    for (const [i, fit] of traced.fits.entries()) if (fit) fits?.set(leaves[i] as ValueId, fit);
    fitsOf.set(head, fits);
    return fits;
  }

  searchedIn(space: PositionSpace): SearchedSpace {
    const key = `${space.low}:${space.high}:${space.bits}`;
    let searched = this.#searched.get(key);
    if (searched === undefined) {
      searched = { space, fitsOf: new Map(), traces: new Map() };
      this.#searched.set(key, searched);
    }
    return searched;
  }

  #fit(head: ValueId, { high, low }: PositionSpace): Fits | undefined {
    const bits = bitsOf(this.sizeOf(head), high, low);
    if (bits === undefined) return undefined;
    const tracer = this.#tracer;
    const fits = new Map<ValueId, AffineFit>();
    /** Whether all reads at these positions are of the kind. */
    const sample = (positions: readonly Position[]): boolean =>
      positions.every((from) => {
        const elements = tracer.trace(head, (from.high * 2 ** bits + from.vector) * low + from.low);
        return (
          elements?.every((element) => this.#note(element, from, { high, low }, fits)) === true
        );
      });
    if (!sample(unitPositions(bits, 0))) return undefined;
    const fromZero = fits.size;
    if (!sample(spotPositions({ high, bits, low }))) return undefined;
    // What position 0 does not read, such as the upper half of a concatenation, the last position may.
    const partial = fits.size > fromZero || [...fits.values()].some((fit) => !fit.startsAtZero);
    return !partial || sample(unitPositions(bits, 2 ** bits - 1)) ? fits : undefined;
  }

  #note(
    { value, at }: Element,
    from: Position,
    { high, low }: Omit<PositionSpace, "bits">,
    fits: Map<ValueId, AffineFit>,
  ): boolean {
    const bits = bitsOf(this.sizeOf(value), high, low);
    const position = Math.floor(at / low);
    const isAligned =
      bits !== undefined && at % low === from.low && Math.floor(position / 2 ** bits) === from.high;
    // What lies in memory anyway may be read from anywhere.
    if (!isAligned) return !this.#candidates.has(value);
    let fit = fits.get(value);
    if (fit === undefined) {
      fit = new AffineFit(from.vector === 0);
      fits.set(value, fit);
    }
    fit.add(from.vector, position % 2 ** bits);
    return true;
  }
}

/** The bits of a value with `size` elements among others of the same outer and inner extents. */
function bitsOf(size: number, high: number, low: number): number | undefined {
  const bits = Math.log2(size / (high * low));
  return Number.isInteger(bits) && bits >= 0 && bits <= mostBits ? bits : undefined;
}

/** Ways to see positions as bit vectors, between what is not a power of two outside and inside. */
function spacesOf(shape: readonly number[]): PositionSpace[] {
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

interface Position {
  readonly high: number;
  readonly vector: number;
  readonly low: number;
}

/** Positions that determine an affine map: `start`, and one step from it in every direction. */
function unitPositions(bits: number, start: number): Position[] {
  const positions = [{ high: 0, vector: start, low: 0 }];
  for (let bit = 0; bit < bits; bit += 1) {
    positions.push({ high: 0, vector: start ^ (1 << bit), low: 0 });
  }
  return positions;
}

/** A few positions that could disprove an affine map. Any sequence will do that looks like chance and is always the same. */
function spotPositions({ high, bits, low }: PositionSpace): Position[] {
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

/** What was known of a value before one more member was found to read it. */
interface Before {
  readonly value: ValueId;
  readonly positions: Member | null | undefined;
}

/** One orbit, growing from its last layer towards memory. */
class OrbitGrowth {
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

// ── The points of an orbit ──────────────────────────────────────────────────────────────────

export interface OrbitPoints {
  /** Extents of a kernel that runs once for every orbit. */
  readonly domain: readonly number[];
  /** Row-major position of each element of an orbit. */
  readonly positions: readonly IndexExpr[];
}

/**
 * The domain that is left when the orbit's highest bits are taken out. It is cut wherever a vector of the basis starts or
 * stops flipping bits, so that every position is a plain sum of axes, some of them running backwards; and where the
 * dimensions of `shape` meet, so that coordinates are.
 */
export function pointsOf(
  { high, bits, low }: PositionSpace,
  span: Span,
  shape: readonly number[],
): OrbitPoints {
  const basis = span.basis();
  const pivots = new Set(span.pivots());
  const cuts = new Set(boundariesOf(shape, low));
  const flips = (bit: number): string => basis.map((v) => (v >>> bit) & 1).join("");
  const domain: number[] = [];
  const newAxis = (extent: number): IndexExpr => ix.axis(domain.push(extent) - 1, extent);
  const parts: { axis: IndexExpr; bit: number; width: number }[] = [];
  const outer = ix.mul(newAxis(high), 2 ** bits * low);
  for (let top = bits; top > 0; ) {
    let bottom = top - 1;
    if (!pivots.has(bottom)) {
      const joins = (bit: number): boolean =>
        bit >= 0 && !pivots.has(bit) && flips(bit) === flips(bottom) && !cuts.has(bit + 1);
      while (joins(bottom - 1)) bottom -= 1;
      const width = top - bottom;
      parts.push({ axis: newAxis(2 ** width), bit: bottom, width });
    }
    top = bottom;
  }
  const inner = newAxis(low);
  const positions = span.members().map((member) => {
    let constant = 0;
    for (const bit of pivots) if ((member >>> bit) & 1) constant += 2 ** bit * low;
    const terms = parts.map(({ axis, bit, width }) => {
      const unit = 2 ** bit * low;
      const backwards = (member >>> bit) & 1;
      if (backwards === 0) return ix.mul(axis, unit);
      return ix.mul(ix.sub(ix.constant(2 ** width - 1), axis), unit);
    });
    return ix.add(outer, ...terms, inner, ix.constant(constant));
  });
  return { domain, positions };
}

/** Bits at which a dimension of `shape` begins, where it begins at one. */
function boundariesOf(shape: readonly number[], low: number): number[] {
  const found: number[] = [];
  let stride = 1;
  for (const extent of [...shape].reverse()) {
    stride *= extent;
    const bit = Math.log2(stride / low);
    if (Number.isInteger(bit) && bit > 0) found.push(bit);
  }
  return found;
}

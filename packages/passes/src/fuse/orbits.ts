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
import { ConeSamples, type Samples } from "./cone-samples.ts";
import { ConeShapes } from "./cone-shapes.ts";
import { type Cone, Cones } from "./cones.ts";
import type { AffineFit } from "./gf2.ts";
import { isMovement } from "./op-kinds.ts";
import { mayGrow, type Orbit, OrbitGrowth } from "./orbit-growth.ts";
import { type PositionSpace, spacesOf } from "./orbit-space.ts";
import type { Roots } from "./roots.ts";

type Fits = ReadonlyMap<ValueId, AffineFit>;

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
export interface SearchedSpace {
  readonly space: PositionSpace;
  readonly fitsOf: Map<ValueId, Fits | undefined>;
  /** By the number of a cone's reading: how it reads its leaves, by turn; null where that is not of the kind. */
  readonly traces: Map<number, readonly (AffineFit | undefined)[] | null>;
  /** By the bits of a value's positions. */
  readonly samples: Map<number, Samples>;
}

export class OrbitSearch {
  readonly #table: Table;
  readonly #roots: Set<ValueId>;
  readonly #candidates: ReadonlySet<ValueId>;
  readonly #cones: Cones;
  readonly #taken = new Set<ValueId>();
  readonly #shapes: ConeShapes;
  readonly #samples: ConeSamples;
  readonly #searched = new Map<string, SearchedSpace>();

  constructor(table: Table, roots: Set<ValueId>, candidates: ReadonlySet<ValueId>, cones: Cones) {
    this.#table = table;
    this.#roots = roots;
    this.#shapes = new ConeShapes(table, (value) => roots.has(value));
    this.#samples = new ConeSamples(table, (value) => candidates.has(value));
    this.#candidates = candidates;
    this.#cones = cones;
  }

  run(): Orbit[] {
    const orbits: Orbit[] = [];
    const growing = this.#growing();
    for (const value of this.#cones.heads().toReversed()) {
      if (!growing.has(value) || this.#taken.has(value)) continue;
      for (const space of spacesOf(this.#table.tensor(value).shape.map(Number))) {
        if (!mayGrow(this, value, space)) continue;
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
  fitsOf(head: ValueId, { space, fitsOf, traces, samples }: SearchedSpace): Fits | undefined {
    if (!this.#cones.of(head).isPlain) return undefined;
    if (fitsOf.has(head)) return fitsOf.get(head);
    const cone = this.#shapes.of(head);
    let traced = traces.get(cone.number);
    if (traced === undefined) {
      traced = this.#samples.fit(cone, space, samples) ?? null;
      traces.set(cone.number, traced);
    }
    let fits: Map<ValueId, AffineFit> | undefined;
    if (traced !== null) {
      fits = new Map();
      for (let turn = 0; turn < traced.length; turn += 1) {
        const fit = traced[turn];
        if (fit !== undefined) fits.set(cone.values[turn] as ValueId, fit);
      }
    }
    fitsOf.set(head, fits);
    return fits;
  }

  searchedIn(space: PositionSpace): SearchedSpace {
    const key = `${space.low}:${space.high}:${space.bits}`;
    let searched = this.#searched.get(key);
    if (searched === undefined) {
      searched = { space, fitsOf: new Map(), traces: new Map(), samples: new Map() };
      this.#searched.set(key, searched);
    }
    return searched;
  }
}

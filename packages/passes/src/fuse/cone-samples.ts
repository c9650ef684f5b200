/**
 * How the places at which a cone reads its leaves depend on the position of its head, as far as samples show: one step from
 * the first position in every direction, and a few more that could disprove what those say.
 */
import { elementCount, type Table, type ValueId } from "@gridfuse/graph";
import type { ConeReading } from "./cone-shapes.ts";
import { AffineFit } from "./gf2.ts";
import {
  bitsOf,
  type Position,
  type PositionSpace,
  spotPositions,
  unitPositions,
} from "./orbit-space.ts";
import { PointTracer } from "./trace-point.ts";

type Surroundings = Pick<PositionSpace, "high" | "low">;

/** Positions of values with so many bits, in one space. */
export interface Samples {
  readonly units: readonly Position[];
  readonly spots: readonly Position[];
}

export class ConeSamples {
  readonly #table: Table;
  readonly #tracer: PointTracer;
  readonly #isCandidate: (value: ValueId) => boolean;
  // The cone at hand: by turn, how it is read and how many bits the positions of a leaf have.
  #cone: ConeReading | undefined;
  #fits: (AffineFit | undefined)[] = [];
  #bits: (number | undefined)[] = [];

  /** @param isCandidate of a value that may be an inner one: others may be read from anywhere */
  constructor(table: Table, isCandidate: (value: ValueId) => boolean) {
    this.#table = table;
    this.#tracer = new PointTracer(table);
    this.#isCandidate = isCandidate;
  }

  /**
   * By turn: how each leaf is read; undefined where nothing was seen of it.
   *
   * @returns undefined where reads are not of this kind
   */
  fit(
    cone: ConeReading,
    { high, low }: PositionSpace,
    samples: Map<number, Samples>,
  ): readonly (AffineFit | undefined)[] | undefined {
    const bits = this.#bitsOf(cone.values[0] as ValueId, { high, low });
    if (bits === undefined) return undefined;
    let known = samples.get(bits);
    if (known === undefined) {
      known = { units: unitPositions(bits, 0), spots: spotPositions({ high, bits, low }) };
      samples.set(bits, known);
    }
    this.#cone = cone;
    this.#fits = cone.values.map(() => undefined);
    this.#bits = cone.nodes.map((node, turn) =>
      node === undefined ? this.#bitsOf(cone.values[turn] as ValueId, { high, low }) : undefined,
    );
    this.#tracer.prepare(cone);
    if (!this.#sample(known.units, bits, low)) return undefined;
    const fromZero = this.#count();
    if (!this.#sample(known.spots, bits, low)) return undefined;
    // What position 0 does not read, such as the upper half of a concatenation, the last position may.
    const isPartial =
      this.#count() > fromZero || this.#fits.some((fit) => fit?.startsAtZero === false);
    if (isPartial && !this.#sample(unitPositions(bits, 2 ** bits - 1), bits, low)) {
      return undefined;
    }
    return this.#fits;
  }

  #bitsOf(value: ValueId, { high, low }: Surroundings): number | undefined {
    return bitsOf(elementCount(this.#table.tensor(value).shape), high, low);
  }

  #count(): number {
    let count = 0;
    for (const fit of this.#fits) if (fit !== undefined) count += 1;
    return count;
  }

  /** Whether all reads at these positions are of the kind. */
  #sample(positions: readonly Position[], bits: number, low: number): boolean {
    const tracer = this.#tracer;
    for (const from of positions) {
      if (!tracer.trace((from.high * 2 ** bits + from.vector) * low + from.low)) return false;
      for (let i = 0; i < tracer.found; i += 1) {
        const turn = tracer.turns[i] as number;
        if (!this.#note(turn, tracer.positions[i] as number, from, low)) return false;
      }
    }
    return true;
  }

  #note(turn: number, at: number, from: Position, low: number): boolean {
    const bits = this.#bits[turn];
    const position = Math.floor(at / low);
    const isAligned =
      bits !== undefined && at % low === from.low && Math.floor(position / 2 ** bits) === from.high;
    // What lies in memory anyway may be read from anywhere.
    if (!isAligned) return !this.#isCandidate(this.#cone?.values[turn] as ValueId);
    let fit = this.#fits[turn];
    if (fit === undefined) {
      fit = new AffineFit(from.vector === 0);
      this.#fits[turn] = fit;
    }
    fit.add(from.vector, position % 2 ** bits);
    return true;
  }
}

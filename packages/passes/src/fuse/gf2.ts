/**
 * Linear algebra over GF(2), on integers as bit vectors (up to 30 bits).
 *
 * Exchanges of positions by xor, bit reversals, transpositions and reversals of power-of-two extents are all
 * affine over GF(2): this is the arithmetic in which orbits of index maps are found.
 */

const highestBit = (v: number): number => 31 - Math.clz32(v);

/** A subspace, by a reduced basis: no vector has a bit that is the highest of another. */
export class Span {
  readonly #vectors: number[] = [];
  /** The highest bit of each vector. */
  readonly #bits: number[] = [];

  get rank(): number {
    return this.#vectors.length;
  }

  /** v without what the span can take away: 0 for its members, one and the same for all of a coset. */
  reduce(v: number): number {
    const bits = this.#bits;
    let rest = v;
    for (let i = 0; i < bits.length; i += 1) {
      if ((rest >>> (bits[i] as number)) & 1) rest ^= this.#vectors[i] as number;
    }
    return rest;
  }

  /** Whether v was new to the span. */
  add(v: number): boolean {
    const rest = this.reduce(v);
    if (rest === 0) return false;
    const bit = highestBit(rest);
    const vectors = this.#vectors;
    for (let i = 0; i < vectors.length; i += 1) {
      const vector = vectors[i] as number;
      if ((vector >>> bit) & 1) vectors[i] = vector ^ rest;
    }
    vectors.push(rest);
    this.#bits.push(bit);
    return true;
  }

  addAll(vectors: readonly number[]): this {
    for (let i = 0; i < vectors.length; i += 1) this.add(vectors[i] as number);
    return this;
  }

  /** Reduced basis, smallest first. */
  basis(): readonly number[] {
    return this.rank < 2 ? this.#vectors : this.#vectors.slice().sort((p, q) => p - q);
  }

  /** The highest bits of the basis vectors: one member of every coset has none of them. */
  pivots(): number[] {
    return this.#bits.slice().sort((p, q) => p - q);
  }

  /** Every member, 0 first. */
  members(): number[] {
    const all = [0];
    for (const v of this.basis()) all.push(...all.map((member) => member ^ v));
    return all;
  }
}

/** Marks the affine part of a point: every point has it, no difference of two has. */
const affineUnit = 1 << 30;

/**
 * What a set-valued map does as far as samples show: p ↦ linear(p) + constant + ambiguity, the ambiguity being
 * the subspace by which the samples contradict a plain affine map.
 */
export class AffineFit {
  /** By the highest bit of a point, that point and its image; 0 where there is no such point. */
  readonly #froms: number[] = new Array<number>(31).fill(0);
  readonly #tos: number[] = new Array<number>(31).fill(0);
  readonly ambiguity: Span = new Span();
  /** The first sample was point 0. */
  readonly startsAtZero: boolean;

  constructor(startsAtZero: boolean) {
    this.startsAtZero = startsAtZero;
  }

  add(point: number, image: number): void {
    let from = point | affineUnit;
    let to = image;
    while (from !== 0) {
      const bit = highestBit(from);
      const known = this.#froms[bit] as number;
      if (known === 0) {
        this.#froms[bit] = from;
        this.#tos[bit] = to;
        return;
      }
      from ^= known;
      to ^= this.#tos[bit] as number;
    }
    if (to !== 0) this.ambiguity.add(to);
  }

  /** Image of a point; of an affine map with ambiguity, one of its images. */
  image(point: number): number {
    return this.#apply(point | affineUnit);
  }

  /** Image of a difference of points; directions in which nothing was sampled count as 0. */
  linear(direction: number): number {
    return this.#apply(direction);
  }

  #apply(vector: number): number {
    let rest = vector;
    let image = 0;
    for (let bit = highestBit(rest); rest !== 0; bit = highestBit(rest)) {
      const known = this.#froms[bit] as number;
      rest ^= known === 0 ? 1 << bit : known;
      image ^= this.#tos[bit] as number;
    }
    return image;
  }
}

/** Directions d (of the unit vectors that `images` belong to) whose image lies in `span`. */
export function preimage(images: readonly number[], span: Span): number[] {
  const seen = new Map<number, { image: number; direction: number }>();
  const found: number[] = [];
  images.forEach((given, bit) => {
    let image = span.reduce(given);
    let direction = 1 << bit;
    while (image !== 0) {
      const known = seen.get(highestBit(image));
      if (known === undefined) {
        seen.set(highestBit(image), { image, direction });
        return;
      }
      image ^= known.image;
      direction ^= known.direction;
    }
    found.push(direction);
  });
  return found;
}

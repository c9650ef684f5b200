/**
 * How many tiles: a matter of bytes, not of machines. A tile's temporaries should fit the cache that a core has to itself,
 * and a tile should be long enough that starting its steps costs nothing.
 */

export interface TileBudget {
  /** Temporaries alive at once that are left alone, and what a tile should not exceed. */
  readonly bytes: number;
  /** The same for lanes of a `while`: a tile goes on as long as one of its lanes does. */
  readonly laneBytes: number;
  /** Tiles smaller than this are not asked for. */
  readonly leastBytes: number;
  /** Results of up to so many elements have no parts: they are made before, or by every tile for itself. */
  readonly smallElements: number;
}

/**
 * 256 KiB is half of the smallest second-level cache of server and desktop cores that are sold today (512 KiB), the other half
 * being for inputs and outputs on their way. Lanes of a `while` get 32 KiB: that is a first-level cache, some thousand
 * lanes, and few enough that neighbours finish together.
 */
export const defaultBudget: TileBudget = {
  bytes: 256 * 1024,
  laneBytes: 32 * 1024,
  leastBytes: 16 * 1024,
  smallElements: 64,
};

const mostTrips = 1 << 16;

export function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** How many divisors are tried where the first does not suit every step. */
const mostChoices = 4;

/**
 * The least divisors of `common` that bring `bytes` down to `budget` a tile; where none does, or only by tiles smaller than
 * `least`, the most tiles there may be. Empty where there is only one tile.
 */
export function chooseTrips(
  common: number,
  bytes: number,
  budget: number,
  least: number,
): readonly number[] {
  const possible = divisors(common).filter(
    (trips, i) => i > 0 && trips <= mostTrips && (i === 1 || bytes / trips >= least),
  );
  const enough = possible.filter((trips) => bytes / trips <= budget);
  return enough.length > 0 ? enough.slice(0, mostChoices) : possible.slice(-1);
}

function divisors(n: number): number[] {
  const low: number[] = [];
  const high: number[] = [];
  for (let d = 1; d * d <= n; d += 1) {
    if (n % d !== 0) continue;
    low.push(d);
    if (d * d !== n) high.unshift(n / d);
  }
  return [...low, ...high];
}

/** Coarser and coarser: n divided by its smallest prime factors one after the other, down to 2 or a prime. */
export function* coarser(n: number): Generator<number> {
  let rest = n;
  for (let p = 2; rest > 1; ) {
    if (rest % p === 0) {
      yield rest;
      rest /= p;
    } else p = p * p > rest ? rest : p + 1;
  }
}

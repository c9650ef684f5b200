/**
 * Graphs of thousands of nodes, for the time that compiling takes: generated ones that mix elementwise
 * ops, reductions and movement, in several long branches that meet again, and the bitonic sort as it is
 * written for a machine with registers of (8, 128), tile by tile.
 */
import {
  f32,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  type Tensor,
  takeAlongAxis,
  tensor,
  where,
} from "gridfuse";

export interface LargeGraph {
  readonly name: string;
  readonly graph: () => Graph;
}

/** The compile times that are promised, in milliseconds on the machine of the README. */
export const largeGraphs: readonly LargeGraph[] = [
  { name: "generated 1k", graph: () => generated(1_000) },
  { name: "generated 10k", graph: () => generated(10_000) },
  { name: "generated 100k", graph: () => generated(100_000) },
  { name: "tile-by-tile sort", graph: () => tileSort() },
  { name: "whole-array sort", graph: () => wholeSort() },
];

// ── Generated ───────────────────────────────────────────────────────────────────────────────

const side = 16;
const branches = 8;
/** Ops between two points at which neighbouring branches meet. */
const stride = 24;

/** About `nodes` nodes over [16, 16]: long branches that meet, one output each. */
export function generated(nodes: number): Graph {
  const whole = tensor(f32, [side, side]);
  return graph(
    { x: whole, y: whole },
    ({ x, y }) => {
      let made = 0;
      // The same numbers everywhere: a linear congruential generator (Numerical Recipes).
      let seed = 1;
      const below = (n: number): number => {
        seed = (seed * 1664525 + 1013904223) % 2 ** 32;
        return Math.floor((seed / 2 ** 32) * n);
      };
      const step = (value: Tensor, other: Tensor): Tensor => {
        made += 2;
        switch (below(10)) {
          case 0:
            return value.add(other);
          case 1:
            return value.sub(other);
          case 2:
            made += 1;
            return value.mul(0.5 + below(100) / 100);
          case 3:
            return value.maximum(other);
          case 4:
            made += 2;
            return where(value.lt(other), value, other.add(below(9)));
          case 5:
            return value.tanh();
          case 6:
            return value.transpose([1, 0]).add(other);
          case 7:
            return value.flip(below(2)).sub(1 + below(5));
          case 8:
            made += 3;
            return value.sub(value.sum({ axis: below(2), keepDims: true }));
          default:
            made += 3;
            return value.mul(other).add(below(7));
        }
      };
      let rows: Tensor[] = Array.from({ length: branches }, (_, i) => x.mul(i + 1).add(y));
      while (made < nodes) {
        const before = rows;
        rows = rows.map((row, i) => {
          const partner = before[(i + 1 + below(branches - 1)) % branches];
          let value = row;
          for (let k = 0; k < stride && made < nodes; k++)
            value = step(value, k === 0 ? partner : row);
          return value;
        });
      }
      return Object.fromEntries(rows.map((row, i) => [`o${i}`, row]));
    },
    { name: `generated_${nodes}` },
  );
}

// ── The sort, tile by tile ──────────────────────────────────────────────────────────────────

const [tileRows, lanes] = [8, 128];
type Keys = Tensor<"int32">;

/** x: i32[16·8, 128], every column sorted: 28 substages on 16 tiles of (8, 128) that are taken one by one. */
export function tileSort(tiles = 16): Graph {
  const length = tiles * tileRows;
  const whole = tensor(i32, [length, lanes]);
  const sortTiles = kernel(
    "tile_sort",
    { grid: 1, inputs: { x: whole }, outputs: { sorted: whole } },
    ({ x, sorted }) => {
      const window = (t: number) => `${t * tileRows}:${(t + 1) * tileRows}` as const;
      let held = Array.from({ length: tiles }, (_, t) => x.get(window(t)) as Keys);
      for (let stage = 1; 2 ** stage <= length; stage++) {
        for (let substage = stage - 1; substage >= 0; substage--) {
          held =
            2 ** substage < tileRows
              ? held.map((tile, t) => exchangeWithin(tile, t * tileRows, stage, substage))
              : exchangeTiles(held, stage, 2 ** substage / tileRows);
        }
      }
      for (const [t, tile] of held.entries()) sorted.set(tile, window(t));
    },
  );
  return graph({ x: whole }, ({ x }) => sortTiles({ x }), { name: "tile_sort" });
}

/** Partners lie in one tile: they are gathered along its rows. */
function exchangeWithin(tile: Keys, first: number, stage: number, substage: number): Keys {
  const row = iota(i32, [tileRows, lanes], 0);
  const partner = takeAlongAxis(tile, row.xor(1 << substage), { axis: 0 }) as Keys;
  const isRight = row.and(1 << substage).ne(0);
  const isDescending = row.add(first).shiftRightArithmetic(stage).and(1).ne(0);
  const [left, right] = [where(isRight, partner, tile), where(isRight, tile, partner)];
  const swaps = left.gt(right).xor(isDescending);
  return where(swaps, partner, tile) as Keys;
}

/** Partners lie in tiles `distance` apart, at the same place. */
function exchangeTiles(held: readonly Keys[], stage: number, distance: number): Keys[] {
  const result = [...held];
  for (let t = 0; t < held.length; t++) {
    if ((t & distance) !== 0) continue;
    const [left, right] = [held[t], held[t + distance]];
    const row = iota(i32, [tileRows, lanes], 0);
    const isDescending = row
      .add(t * tileRows)
      .shiftRightArithmetic(stage)
      .and(1)
      .ne(0);
    const swaps = left.gt(right).xor(isDescending);
    result[t] = where(swaps, right, left) as Keys;
    result[t + distance] = where(swaps, left, right) as Keys;
  }
  return result;
}

/** The same network written on the whole array. */
export function wholeSort(tiles = 16): Graph {
  const length = tiles * tileRows;
  const whole = tensor(i32, [length, lanes]);
  const sortWhole = kernel(
    "whole_sort",
    { grid: 1, inputs: { x: whole }, outputs: { sorted: whole } },
    ({ x, sorted }) => {
      let held = x.get() as Keys;
      const row = iota(i32, [length, lanes], 0);
      for (let stage = 1; 2 ** stage <= length; stage++) {
        for (let substage = stage - 1; substage >= 0; substage--) {
          const distance = 2 ** substage;
          const partner = held
            .reshape([length / (2 * distance), 2, distance, lanes])
            .flip(1)
            .reshape([length, lanes]) as Keys;
          const isRight = row.and(distance).ne(0);
          const isDescending = row.shiftRightArithmetic(stage).and(1).ne(0);
          const [left, right] = [where(isRight, partner, held), where(isRight, held, partner)];
          held = where(left.gt(right).xor(isDescending), partner, held) as Keys;
        }
      }
      sorted.set(held);
    },
  );
  return graph({ x: whole }, ({ x }) => sortWhole({ x }), { name: "whole_sort" });
}

/**
 * The bitonic sort as it is written for a machine whose registers are tiles of (8, 128): every step is
 * spelled out for every tile, thousands of ops in all. Beside it the same network on the whole array. The
 * compiler makes about the same of both.
 */
import {
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

/** Which tile of results a `dot` keeps in registers while it walks along k. */

import { type DotElements, elementsOf } from "./dot-elements.ts";
import { type FlatDot, K, M, N, type Operand } from "./flat-dot.ts";
import { fullBlock, lanesOf } from "./lanes.ts";

export interface Tile {
  readonly rows: number;
  /** A multiple of a vector's lanes. */
  readonly columns: number;
}

/**
 * Columns are those of vectors of four; with vectors of two, there are half as many.
 *
 * Fifteen vector registers hold the sums, the columns of one step along k, an element of each row in all lanes (V8 moves all
 * loads of a loop in front of its arithmetic), and a product. 4 × 8 takes all of them: one more sum would be kept
 * in memory, and every addition to it would wait for that. Fewer rows take more columns, so that additions
 * do not wait for each other.
 */
const usual: Tile = { rows: 4, columns: 8 };
const few: Readonly<Record<number, Tile>> = {
  1: { rows: 1, columns: 24 },
  2: { rows: 2, columns: 16 },
};

/** Where two vectors are one: as many registers, twice as wide. */
const wide: Tile = { rows: 4, columns: 16 };

export function tileOf(dot: FlatDot, isWide: boolean): Tile {
  const [, m, n] = dot.extents;
  const elements = elementsOf(dot);
  const scaled = ({ rows, columns }: Tile): Tile => ({
    rows: Math.min(m, rows),
    columns: (columns * elements.lanes) / 4,
  });
  const fits = (tile: Tile | undefined): tile is Tile =>
    tile !== undefined && n >= tile.columns && isRegular(dot, tile, elements);
  const widest = scaled(wide);
  if (isWide && m >= wide.rows && fits(widest)) return widest;
  const own = few[m] && scaled(few[m]);
  return fits(own) ? own : scaled(usual);
}

/** Whether blocks of the tile's size lie at constant distances: those of powers of two nearly always do. */
function isRegular(
  { lhs, rhs, out, extents }: FlatDot,
  { rows, columns }: Tile,
  { lanes }: DotElements,
): boolean {
  const along = ({ index }: Operand, axis: number, width: number): boolean => {
    const of = { axis, extent: extents[axis] as number };
    return lanesOf(index, of, fullBlock(width, lanes), false).offsets !== undefined;
  };
  return (
    along(lhs, M, rows) && along(out, M, rows) && along(rhs, N, columns) && along(out, N, columns)
  );
}

/** Whether elements follow each other along k. */
export function isContiguousAlongK(
  { index }: Operand,
  extent: number,
  { lanes, perLane }: DotElements,
): boolean {
  const along = lanesOf(index, { axis: K, extent }, fullBlock(lanes * perLane), false);
  return along.offsets?.every((offset, lane) => offset === lane) === true;
}

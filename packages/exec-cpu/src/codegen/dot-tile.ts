/** Which tile of results a `dot` keeps in registers while it walks along k. */
import { type FlatDot, K, M, N, type Operand } from "./flat-dot.ts";
import { fullBlock, lanesOf } from "./lanes.ts";

export interface Tile {
  readonly rows: number;
  /** A multiple of 4. */
  readonly columns: number;
}

/**
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
  if (isWide && m >= wide.rows && n >= wide.columns && isRegular(dot, wide)) return wide;
  const tile = few[m];
  const fits = tile !== undefined && n >= tile.columns && isRegular(dot, tile);
  return fits ? tile : { rows: Math.min(m, usual.rows), columns: usual.columns };
}

/** Whether blocks of the tile's size lie at constant distances: those of powers of two nearly always do. */
function isRegular({ lhs, rhs, out, extents }: FlatDot, { rows, columns }: Tile): boolean {
  const along = ({ index }: Operand, axis: number, width: number): boolean =>
    lanesOf(index, { axis, extent: extents[axis] as number }, fullBlock(width), false).offsets !==
    undefined;
  return (
    along(lhs, M, rows) && along(out, M, rows) && along(rhs, N, columns) && along(out, N, columns)
  );
}

/** Whether elements follow each other along k. */
export function isContiguousAlongK({ index }: Operand, extent: number): boolean {
  const lanes = lanesOf(index, { axis: K, extent }, fullBlock(4), false);
  return lanes.offsets?.every((offset, lane) => offset === lane) === true;
}

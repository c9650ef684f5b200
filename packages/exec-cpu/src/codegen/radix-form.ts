/** What a radix sort of a row goes through: passes over digits, what an entry is between them, and the memory that takes. */
import { wordCount } from "./order-words.ts";
import { dtypeOf, isWord, type RowSort, rowsBytes } from "./sort-rows.ts";

const wideDigitLimit = 1024;
export const vectorBytes = 16;
/** Entries to a round of a loop. */
export const unroll = 4;

export interface Pass {
  readonly shift: number;
  readonly bits: number;
  /** Bytes from the first histogram. */
  readonly at: number;
}

export function passesOf(extent: number): readonly Pass[] {
  const widths = extent < wideDigitLimit ? [8, 8, 8, 8] : [11, 11, 10];
  const passes: Pass[] = [];
  let [shift, at] = [0, 0];
  for (const bits of widths) {
    passes.push({ shift, bits, at });
    shift += bits;
    at += 4 * 2 ** bits;
  }
  return passes;
}

export const histogramBytes = ({ bits }: Pass): number => 4 * 2 ** bits;
export const allHistogramBytes = (passes: readonly Pass[]): number =>
  passes.reduce((total, pass) => total + histogramBytes(pass), 0);

/**
 * What an entry is: a word; a word above a place, of 64 bits; digits that are still to come above a place, of 32 bits;
 * a place.
 */
export type Entry = "word" | "pair" | "packed" | "place";
export const entryBytes = (entry: Entry): number => (entry === "pair" ? 8 : 4);

/** Whether words are all there is to sort. */
export const isAlone = (sort: RowSort): boolean =>
  !sort.descending &&
  sort.operands.length === 1 &&
  isWord(dtypeOf(sort, 0)) &&
  sort.sinks.every((sink) => sink.kind === "operand");

export const placeBitsOf = ({ extent }: RowSort): number => Math.ceil(Math.log2(extent));

/** What each pass writes. */
export function entriesOf(sort: RowSort, passes: readonly Pass[]): readonly Entry[] {
  return passes.map(({ shift, bits }, i): Entry => {
    if (isAlone(sort)) return "word";
    if (i === passes.length - 1) return "place";
    return placeBitsOf(sort) <= shift + bits ? "packed" : "pair";
  });
}

export const rowBytes = ({ extent }: RowSort, bytes: number): number =>
  Math.ceil((extent * bytes) / vectorBytes) * vectorBytes;

/** Bytes of each of the two rows of entries. */
export function entryRowBytes(sort: RowSort): number {
  const widest = Math.max(...entriesOf(sort, passesOf(sort.extent)).map(entryBytes));
  return rowBytes(sort, widest);
}

export const fitsRadix = (sort: RowSort): boolean =>
  sort.keys === 1 && wordCount(dtypeOf(sort, 0)) === 1 && sort.extent >= 2 * unroll;

export const radixScratch = (sort: RowSort): number =>
  2 * entryRowBytes(sort) + allHistogramBytes(passesOf(sort.extent)) + resultBytes(sort);

/** Where places are the only result, and lie together, they are written there at once. */
export const isDirect = ({ sinks, inner, extent, taken }: RowSort): boolean =>
  sinks.length === 1 && sinks[0]?.kind === "places" && inner === 1 && taken === extent;

function resultBytes(sort: RowSort): number {
  if (isAlone(sort) || isDirect(sort)) return 0;
  return rowBytes(sort, 4) + rowsBytes(sort);
}

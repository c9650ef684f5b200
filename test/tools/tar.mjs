// Reads tar archives, as far as tests need: two programs that come packed.
import { basename } from "node:path";

/**
 * Yields [base name, contents] of every entry of an uncompressed ustar archive.
 * @param {Buffer} tar
 * @returns {Generator<[string, Buffer]>}
 */
export function* tarEntries(tar) {
  /** @type {(from: number, length: number) => string} */
  const text = (from, length) => tar.toString("latin1", from, from + length).split("\0", 1)[0];
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    yield [basename(text(at, 100)), tar.subarray(at + 512, at + 512 + size)];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

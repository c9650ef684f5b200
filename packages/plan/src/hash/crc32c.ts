/**
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4): finds every damaged byte of a plan file at a cost that does
 * not show. Several bytes a step ("slicing", Kounavis & Berry 2005): eight where constants are large, four otherwise,
 * because a process that has just started feels the making of the tables.
 */

const polynomial = 0x82f63b78;
/** Bytes from which eight tables pay. */
const large = 1 << 16;

/** tables[256·k + b]: what byte b contributes when k more bytes follow. */
let tables: Int32Array = new Int32Array(0);

function makeTables(count: number): Int32Array {
  const made = new Int32Array(count * 256);
  // Contributions add up: only those of single bits need the shift register.
  for (let bit = 128, crc = 1; bit > 0; bit >>= 1) {
    crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
    for (let low = 0; low < 256; low += 2 * bit) made[low + bit] = made[low]! ^ crc;
  }
  for (let i = 256; i < made.length; i++) {
    const previous = made[i - 256]!;
    made[i] = (previous >>> 8) ^ made[previous & 0xff]!;
  }
  return made;
}

/** The checksum of `bytes`, continuing from `seed` (the checksum of what came before). */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const slices = bytes.length < large ? 4 : 8;
  if (tables.length < slices * 256) tables = makeTables(slices);
  const t = tables;
  const { length } = bytes;
  let crc = ~seed;
  let i = 0;
  for (const end = slices === 8 ? length - 7 : 0; i < end; i += 8) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (const end = length - 3; i < end; i += 4) {
    crc ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    crc =
      t[768 + (crc & 0xff)]! ^
      t[512 + ((crc >>> 8) & 0xff)]! ^
      t[256 + ((crc >>> 16) & 0xff)]! ^
      t[crc >>> 24]!;
  }
  for (; i < length; i++) crc = (crc >>> 8) ^ t[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}

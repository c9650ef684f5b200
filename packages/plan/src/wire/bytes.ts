/**
 * Streams of small integers as bytes (LEB128, as in WebAssembly and DWARF): seven bits a byte, least significant
 * first, the high bit says that more follow. Scalar programs and index expressions are most of a plan; read
 * straight from bytes they cost a cold process a fraction of what a MessagePack value each would.
 */

export class ByteWriter {
  readonly #bytes: number[] = [];

  /** 0 ≤ value ≤ 2^53 − 1. */
  natural(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes.push(rest);
  }

  /** Zigzag: 0, −1, 1, −2, … become 0, 1, 2, 3, …; |value| < 2^52. */
  signed(value: number): void {
    this.natural(value < 0 ? -2 * value - 1 : 2 * value);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** What `signed` can say; well beyond any index, well within what floats count exactly. */
export const signedLimit: number = 2 ** 52 - 1;

/** How a stream can be wrong, for the caller to put into words with its own place. */
export type ByteFault = "cut off" | "not in shortest form" | "beyond 2^53";

export class ByteReader {
  at = 0;
  readonly bytes: Uint8Array;
  readonly #fail: (fault: ByteFault) => unknown;

  constructor(bytes: Uint8Array, fail: (fault: ByteFault) => unknown) {
    this.bytes = bytes;
    this.#fail = fail;
  }

  natural(): number {
    const first = this.bytes[this.at++];
    if (first !== undefined && first < 0x80) return first;
    this.at--;
    return this.#long();
  }

  signed(): number {
    const zigzag = this.natural();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  #long(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw this.#fail("cut off");
      value += (byte & 0x7f) * scale;
      if (!Number.isSafeInteger(value)) throw this.#fail("beyond 2^53");
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) throw this.#fail("not in shortest form");
        return value;
      }
      if (scale > 2 ** 49) throw this.#fail("beyond 2^53");
    }
  }
}

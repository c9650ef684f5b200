/**
 * A strict MessagePack reader for files from strangers: values and pre-scan rules (V8, V9) in one walk.
 *
 * Only nil, bool, integers, float64, strings, binary, arrays and maps; nothing whose meaning a registry of
 * extensions decides. A value has exactly one spelling: shortest integers and headers, map keys unique
 * and sorted by their UTF-8 bytes, no float that an integer could say. Integers beyond 32 bits are int64 (0xd3),
 * which is how msgpackr writes a bigint. Lengths are checked against the bytes that are left before anything
 * is allocated, so the memory taken is linear in the input.
 */
import { PlanInvalid, PlanNotCanonical, PlanTooLarge } from "../plan-errors.ts";

export type Wire = null | boolean | number | string | Uint8Array | readonly Wire[] | WireMap;
export interface WireMap {
  readonly [key: string]: Wire;
}

export const limits = {
  bytes: 67_108_864,
  depth: 64,
  tokens: 2_000_000,
  stringBytes: 65_536,
} as const;

/** Keys that mean something to JavaScript's own objects. */
export const reservedKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value that `bytes` spell; `section` names them in errors. */
export function decodeMsgpack(bytes: Uint8Array, section: string): Wire {
  if (bytes.length > limits.bytes) {
    throw new PlanTooLarge(section, `${bytes.length} bytes; at most ${limits.bytes} are read`);
  }
  const reader = new Reader(bytes, section);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw reader.invalid("bytes follow the value");
  return value;
}

class Reader {
  at = 0;
  #tokens = 0;
  readonly #bytes: Uint8Array;
  readonly #section: string;

  constructor(bytes: Uint8Array, section: string) {
    this.#bytes = bytes;
    this.#section = section;
  }

  invalid(what: string): PlanInvalid {
    return new PlanInvalid("V8", this.#section, `${what} at byte ${this.at}`);
  }
  #notCanonical(what: string): PlanNotCanonical {
    return new PlanNotCanonical(this.#section, `${what} before byte ${this.at}`);
  }

  value(depth: number): Wire {
    const token = this.#byte();
    if (++this.#tokens > limits.tokens) {
      throw new PlanTooLarge(this.#section, `more than ${limits.tokens} values`);
    }
    if (token < 0x80) return token;
    if (token < 0x90) return this.#map(token & 0x0f, depth);
    if (token < 0xa0) return this.#array(token & 0x0f, depth);
    if (token < 0xc0) return this.#string(token & 0x1f);
    if (token >= 0xe0) return token - 0x100;
    switch (token) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#binary(this.#length(1, 0));
      case 0xc5:
        return this.#binary(this.#length(2, 0x100));
      case 0xc6:
        return this.#binary(this.#length(4, 0x10000));
      case 0xcb:
        return this.#float();
      case 0xcc:
        return this.#length(1, 0x80);
      case 0xcd:
        return this.#length(2, 0x100);
      case 0xce:
        return this.#length(4, 0x10000);
      case 0xd0:
        return this.#negative(1, -0x20);
      case 0xd1:
        return this.#negative(2, -0x80);
      case 0xd2:
        return this.#negative(4, -0x8000);
      case 0xd3:
        return this.#wideInteger();
      case 0xd9:
        return this.#string(this.#length(1, 0x20));
      case 0xda:
        return this.#string(this.#length(2, 0x100));
      case 0xdb:
        return this.#string(this.#length(4, 0x10000));
      case 0xdc:
        return this.#array(this.#length(2, 0x10), depth);
      case 0xdd:
        return this.#array(this.#length(4, 0x10000), depth);
      case 0xde:
        return this.#map(this.#length(2, 0x10), depth);
      case 0xdf:
        return this.#map(this.#length(4, 0x10000), depth);
      default:
        this.at--;
        throw this.invalid(`type 0x${token.toString(16)} is not allowed`);
    }
  }

  #byte(): number {
    if (this.at >= this.#bytes.length) throw this.invalid("the data ends");
    return this.#bytes[this.at++]!;
  }

  #unsigned(size: 1 | 2 | 4): number {
    if (size > this.#bytes.length - this.at) throw this.invalid("the data ends");
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.#bytes[this.at++]!;
    return value;
  }

  /** An unsigned number that a shorter form could not hold. */
  #length(size: 1 | 2 | 4, least: number): number {
    const value = this.#unsigned(size);
    if (value < least) throw this.#notCanonical(`${value} is not in its shortest form`);
    return value;
  }

  #negative(size: 1 | 2 | 4, below: number): number {
    const value = this.#unsigned(size) - 2 ** (8 * size);
    if (value < -(2 ** (8 * size - 1)) || value >= below) {
      throw this.#notCanonical("a signed integer is not in its shortest form");
    }
    return value;
  }

  #wideInteger(): number {
    const high = this.#unsigned(4) | 0;
    const value = high * 2 ** 32 + this.#unsigned(4);
    if (!Number.isSafeInteger(value)) throw this.invalid("an integer beyond 2^53");
    if (value >= -(2 ** 31) && value < 2 ** 32) {
      throw this.#notCanonical(`${value} is not in its shortest form`);
    }
    return value;
  }

  #float(): number {
    if (8 > this.#bytes.length - this.at) throw this.invalid("the data ends");
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.at, 8);
    this.at += 8;
    const value = view.getFloat64(0);
    if (Number.isSafeInteger(value)) throw this.#notCanonical(`${value} is written as a float`);
    if (Number.isNaN(value)) throw this.invalid("NaN has no place in a plan file");
    return value;
  }

  #take(length: number): number {
    const start = this.at;
    if (length > this.#bytes.length - start) throw this.invalid(`${length} bytes do not follow`);
    this.at += length;
    return start;
  }

  #binary(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  #string(length: number): string {
    if (length > limits.stringBytes) {
      throw new PlanTooLarge(this.#section, `a string of ${length} bytes`);
    }
    const start = this.#take(length);
    const ascii = length < 32 ? this.#shortAscii(start, length) : undefined;
    if (ascii !== undefined) return ascii;
    try {
      return utf8.decode(this.#bytes.subarray(start, start + length));
    } catch (cause) {
      throw new PlanInvalid("V8", this.#section, `invalid UTF-8 at byte ${start}`, { cause });
    }
  }

  /** Most strings are short names, for which calling a decoder costs more than decoding. */
  #shortAscii(start: number, length: number): string | undefined {
    let text = "";
    for (let i = start; i < start + length; i++) {
      const byte = this.#bytes[i]!;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Every element takes a byte at least, so a length beyond what is left is a lie. */
  #enter(elements: number, depth: number): void {
    if (depth >= limits.depth) throw this.invalid(`nesting deeper than ${limits.depth}`);
    if (elements > this.#bytes.length - this.at) {
      throw this.invalid(`${elements} elements do not follow`);
    }
  }

  /** Most elements are small numbers: those are read without a call each, which a cold process feels. */
  #array(length: number, depth: number): Wire[] {
    this.#enter(length, depth);
    const bytes = this.#bytes;
    const items: Wire[] = [];
    let small = 0;
    for (let i = 0; i < length; i++) {
      const token = bytes[this.at];
      if (token !== undefined && token < 0x80) {
        this.at++;
        small++;
        items.push(token);
      } else {
        items.push(this.value(depth + 1));
      }
    }
    this.#tokens += small;
    return items;
  }

  #map(length: number, depth: number): WireMap {
    this.#enter(2 * length, depth);
    const map: { [key: string]: Wire } = {};
    let previousStart = -1;
    let previousEnd = -1;
    for (let i = 0; i < length; i++) {
      const token = this.#bytes[this.at]!;
      if (!(token >= 0xa0 && token < 0xc0) && !(token >= 0xd9 && token <= 0xdb)) {
        throw this.invalid("a map key is not a string");
      }
      const key = this.value(depth + 1) as string;
      const end = this.at;
      const start = end - byteLength(key);
      if (i > 0 && !this.#ascends(previousStart, previousEnd, start, end)) {
        throw this.#notCanonical(`map key "${key}" repeats or is out of order`);
      }
      if (reservedKeys.has(key)) throw this.invalid(`the key "${key}" is not allowed`);
      map[key] = this.value(depth + 1);
      previousStart = start;
      previousEnd = end;
    }
    return map;
  }

  #ascends(aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
    for (let i = 0; ; i++) {
      if (bStart + i === bEnd) return false;
      if (aStart + i === aEnd) return true;
      const difference = this.#bytes[bStart + i]! - this.#bytes[aStart + i]!;
      if (difference !== 0) return difference > 0;
    }
  }
}

/** UTF-8 bytes of a well-formed string. */
function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes += 2;
    else if (unit >= 0x80) bytes += 1;
  }
  return bytes;
}

/** Entries of a radix sort being read in one form and written in another. */
import type { FunctionBuilder } from "../wasm/module.ts";
import type { Entry } from "./radix-form.ts";

export class Entries {
  readonly #fn: FunctionBuilder;
  readonly #placeBits: number;
  /** Digits that are gone once entries are packed. */
  readonly #dropped: number;
  readonly #pair: number;
  /** Locals: the address of the entry being read, its place where entries are in order, and what of it has digits. */
  readonly entry: number;
  readonly place: number;
  readonly word: number;

  constructor(fn: FunctionBuilder, placeBits: number, dropped: number) {
    this.#fn = fn;
    this.#placeBits = placeBits;
    this.#dropped = dropped;
    [this.entry, this.place, this.word] = [fn.local("i32"), fn.local("i32"), fn.local("i32")];
    this.#pair = fn.local("i64");
  }

  /** The entry `i` after the one at `entry` into `word` (what has the digits) and, where it is one, the pair of both. */
  read(source: Entry, i: number): void {
    const code = this.#fn.code.get(this.entry);
    if (source !== "pair") {
      code.memory("i32.load", 4 * i).set(this.word);
      return;
    }
    code.memory("i64.load", 8 * i).tee(this.#pair);
    code.i64(32n).op("i64.shr_u").op("i32.wrap_i64").set(this.word);
  }

  /** Pushes what was read in another form. */
  push(source: Entry, target: Entry, i: number): void {
    const code = this.#fn.code;
    if (source === target) {
      code.get(source === "pair" ? this.#pair : this.word);
      return;
    }
    if (target === "pair") {
      code.get(this.word).op("i64.extend_i32_u").i64(32n).op("i64.shl");
      this.#pushPlace(source, i);
      code.op("i64.extend_i32_u").op("i64.or");
      return;
    }
    this.#pushPlace(source, i);
    if (target !== "packed") return;
    code.get(this.word).i32(this.#dropped).op("i32.shr_u");
    code.i32(this.#placeBits).op("i32.shl").op("i32.or");
  }

  #pushPlace(source: Entry, i: number): void {
    const code = this.#fn.code;
    if (source === "pair") code.get(this.#pair).op("i32.wrap_i64");
    else if (source === "packed") {
      code
        .get(this.word)
        .i32(2 ** this.#placeBits - 1)
        .op("i32.and");
    } else {
      code.get(this.place);
      if (i > 0) code.i32(i).op("i32.add");
    }
  }
}

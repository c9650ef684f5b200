/**
 * One row of a `sort` or `topk` by the digits of several keys, or of one of 64 bits (see sort-radix.ts for one word): a
 * stable order of the row by its keys, then every operand gathered by it.
 *
 * Key words are sorted from the least significant by counting sort over digits: all histograms of a word in
 * one reading, digits in which all entries agree skipped. Entries are a place in the row and the word.
 * Short rows are sorted by insertion.
 */
import { itemSize } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { OrderWords, wordCount } from "./order-words.ts";
import {
  dtypeOf,
  emitResults,
  isWord,
  pushElementAt,
  type RowSort,
  rowsBytes,
} from "./sort-rows.ts";

const insertionLimit = 24;
const wideDigitLimit = 4096;

interface Digits {
  readonly bits: 8 | 11;
  readonly shifts: readonly number[];
}
const digitsOf = (extent: number): Digits =>
  extent < wideDigitLimit ? { bits: 8, shifts: [0, 8, 16, 24] } : { bits: 11, shifts: [0, 11, 22] };

const histogramBytes = ({ bits }: Digits): number => 4 * 2 ** bits;

const entryBytes = 8;

const entriesBytes = (sort: RowSort): number => sort.extent * entryBytes;

export function digitScratch(sort: RowSort): number {
  const digits = digitsOf(sort.extent);
  return 2 * entriesBytes(sort) + digits.shifts.length * histogramBytes(digits) + rowsBytes(sort);
}

/** A function `(first element, first element of the results)` that sorts a row; scratch memory from `scratch`. */
export const emitDigitSort = (module: ModuleBuilder, scratch: number, sort: RowSort): number =>
  new RowEmitter(module, scratch, sort).emit();

/** Where the entries of a pass are read. */
type Source = { readonly key: number; readonly word: number } | "entries";

class RowEmitter {
  readonly #sort: RowSort;
  readonly #fn: FunctionBuilder;
  readonly #digits: Digits;
  readonly #histograms: number;
  readonly #rows: number;
  readonly #words: OrderWords;
  /** The entries, and where the next pass writes them. */
  readonly #from: number;
  readonly #to: number;
  readonly #end: number;
  readonly #entry: number;
  readonly #element: number;
  readonly #place: number;
  readonly #word: number;
  readonly #digit: number;
  readonly #target: number;
  readonly #pair: number;

  constructor(module: ModuleBuilder, scratch: number, sort: RowSort) {
    this.#sort = sort;
    this.#fn = module.define(["i32", "i32"], []);
    this.#digits = digitsOf(sort.extent);
    this.#histograms = scratch + 2 * entriesBytes(sort);
    this.#rows = this.#histograms + this.#digits.shifts.length * histogramBytes(this.#digits);
    this.#words = new OrderWords(this.#fn);
    const local = (): number => this.#fn.local("i32");
    [this.#from, this.#to, this.#end, this.#entry] = [local(), local(), local(), local()];
    [this.#element, this.#place, this.#word] = [local(), local(), local()];
    [this.#digit, this.#target, this.#pair] = [local(), local(), this.#fn.local("i64")];
    this.#fn.code.i32(scratch).set(this.#from);
    this.#fn.code.i32(scratch + entriesBytes(sort)).set(this.#to);
  }

  emit(): number {
    const { keys, extent } = this.#sort;
    let first = true;
    for (let key = keys - 1; key >= 0; key--) {
      for (let word = 0; word < wordCount(dtypeOf(this.#sort, key)); word++) {
        if (extent <= insertionLimit) {
          this.#readEntries({ key, word }, first, false);
          this.#insert();
        } else {
          if (first) this.#count({ key, word });
          else this.#readEntries({ key, word }, false, true);
          for (const pass of this.#digits.shifts.keys())
            this.#distribute(pass, first && pass === 0 ? { key, word } : "entries");
        }
        first = false;
      }
    }
    this.#collect();
    return this.#fn.index;
  }

  // ── Loops ────────────────────────────────────────────────────────────────────────────────

  /** Runs `body` with `#entry` at each of the entries from `base` on. */
  #overEntries(base: number, count: number, body: () => void): void {
    const { code } = this.#fn;
    code
      .get(base)
      .tee(this.#entry)
      .i32(count * entryBytes)
      .op("i32.add")
      .set(this.#end);
    code.loop();
    body();
    code.get(this.#entry).i32(entryBytes).op("i32.add").tee(this.#entry);
    code.get(this.#end).op("i32.lt_u").brIf(0).end();
  }

  /** Runs `body` with `#place` and, as a byte distance from the operand, `#element` at each element of the row. */
  #overElements(key: number, body: () => void): void {
    const { code } = this.#fn;
    const { inner, extent } = this.#sort;
    const size = itemSize(dtypeOf(this.#sort, key));
    code.i32(0).set(this.#place).get(0).i32(size).op("i32.mul").set(this.#element).loop();
    body();
    code
      .get(this.#element)
      .i32(inner * size)
      .op("i32.add")
      .set(this.#element);
    code.get(this.#place).i32(1).op("i32.add").tee(this.#place);
    code.i32(extent).op("i32.lt_u").brIf(0).end();
  }

  /** Pushes the byte distance from the operand of element `#place` of the row. */
  #pushElement(size: number): void {
    pushElementAt(this.#fn.code, this.#sort, size, () => this.#fn.code.get(this.#place));
  }

  /** Pushes a word of the key whose byte distance is on the stack. */
  #pushWord({ key, word }: { readonly key: number; readonly word: number }): Code {
    const { dtype, from } = this.#sort.operands[key] as RowSort["operands"][number];
    this.#words.push(dtype, word, from);
    if (this.#sort.descending) this.#fn.code.i32(-1).op("i32.xor");
    return this.#fn.code;
  }

  // ── Counting sort ────────────────────────────────────────────────────────────────────────

  #histogram(pass: number): number {
    return this.#histograms + pass * histogramBytes(this.#digits);
  }
  /** Pushes 4 · digit of `#word`. */
  #pushDigitAddress(pass: number): Code {
    const { code } = this.#fn;
    const { shifts, bits } = this.#digits;
    const shift = shifts[pass] as number;
    code.get(this.#word);
    if (shift > 2) code.i32(shift - 2).op("i32.shr_u");
    if (shift < 2) code.i32(2 - shift).op("i32.shl");
    return code.i32((2 ** bits - 1) << 2).op("i32.and");
  }

  #clearHistograms(): void {
    this.#fn.code.i32(this.#histograms).i32(0);
    this.#fn.code.i32(this.#digits.shifts.length * histogramBytes(this.#digits)).memoryFill();
  }
  /** Adds `#word` to the histograms. */
  #countWord(): void {
    for (const pass of this.#digits.shifts.keys()) {
      const code = this.#pushDigitAddress(pass);
      code.tee(this.#digit).get(this.#digit).memory("i32.load", this.#histogram(pass));
      code.i32(1).op("i32.add").memory("i32.store", this.#histogram(pass));
    }
  }

  #count(source: { readonly key: number; readonly word: number }): void {
    const { code } = this.#fn;
    this.#clearHistograms();
    this.#overElements(source.key, () => {
      code.get(this.#element);
      this.#pushWord(source).set(this.#word);
      this.#countWord();
    });
  }

  /** Writes entries with another key word: in the row's order at first, then in that found so far. */
  #readEntries(
    source: { readonly key: number; readonly word: number },
    first: boolean,
    count: boolean,
  ): void {
    const { code } = this.#fn;
    const size = itemSize(dtypeOf(this.#sort, source.key));
    if (count) this.#clearHistograms();
    if (first) code.i32(0).set(this.#place);
    this.#overEntries(this.#from, this.#sort.extent, () => {
      if (!first) code.get(this.#entry).memory("i32.load", 0).set(this.#place);
      code.get(this.#entry);
      this.#pushElement(size);
      this.#pushWord(source)
        .tee(this.#word)
        .memory("i32.store", entryBytes - 4);
      if (first) {
        code.get(this.#entry).get(this.#place).memory("i32.store", 0);
        code.get(this.#place).i32(1).op("i32.add").set(this.#place);
      }
      if (count) this.#countWord();
    });
  }

  /** One pass of the counting sort, from `from` to `to`, which then change roles. */
  #distribute(pass: number, source: Source): void {
    const { code } = this.#fn;
    const base = this.#histogram(pass);
    const { extent } = this.#sort;
    code.block();
    this.#pushFirstWord(source);
    // Nothing to do where the first entry's digit is everybody's.
    this.#pushDigitAddress(pass).memory("i32.load", base).i32(extent).op("i32.eq").if();
    if (source !== "entries") this.#writeEntriesInPlace(source);
    code.br(1).end();
    this.#countsToAddresses(base);
    if (source === "entries") this.#moveEntries(pass, base);
    else {
      this.#overElements(source.key, () => {
        code.get(this.#element);
        this.#pushWord(source).set(this.#word);
        this.#pushTarget(pass, base);
        code.get(this.#word).memory("i32.store", entryBytes - 4);
        code.get(this.#target).get(this.#place).memory("i32.store", 0);
      });
    }
    code.get(this.#from).get(this.#to).set(this.#from).set(this.#to);
    code.end();
  }

  #pushFirstWord(source: Source): void {
    const { code } = this.#fn;
    if (source === "entries") {
      code
        .get(this.#from)
        .memory("i32.load", entryBytes - 4)
        .set(this.#word);
      return;
    }
    code
      .get(0)
      .i32(itemSize(dtypeOf(this.#sort, source.key)))
      .op("i32.mul");
    this.#pushWord(source).set(this.#word);
  }

  #writeEntriesInPlace(source: Exclude<Source, "entries">): void {
    const { code } = this.#fn;
    code.get(this.#from).set(this.#entry);
    this.#overElements(source.key, () => {
      code.get(this.#entry).get(this.#element);
      this.#pushWord(source).memory("i32.store", entryBytes - 4);
      code.get(this.#entry).get(this.#place).memory("i32.store", 0);
      code.get(this.#entry).i32(entryBytes).op("i32.add").set(this.#entry);
    });
  }

  /** Counts become the addresses at which each digit's entries begin. */
  #countsToAddresses(base: number): void {
    const { code } = this.#fn;
    code.get(this.#to).set(this.#target).i32(0).set(this.#digit).loop();
    code.get(this.#digit).memory("i32.load", base).set(this.#word);
    code.get(this.#digit).get(this.#target).memory("i32.store", base);
    code.get(this.#word).i32(Math.log2(entryBytes)).op("i32.shl");
    code.get(this.#target).op("i32.add").set(this.#target);
    code.get(this.#digit).i32(4).op("i32.add").tee(this.#digit);
    code.i32(histogramBytes(this.#digits)).op("i32.lt_u").brIf(0).end();
  }

  /** Takes the next address of the digit of `#word`, and pushes it. */
  #pushTarget(pass: number, base: number): void {
    const code = this.#pushDigitAddress(pass);
    code.tee(this.#digit).get(this.#digit).memory("i32.load", base).tee(this.#target);
    code.i32(entryBytes).op("i32.add").memory("i32.store", base);
    code.get(this.#target);
  }

  #moveEntries(pass: number, base: number): void {
    const { code } = this.#fn;
    this.#overEntries(this.#from, this.#sort.extent, () => {
      code.get(this.#entry).memory("i64.load", 0).tee(this.#pair);
      code.i64(32n).op("i64.shr_u").op("i32.wrap_i64").set(this.#word);
      this.#pushTarget(pass, base);
      code.get(this.#pair).memory("i64.store", 0);
    });
  }

  /** Insertion sort of the entries by their words. */
  #insert(): void {
    const { code } = this.#fn;
    const at = this.#target;
    this.#overEntries(this.#from, this.#sort.extent, () => {
      code.get(this.#entry).tee(at).memory("i64.load", 0).set(this.#pair);
      code.get(at).memory("i32.load", 4).set(this.#word);
      code.block().loop();
      code.get(at).get(this.#from).op("i32.eq").brIf(1);
      code.get(at).i32(8).op("i32.sub").memory("i32.load", 4);
      code.get(this.#word).op("i32.le_u").brIf(1);
      code.get(at).get(at).i32(8).op("i32.sub").memory("i64.load", 0);
      code.memory("i64.store", 0);
      code.get(at).i32(8).op("i32.sub").set(at);
      code.br(0).end().end();
      code.get(at).get(this.#pair).memory("i64.store", 0);
    });
  }

  // ── Results ──────────────────────────────────────────────────────────────────────────────

  #collect(): void {
    const { code } = this.#fn;
    emitResults(this.#fn, this.#sort, this.#rows, {
      over: (count, body) => this.#overEntries(this.#from, count, body),
      pushPlace: () => code.get(this.#entry).memory("i32.load", 0),
      pushOperand: (operand) => {
        if (!this.#isKey(operand)) return false;
        this.#pushKey();
        return true;
      },
    });
  }

  /** Whether the entries' words are all of this operand. */
  #isKey(operand: number): boolean {
    return this.#sort.keys === 1 && operand === 0 && isWord(dtypeOf(this.#sort, 0));
  }

  /** Pushes the bits of the key of `#entry`: its word says them, but for zeros and NaNs. */
  #pushKey(): void {
    const { code } = this.#fn;
    const { descending, operands } = this.#sort;
    const { dtype, from } = operands[0] as RowSort["operands"][number];
    code.get(this.#entry).memory("i32.load", 4);
    if (descending) code.i32(-1).op("i32.xor");
    if (dtype === "uint32") return;
    if (dtype === "int32") {
      code.i32(-0x80000000).op("i32.xor");
      return;
    }
    // Zeros have word 2³¹ and NaNs 2³² − 1: they are the words of which the lower 31 bits agree.
    code.tee(this.#word).i32(1).op("i32.add").i32(0x7fffffff).op("i32.and");
    code.i32(1).op("i32.le_u").if("i32");
    code.get(this.#entry).memory("i32.load", 0).set(this.#place);
    this.#pushElement(4);
    code.memory("i32.load", from).else();
    code.get(this.#word).get(this.#word).i32(-1).op("i32.xor").i32(31).op("i32.shr_s");
    code.i32(-0x80000000).op("i32.or").op("i32.xor").end();
  }
}

/**
 * One row of a `sort` or `topk` whose key is one word of at most 32 bits, by a counting sort over digits from the least
 * significant one on (Knuth, TAOCP 3, 5.2.5).
 *
 * The key is read once: its words, and the histograms of all digits. A pass whose digit is everybody's is skipped. What moves
 * from pass to pass is as small as it can be: nothing but the word where nothing else is asked for; else a word and a place,
 * until the digits that are still to come and the place fit into 32 bits together; the last pass writes places
 * alone, into the result itself where it can.
 */
import { itemSize } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { OrderWords } from "./order-words.ts";
import { Entries } from "./radix-entries.ts";
import {
  allHistogramBytes,
  type Entry,
  entriesOf,
  entryBytes,
  entryRowBytes,
  histogramBytes,
  isAlone,
  isDirect,
  type Pass,
  passesOf,
  placeBitsOf,
  rowBytes,
  unroll,
  vectorBytes,
} from "./radix-form.ts";
import { emitRepair } from "./sort-repair.ts";
import { dtypeOf, emitResults, emitRow, isWord, pushElementAt, type RowSort } from "./sort-rows.ts";
import { emitElements, WordVectors } from "./word-vectors.ts";

/** Bytes of a line of a cache. */
const lineBytes = 64;

/** A function `(first element, first element of the results)` that sorts a row; scratch memory from `scratch`. */
export const emitRadixSort = (module: ModuleBuilder, scratch: number, sort: RowSort): number =>
  new RadixEmitter(module, scratch, sort).emit();

class RadixEmitter {
  readonly #sort: RowSort;
  readonly #fn: FunctionBuilder;
  readonly #passes: readonly Pass[];
  /** What each pass writes. */
  readonly #written: readonly Entry[];
  readonly #entries: Entries;
  readonly #placeBits: number;
  /** Digits that are gone once entries are packed. */
  readonly #dropped: number;
  readonly #repair: number | undefined;
  readonly #histograms: number;
  readonly #places: number;
  /** The entries, and where the next pass writes them. */
  readonly #from: number;
  readonly #to: number;
  /** Where places go. */
  readonly #out: number;
  /** Whether a pass has moved anything. */
  readonly #moved: number;
  /** The word of the row's first element. */
  readonly #first: number;
  readonly #entry: number;
  readonly #end: number;
  readonly #word: number;
  readonly #digit: number;
  readonly #target: number;
  readonly #special: number;

  constructor(module: ModuleBuilder, scratch: number, sort: RowSort) {
    this.#sort = sort;
    this.#passes = passesOf(sort.extent);
    this.#written = entriesOf(sort, this.#passes);
    this.#placeBits = placeBitsOf(sort);
    const packing = this.#passes[this.#written.indexOf("packed")];
    this.#dropped = packing === undefined ? 0 : packing.shift + packing.bits;
    this.#repair =
      isAlone(sort) && dtypeOf(sort, 0) === "float32"
        ? emitRepair(module, { distance: 4, ordered: false })
        : undefined;
    this.#fn = module.define(["i32", "i32"], []);
    const row = entryRowBytes(sort);
    this.#histograms = scratch + 2 * row;
    this.#places = this.#histograms + allHistogramBytes(this.#passes);
    const local = (): number => this.#fn.local("i32");
    [this.#from, this.#to, this.#out, this.#moved] = [local(), local(), local(), local()];
    [this.#first, this.#end, this.#digit, this.#target] = [local(), local(), local(), local()];
    this.#entries = new Entries(this.#fn, this.#placeBits, this.#dropped);
    this.#entry = this.#entries.entry;
    this.#word = this.#entries.word;
    this.#special = this.#fn.local("v128");
    this.#code.i32(scratch).set(this.#from);
    this.#code.i32(scratch + row).set(this.#to);
  }

  get #code(): Code {
    return this.#fn.code;
  }

  emit(): number {
    const alone = isAlone(this.#sort);
    if (!alone) this.#findOut();
    this.#code.i32(this.#histograms).i32(0).i32(allHistogramBytes(this.#passes)).memoryFill();
    this.#read();
    this.#code.get(this.#from).memory("i32.load", 0).set(this.#first);
    for (const number of this.#passes.keys()) this.#pass(number);
    if (alone) this.#writeWords();
    else if (!isDirect(this.#sort)) this.#gather();
    return this.#fn.index;
  }

  #findOut(): void {
    const [sink] = this.#sort.sinks;
    if (isDirect(this.#sort)) {
      this.#code
        .get(1)
        .i32(4)
        .op("i32.mul")
        .i32(sink?.to as number);
      this.#code.op("i32.add").set(this.#out);
    } else {
      this.#code.i32(this.#places).set(this.#out);
    }
  }

  // ── Words and histograms ──────────────────────────────────────────────────────────────────

  #read(): void {
    const { extent, inner } = this.#sort;
    const { dtype, from } = this.#sort.operands[0] as RowSort["operands"][number];
    const code = this.#code;
    const size = itemSize(dtype);
    const inQuads = inner === 1 && isWord(dtype) ? extent - (extent % unroll) : 0;
    const element = this.#fn.local("i32");
    code.get(0).i32(size).op("i32.mul").set(element);
    code.get(this.#from).set(this.#entry);
    const advance = (places: number): void => {
      code
        .get(element)
        .i32(places * inner * size)
        .op("i32.add")
        .set(element);
      code
        .get(this.#entry)
        .i32(4 * places)
        .op("i32.add")
        .tee(this.#entry);
    };
    const pushEnd = (places: number): void => {
      code
        .get(this.#from)
        .i32(4 * places)
        .op("i32.add");
    };
    if (inQuads > 0) {
      const words = new WordVectors(this.#fn, this.#sort.descending);
      pushEnd(inQuads);
      code.set(this.#end);
      words.prepare();
      code.loop();
      code.get(this.#entry).get(element).memory("v128.load", from);
      words.convert(dtype, this.#repair === undefined ? undefined : this.#special);
      code.memory("v128.store", 0);
      for (let i = 0; i < unroll; i++) {
        code
          .get(this.#entry)
          .memory("i32.load", 4 * i)
          .set(this.#word);
        this.#count();
      }
      advance(unroll);
      code.get(this.#end).op("i32.lt_u").brIf(0).end();
    }
    if (inQuads === extent) return;
    const words = new OrderWords(this.#fn);
    pushEnd(extent);
    code.set(this.#end).loop();
    code.get(element);
    words.push(dtype, 0, from);
    if (this.#sort.descending) code.i32(-1).op("i32.xor");
    code.set(this.#word);
    code.get(this.#entry).get(this.#word).memory("i32.store", 0);
    if (this.#repair !== undefined) this.#noteSpecial();
    this.#count();
    advance(1);
    code.get(this.#end).op("i32.lt_u").brIf(0).end();
  }

  /** Notes whether `#word` is one that several floats have. */
  #noteSpecial(): void {
    const code = this.#code;
    code.get(this.#special).i32(-1).i32(0);
    // Zeros have word 2³¹ and NaNs 2³² − 1: they are the words of which the lower 31 bits agree.
    code.get(this.#word).i32(1).op("i32.add").i32(0x7fffffff).op("i32.and");
    code.i32(1).op("i32.le_u").op("select");
    code.op("i32x4.splat").op("v128.or").set(this.#special);
  }

  #count(): void {
    for (const pass of this.#passes) {
      const base = this.#histograms + pass.at;
      this.#pushDigit(pass, pass.shift);
      this.#code.tee(this.#digit).get(this.#digit).memory("i32.load", base);
      this.#code.i32(1).op("i32.add").memory("i32.store", base);
    }
  }

  /** Pushes 4 · digit, which `#word` has from bit `shift` on. */
  #pushDigit({ bits }: Pass, shift: number): Code {
    const code = this.#code.get(this.#word);
    if (shift > 2) code.i32(shift - 2).op("i32.shr_u");
    if (shift < 2) code.i32(2 - shift).op("i32.shl");
    return code.i32((2 ** bits - 1) << 2).op("i32.and");
  }

  // ── Passes ────────────────────────────────────────────────────────────────────────────────

  #pass(number: number): void {
    const code = this.#code;
    const pass = this.#passes[number] as Pass;
    const [before, after] = [this.#written[number - 1], this.#written[number] as Entry];
    const base = this.#histograms + pass.at;
    code.block();
    code.get(this.#first).set(this.#word);
    this.#pushDigit(pass, pass.shift).memory("i32.load", base).i32(this.#sort.extent).op("i32.eq");
    code.if();
    this.#stay(before, after);
    code.br(1).end();
    if (after === "place" && isDirect(this.#sort)) this.#fetchResult();
    this.#findPlaces(pass, after);
    if (before === undefined) {
      this.#move(pass, "word", after);
    } else {
      code.get(this.#moved).if();
      this.#move(pass, before, after);
      code.else();
      this.#move(pass, "word", after);
      code.end();
    }
    code.i32(1).set(this.#moved);
    if (after !== "place") code.get(this.#from).get(this.#to).set(this.#from).set(this.#to);
    code.end();
  }

  /** The digit is the same everywhere: entries stay where they are, in the form that the next pass reads. */
  #stay(before: Entry | undefined, after: Entry): void {
    const code = this.#code;
    if (before === after || (before === undefined && after !== "place")) return;
    const write = (source: Entry, target: number): void => {
      code.get(target).set(this.#target);
      this.#sweep(source, (i) => {
        this.#entries.read(source, i);
        code.get(this.#target);
        this.#entries.push(source, after, i);
        code.memory("i32.store", 4 * i);
        if (i === unroll - 1) {
          code
            .get(this.#target)
            .i32(4 * unroll)
            .op("i32.add")
            .set(this.#target);
        }
      });
    };
    const isLast = after === "place";
    if (before !== undefined) {
      code.get(this.#moved).if();
      write(before, isLast ? this.#out : this.#from);
    }
    if (isLast) {
      if (before !== undefined) code.else();
      write("word", this.#out);
    }
    if (before !== undefined) code.end();
  }

  /**
   * Reads a word of every line of the result, one after the other: lines that are far away come while others are read. Each of
   * them would be waited for where they are scattered into.
   */
  #fetchResult(): void {
    const code = this.#code;
    code.get(this.#out).tee(this.#entry);
    code
      .i32(4 * this.#sort.extent)
      .op("i32.add")
      .set(this.#end)
      .loop();
    code.get(this.#entry).memory("i32.load", 0).set(this.#digit);
    code.get(this.#entry).i32(lineBytes).op("i32.add").tee(this.#entry);
    code.get(this.#end).op("i32.lt_u").brIf(0).end();
  }

  /** Counts become the addresses at which each digit's entries begin. */
  #findPlaces(pass: Pass, after: Entry): void {
    const code = this.#code;
    const base = this.#histograms + pass.at;
    const vector = (): number => this.#fn.local("v128");
    const [zero, counts, sums, start] = [vector(), vector(), vector(), vector()];
    const up = (of: number, lanes: readonly number[]): void => {
      code.get(of).get(zero).get(of).shuffleLanes(lanes).op("i32x4.add").set(sums);
    };
    code
      .get(after === "place" ? this.#out : this.#to)
      .op("i32x4.splat")
      .set(start);
    code.i32(0).set(this.#entry).loop();
    for (let i = 0; i < unroll; i++) {
      const at = base + i * vectorBytes;
      code.get(this.#entry).memory("v128.load", at);
      code
        .i32(Math.log2(entryBytes(after)))
        .op("i32x4.shl")
        .set(counts);
      up(counts, [3, 4, 5, 6]);
      up(sums, [2, 3, 4, 5]);
      code.get(this.#entry);
      code.get(sums).get(counts).op("i32x4.sub").get(start).op("i32x4.add");
      code.memory("v128.store", at);
      code.get(sums).get(sums).shuffleLanes([3, 3, 3, 3]);
      code.get(start).op("i32x4.add").set(start);
    }
    code
      .get(this.#entry)
      .i32(unroll * vectorBytes)
      .op("i32.add")
      .tee(this.#entry);
    code.i32(histogramBytes(pass)).op("i32.lt_u").brIf(0).end();
  }

  #move(pass: Pass, source: Entry, target: Entry): void {
    const code = this.#code;
    const base = this.#histograms + pass.at;
    const packed = source === "packed";
    const shift = packed ? pass.shift - this.#dropped + this.#placeBits : pass.shift;
    this.#sweep(source, (i) => {
      this.#entries.read(source, i);
      this.#pushDigit(pass, shift);
      code.tee(this.#digit).get(this.#digit).memory("i32.load", base).tee(this.#target);
      code.i32(entryBytes(target)).op("i32.add").memory("i32.store", base);
      code.get(this.#target);
      this.#entries.push(source, target, i);
      code.memory(target === "pair" ? "i64.store" : "i32.store", 0);
    });
  }

  /** Runs `body` for each entry, `i` being its number in the round. */
  #sweep(source: Entry, body: (i: number) => void): void {
    const code = this.#code;
    const { extent } = this.#sort;
    const bytes = entryBytes(source);
    const inRounds = extent - (extent % unroll);
    const { place } = this.#entries;
    code.i32(0).set(place).get(this.#from).tee(this.#entry);
    code
      .i32(inRounds * bytes)
      .op("i32.add")
      .set(this.#end);
    code.loop();
    for (let i = 0; i < unroll; i++) body(i);
    code.get(place).i32(unroll).op("i32.add").set(place);
    code
      .get(this.#entry)
      .i32(unroll * bytes)
      .op("i32.add")
      .tee(this.#entry);
    code.get(this.#end).op("i32.lt_u").brIf(0).end();
    for (let i = 0; i < extent - inRounds; i++) body(i);
  }

  // ── Results ───────────────────────────────────────────────────────────────────────────────

  #gather(): void {
    const code = this.#code;
    emitResults(this.#fn, this.#sort, this.#places + rowBytes(this.#sort, 4), {
      over: (count, body) => {
        code
          .i32(this.#places)
          .set(this.#entry)
          .i32(this.#places + 4 * count)
          .set(this.#end)
          .loop();
        body();
        code.get(this.#entry).i32(4).op("i32.add").tee(this.#entry);
        code.get(this.#end).op("i32.lt_u").brIf(0).end();
      },
      pushPlace: () => code.get(this.#entry).memory("i32.load", 0),
    });
  }

  /** Words become elements: on their way into the result, or where they are if some have to be repaired. */
  #writeWords(): void {
    const code = this.#code;
    const { inner, extent, sinks, operands } = this.#sort;
    const [sink] = sinks;
    const direct = inner === 1 && sinks.length === 1 && sink !== undefined;
    const pushOut = (): void => {
      code
        .get(1)
        .i32(4)
        .op("i32.mul")
        .i32(sink?.to as number)
        .op("i32.add");
    };
    const pushSpecial = (): Code => code.get(this.#special).op("v128.any_true");
    const { from } = operands[0] as RowSort["operands"][number];
    if (direct) {
      pushOut();
      if (this.#repair !== undefined) {
        code.set(this.#target).get(this.#from).get(this.#target);
        pushSpecial().op("select");
      }
      code.set(this.#target);
    } else {
      code.get(this.#from).set(this.#target);
    }
    emitElements(this.#fn, dtypeOf(this.#sort, 0), extent, {
      from: this.#from,
      target: this.#target,
      entry: this.#entry,
      end: this.#end,
      word: this.#word,
    });
    if (this.#repair !== undefined) {
      pushSpecial().if();
      pushElementAt(code, { ...this.#sort, inner: 1 }, 4, () => code.i32(0));
      code.i32(from).op("i32.add");
      code
        .i32(inner * 4)
        .i32(extent)
        .get(this.#from)
        .call(this.#repair);
      if (direct) {
        pushOut();
        code
          .get(this.#from)
          .i32(extent * 4)
          .memoryCopy();
      }
      code.end();
    }
    if (direct) return;
    for (const each of sinks) emitRow(this.#fn, this.#sort, each, () => code.get(this.#from));
  }
}

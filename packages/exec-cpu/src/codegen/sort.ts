/**
 * `sort` and `topk` as WebAssembly: a stable order of each row by its keys, then every operand gathered by it.
 *
 * Entries of 8 bytes (place in the row, key word) are sorted word by word from the least significant, by
 * counting sort over digits (all histograms of a word in one reading, digits in which all entries agree
 * skipped), or by insertion where rows are short.
 */
import { type bitsDType, type DType, itemSize, type SortStep, type TopKStep } from "@gridfuse/plan";
import { loadOp, storeOp } from "../wasm/held.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { OrderWords, wordCount } from "./order-words.ts";
import { emitNetworkSort, fitsNetwork, networkScratch } from "./sort-network.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** What leaves a sort: an operand in the new order, or the places its elements came from. */
type Sink =
  | { readonly kind: "operand"; readonly operand: number; readonly to: number }
  | { readonly kind: "places"; readonly to: number };

interface RowSort {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  /** How many of the first are written. */
  readonly taken: number;
  readonly descending: boolean;
  /** Keys come first. */
  readonly keys: number;
  readonly operands: readonly { readonly dtype: DType; readonly from: number }[];
  readonly sinks: readonly Sink[];
}

const insertionLimit = 24;
const wideDigitLimit = 4096;
const entryBytes = 8;

interface Digits {
  readonly bits: 8 | 11;
  readonly shifts: readonly number[];
}
const digitsOf = (extent: number): Digits =>
  extent < wideDigitLimit ? { bits: 8, shifts: [0, 8, 16, 24] } : { bits: 11, shifts: [0, 11, 22] };

const histogramBytes = ({ bits }: Digits): number => 4 * 2 ** bits;

const sinkSize = ({ operands }: RowSort, sink: Sink): number =>
  sink.kind === "places" ? 4 : itemSize((operands[sink.operand] as { dtype: DType }).dtype);

const ofSort = (step: SortStep, address: (buffer: number) => number): RowSort => ({
  outer: step.outer,
  extent: step.extent,
  inner: step.inner,
  taken: step.extent,
  descending: false,
  keys: step.keys,
  operands: step.inputs.map((buffer, i) => ({
    dtype: step.dtypes[i] as DType,
    from: address(buffer),
  })),
  sinks: step.outputs.map((buffer, operand) => ({ kind: "operand", operand, to: address(buffer) })),
});

const ofTopK = (step: TopKStep, address: (buffer: number) => number): RowSort => ({
  outer: step.outer,
  extent: step.extent,
  inner: 1,
  taken: step.k,
  descending: true,
  keys: 1,
  operands: [{ dtype: step.dtype, from: address(step.input) }],
  sinks: [
    { kind: "operand", operand: 0, to: address(step.values) },
    { kind: "places", to: address(step.indices) },
  ],
});

function scratchOf(sort: RowSort): number {
  const { extent, taken, sinks } = sort;
  const digits = digitsOf(extent);
  const rows = sinks.reduce((total, sink) => total + taken * sinkSize(sort, sink) + 8, 0);
  return 2 * extent * entryBytes + digits.shifts.length * histogramBytes(digits) + rows;
}

/** Whether nothing but the elements themselves moves, and a network moves them fastest. */
const isNetwork = (step: SortStep | TopKStep): boolean =>
  step.kind === "sort" &&
  step.inputs.length === 1 &&
  fitsNetwork(step.dtypes[0] as DType, step.outer * step.inner, step.extent);

/** Bytes of scratch memory that a sort or topk uses. */
export function sortScratch(step: SortStep | TopKStep): number {
  if (isNetwork(step)) return networkScratch(step.extent);
  return scratchOf(step.kind === "sort" ? ofSort(step, () => 0) : ofTopK(step, () => 0));
}

export function emitSort(
  context: CodegenContext,
  step: SortStep | TopKStep,
): StepFunction | undefined {
  const address = (buffer: number): number => context.addresses[buffer] as number;
  const sort = step.kind === "sort" ? ofSort(step, address) : ofTopK(step, address);
  const { outer, extent, inner, taken } = sort;
  if (outer * taken * inner === 0) return undefined;
  if (isNetwork(step)) {
    const { dtype, from } = sort.operands[0] as RowSort["operands"][number];
    const { to } = sort.sinks[0] as Sink;
    const { index, groups } = emitNetworkSort(context.module, {
      ...{ dtype, outer, extent, inner },
      ...{ from, to, scratch: context.scratch },
    });
    const work = outer * extent * inner * 8;
    return { index, extent: groups, grain: 1, how: "network", work };
  }
  const row = new RowEmitter(context, sort).emit();
  const fn = context.module.define(["i32", "i32"], []);
  const { code } = fn;
  const column = fn.local("i32");
  code.loop();
  code.i32(0).set(column).loop();
  code
    .get(0)
    .i32(extent * inner)
    .op("i32.mul")
    .get(column)
    .op("i32.add");
  code
    .get(0)
    .i32(taken * inner)
    .op("i32.mul")
    .get(column)
    .op("i32.add");
  code.call(row);
  code.get(column).i32(1).op("i32.add").tee(column).i32(inner).op("i32.lt_u").brIf(0).end();
  code.get(0).i32(1).op("i32.add").set(0);
  code.get(0).get(1).op("i32.lt_u").brIf(0).end();
  const work = outer * extent * inner * 32;
  return { index: fn.index, extent: outer, grain: 1, how: "radix", work };
}

/** One row: `(first element, first element of the results)`. */
class RowEmitter {
  readonly #sort: RowSort;
  readonly #fn: FunctionBuilder;
  readonly #digits: Digits;
  readonly #histograms: number;
  readonly #rows: number;
  readonly #words: OrderWords;
  readonly #from: number;
  readonly #to: number;
  readonly #i: number;
  readonly #place: number;
  readonly #word: number;
  readonly #entry: number;
  readonly #at: number;

  constructor(context: CodegenContext, sort: RowSort) {
    this.#sort = sort;
    this.#fn = context.module.define(["i32", "i32"], []);
    this.#digits = digitsOf(sort.extent);
    const { scratch } = context;
    this.#histograms = scratch + 2 * sort.extent * entryBytes;
    this.#rows = this.#histograms + this.#digits.shifts.length * histogramBytes(this.#digits);
    this.#words = new OrderWords(this.#fn);
    const local = (): number => this.#fn.local("i32");
    [this.#from, this.#to, this.#i, this.#place] = [local(), local(), local(), local()];
    [this.#word, this.#at, this.#entry] = [local(), local(), this.#fn.local("i64")];
    this.#fn.code.i32(scratch).set(this.#from);
    this.#fn.code.i32(scratch + sort.extent * entryBytes).set(this.#to);
  }

  emit(): number {
    const { operands, keys, extent } = this.#sort;
    const short = extent <= insertionLimit;
    let first = true;
    for (let key = keys - 1; key >= 0; key--) {
      const { dtype } = operands[key] as { dtype: DType };
      for (let word = 0; word < wordCount(dtype); word++) {
        this.#readWords(key, word, first, !short);
        if (short) this.#insert();
        else for (const pass of this.#digits.shifts.keys()) this.#distribute(pass);
        first = false;
      }
    }
    this.#collect();
    return this.#fn.index;
  }

  /** Runs `body` for i = 0 … count − 1, a byte distance of `step` in local `at` alongside. */
  #loop(count: number, body: () => void): void {
    const { code } = this.#fn;
    code.i32(0).set(this.#i).loop();
    body();
    code.get(this.#i).i32(1).op("i32.add").tee(this.#i).i32(count).op("i32.lt_u").brIf(0).end();
  }
  #pushEntryAddress(base: number): void {
    this.#fn.code.get(base).get(this.#i).i32(3).op("i32.shl").op("i32.add");
  }
  /** Pushes the byte address of element `place` of the row, without the operand's own address. */
  #pushElement(size: number): void {
    const { code } = this.#fn;
    code.get(0).get(this.#place);
    if (this.#sort.inner > 1) code.i32(this.#sort.inner).op("i32.mul");
    code.op("i32.add");
    if (size > 1) code.i32(Math.log2(size)).op("i32.shl");
  }

  /** Writes the entries of one key word in the order found so far, and counts their digits. */
  #readWords(key: number, word: number, first: boolean, count: boolean): void {
    const { code } = this.#fn;
    const { dtype, from } = this.#sort.operands[key] as RowSort["operands"][number];
    if (count) {
      code.i32(this.#histograms).i32(0);
      code.i32(this.#digits.shifts.length * histogramBytes(this.#digits)).memoryFill();
    }
    this.#loop(this.#sort.extent, () => {
      if (first) {
        code.get(this.#i).set(this.#place);
      } else {
        this.#pushEntryAddress(this.#from);
        code.memory("i32.load", 0).set(this.#place);
      }
      this.#pushElement(itemSize(dtype));
      this.#words.push(dtype, word, from);
      if (this.#sort.descending) code.i32(-1).op("i32.xor");
      code.set(this.#word);
      this.#pushEntryAddress(this.#from);
      code.tee(this.#at).get(this.#place).memory("i32.store", 0);
      code.get(this.#at).get(this.#word).memory("i32.store", 4);
      if (!count) return;
      for (const pass of this.#digits.shifts.keys()) {
        this.#pushDigitAddress(pass);
        code.tee(this.#at).get(this.#at).memory("i32.load", this.#histogram(pass));
        code.i32(1).op("i32.add").memory("i32.store", this.#histogram(pass));
      }
    });
  }

  #histogram(pass: number): number {
    return this.#histograms + pass * histogramBytes(this.#digits);
  }
  /** Pushes 4 · digit of `word`. */
  #pushDigitAddress(pass: number): void {
    const { code } = this.#fn;
    const shift = this.#digits.shifts[pass] as number;
    code.get(this.#word);
    if (shift > 0) code.i32(shift).op("i32.shr_u");
    if (shift + this.#digits.bits < 32) code.i32(2 ** this.#digits.bits - 1).op("i32.and");
    code.i32(2).op("i32.shl");
  }

  /** One pass of the counting sort, from `from` to `to`, which then change roles. */
  #distribute(pass: number): void {
    const { code } = this.#fn;
    const base = this.#histogram(pass);
    code.block();
    // Nothing to do where the first entry's digit is everybody's.
    code.get(this.#from).memory("i32.load", 4).set(this.#word);
    this.#pushDigitAddress(pass);
    code.memory("i32.load", base).i32(this.#sort.extent).op("i32.eq").brIf(0);
    // Counts become the places where each digit's entries begin.
    code.i32(0).set(this.#place).i32(0).set(this.#at).loop();
    code.get(this.#at).memory("i32.load", base).set(this.#word);
    code.get(this.#at).get(this.#place).memory("i32.store", base);
    code.get(this.#place).get(this.#word).op("i32.add").set(this.#place);
    code.get(this.#at).i32(4).op("i32.add").tee(this.#at);
    code.i32(histogramBytes(this.#digits)).op("i32.lt_u").brIf(0).end();
    this.#loop(this.#sort.extent, () => {
      this.#pushEntryAddress(this.#from);
      code.memory("i64.load", 0).tee(this.#entry).i64(32n).op("i64.shr_u").op("i32.wrap_i64");
      code.set(this.#word);
      this.#pushDigitAddress(pass);
      code.tee(this.#at).memory("i32.load", base).set(this.#place);
      code.get(this.#to).get(this.#place).i32(3).op("i32.shl").op("i32.add");
      code.get(this.#entry).memory("i64.store", 0);
      code.get(this.#at).get(this.#place).i32(1).op("i32.add").memory("i32.store", base);
    });
    code.get(this.#from).get(this.#to).set(this.#from).set(this.#to);
    code.end();
  }

  /** Insertion sort of the entries by their words. */
  #insert(): void {
    const { code } = this.#fn;
    this.#loop(this.#sort.extent, () => {
      this.#pushEntryAddress(this.#from);
      code.tee(this.#at).memory("i64.load", 0).set(this.#entry);
      code.get(this.#at).memory("i32.load", 4).set(this.#word);
      code.block().loop();
      code.get(this.#at).get(this.#from).op("i32.eq").brIf(1);
      code.get(this.#at).i32(entryBytes).op("i32.sub").memory("i32.load", 4);
      code.get(this.#word).op("i32.le_u").brIf(1);
      code.get(this.#at).get(this.#at).i32(entryBytes).op("i32.sub").memory("i64.load", 0);
      code.memory("i64.store", 0);
      code.get(this.#at).i32(entryBytes).op("i32.sub").set(this.#at);
      code.br(0).end().end();
      code.get(this.#at).get(this.#entry).memory("i64.store", 0);
    });
  }

  /** Gathers all results before writing any: operands and results may share memory. */
  #collect(): void {
    const { code } = this.#fn;
    const { sinks, taken, inner, operands } = this.#sort;
    let row = this.#rows;
    const rows = sinks.map((sink) => {
      const at = row;
      row += Math.ceil((taken * sinkSize(this.#sort, sink)) / 8) * 8;
      return at;
    });
    for (const [i, sink] of sinks.entries()) {
      const size = sinkSize(this.#sort, sink);
      const bits = bitsOfSize(size);
      this.#loop(taken, () => {
        code.get(this.#i).i32(Math.log2(size)).op("i32.shl");
        this.#pushEntryAddress(this.#from);
        code.memory("i32.load", 0);
        if (sink.kind === "operand") {
          code.set(this.#place);
          this.#pushElement(size);
          code.memory(loadOp(bits), (operands[sink.operand] as { from: number }).from);
        }
        code.memory(storeOp(bits), rows[i] as number);
      });
    }
    for (const [i, sink] of sinks.entries()) {
      const size = sinkSize(this.#sort, sink);
      const bits = bitsOfSize(size);
      if (inner === 1) {
        code.get(1).i32(size).op("i32.mul").i32(sink.to).op("i32.add");
        code
          .i32(rows[i] as number)
          .i32(taken * size)
          .memoryCopy();
        continue;
      }
      this.#loop(taken, () => {
        code.get(1).get(this.#i).i32(inner).op("i32.mul").op("i32.add").i32(size).op("i32.mul");
        code
          .get(this.#i)
          .i32(size)
          .op("i32.mul")
          .memory(loadOp(bits), rows[i] as number);
        code.memory(storeOp(bits), sink.to);
      });
    }
  }
}

function bitsOfSize(size: number): ReturnType<typeof bitsDType> {
  const bySize = { 1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64" } as const;
  return bySize[size as 1 | 2 | 4 | 8];
}

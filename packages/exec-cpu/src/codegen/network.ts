/**
 * Sorts columns: the lanes of a row of vectors in memory, each lane for itself, so that a comparator of a
 * sorting network is one minimum and one maximum and no lane ever has to cross over.
 *
 * The network is the bitonic one in the form where all comparators point the same way: a stage that merges
 * blocks starts with a mirrored substage and goes on with strides (Batcher, "Sorting networks and their
 * applications", 1968; the mirrored form is due to Knuth, TAOCP 3, 5.3.4, exercise 39). Eight elements sit in
 * registers at a time, three substages to a pass through memory. Columns are padded to a power of two with
 * what sorts last; blocks of padding alone are not visited.
 */
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import type { PlainOp } from "../wasm/opcodes.ts";

export const vectorBytes = 16;

/** How lanes are compared. */
export interface LaneOrder {
  readonly smaller: PlainOp;
  readonly larger: PlainOp;
}

/** Vectors that a column of `extent` elements is padded to. */
const paddedExtent = (extent: number): number => Math.max(8, 2 ** Math.ceil(Math.log2(extent)));

/** Bytes of columns of `extent` elements. */
export const networkBytes = (extent: number): number => paddedExtent(extent) * vectorBytes;

/** Stores `push`'s vector in the padding of columns at `scratch`; `at` is a local for an address. */
export function emitPadding(
  code: Code,
  at: number,
  scratch: number,
  extent: number,
  push: () => void,
): void {
  const end = paddedExtent(extent);
  if (extent === end) return;
  code
    .i32(scratch + extent * vectorBytes)
    .set(at)
    .loop();
  code.get(at);
  push();
  code.memory("v128.store", 0);
  code.get(at).i32(vectorBytes).op("i32.add").tee(at);
  code
    .i32(scratch + end * vectorBytes)
    .op("i32.lt_u")
    .brIf(0)
    .end();
}

type Comparator = readonly [low: number, high: number];

const comparators = (list: string): readonly Comparator[] =>
  list.split(" ").map((pair) => [Number(pair[0]), Number(pair[1])]);

/** Batcher's odd-even merge sort of 8. */
const sortOf8 = comparators("01 23 45 67 02 13 46 57 12 56 04 15 26 37 24 35 12 34 56");

const strides421 = comparators("04 15 26 37 02 13 46 57 01 23 45 67");

/**
 * The mirrored substage of a block and the `substages − 1` strides after it. Of 2^substages elements the
 * first half counts up from the block's start, the second half counts down from its end.
 */
function mirrored(substages: number): readonly Comparator[] {
  const half = 2 ** (substages - 1);
  const list: Comparator[] = [];
  for (let i = 0; i < half; i++) list.push([i, half + i]);
  for (let stride = half / 2; stride >= 1; stride /= 2) {
    for (let i = 0; i < half; i++) {
      if ((i & stride) !== 0) continue;
      list.push([i, i + stride], [half + i + stride, half + i]);
    }
  }
  return list;
}

function emitComparators(
  fn: FunctionBuilder,
  registers: readonly number[],
  list: readonly Comparator[],
  { smaller: min, larger: max }: LaneOrder,
): void {
  const { code } = fn;
  const smaller = fn.local("v128");
  for (const [low, high] of list) {
    const [a, b] = [registers[low] as number, registers[high] as number];
    code.get(a).get(b).op(min).set(smaller);
    code.get(a).get(b).op(max).set(b);
    code.get(smaller).set(a);
  }
}

/** The functions that all sorts of a module share, made when they are first needed. */
export class Network {
  static readonly #known = new WeakMap<ModuleBuilder, Map<string, number>>();
  readonly #module: ModuleBuilder;
  readonly #order: LaneOrder;
  readonly #functions: Map<string, number>;

  constructor(module: ModuleBuilder, order: LaneOrder) {
    this.#module = module;
    this.#order = order;
    this.#functions = Network.#known.get(module) ?? new Map<string, number>();
    Network.#known.set(module, this.#functions);
  }

  #function(name: string, define: () => number): number {
    const key = `${name} by ${this.#order.smaller}`;
    const index = this.#functions.get(key) ?? define();
    this.#functions.set(key, index);
    return index;
  }

  /** Pushes the calls that sort the columns of `extent` vectors at `scratch`. */
  emit(code: Code, scratch: number, extent: number): void {
    const padded = paddedExtent(extent);
    const end = (block: number): number =>
      scratch + Math.ceil(extent / block) * block * vectorBytes;
    code.i32(scratch).i32(end(8)).call(this.#inPlace("sort 8", sortOf8));
    for (let k = 4; 2 ** k <= padded; k++) {
      const block = 2 ** k;
      const first = ((k - 1) % 3) + 1;
      code
        .i32(scratch)
        .i32(end(block))
        .i32(block * vectorBytes)
        .call(this.#mirror(first));
      for (let stride = block / 2 ** (first + 3); stride > 1; stride /= 8) {
        code
          .i32(scratch)
          .i32(end(8 * stride))
          .i32(stride * vectorBytes)
          .call(this.#strided());
      }
      code.i32(scratch).i32(end(8)).call(this.#inPlace("strides", strides421));
    }
  }

  /** `(from, end)`: eight neighbouring vectors at a time. */
  #inPlace(name: string, list: readonly Comparator[]): number {
    return this.#function(name, () => {
      const fn = this.#module.define(["i32", "i32"], []);
      const { code } = fn;
      const registers = Array.from({ length: 8 }, () => fn.local("v128"));
      code.loop();
      for (const [i, register] of registers.entries())
        code
          .get(0)
          .memory("v128.load", i * vectorBytes)
          .set(register);
      emitComparators(fn, registers, list, this.#order);
      for (const [i, register] of registers.entries())
        code
          .get(0)
          .get(register)
          .memory("v128.store", i * vectorBytes);
      code
        .get(0)
        .i32(8 * vectorBytes)
        .op("i32.add")
        .tee(0)
        .get(1)
        .op("i32.lt_u")
        .brIf(0)
        .end();
      return fn.index;
    });
  }

  /** `(from, end, stride)`: eight vectors a stride apart. */
  #strided(): number {
    return this.#function("strided", () => {
      const fn = this.#module.define(["i32", "i32", "i32"], []);
      const { code } = fn;
      const pointers = [0, ...Array.from({ length: 7 }, () => fn.local("i32"))];
      const registers = pointers.map(() => fn.local("v128"));
      const last = fn.local("i32");
      code.loop();
      code.get(0).get(2).op("i32.add").set(last);
      code.loop();
      for (const [i, pointer] of pointers.entries()) {
        if (i > 0)
          code
            .get(pointers[i - 1] as number)
            .get(2)
            .op("i32.add")
            .set(pointer);
        code
          .get(pointer)
          .memory("v128.load", 0)
          .set(registers[i] as number);
      }
      emitComparators(fn, registers, strides421, this.#order);
      for (const [i, pointer] of pointers.entries())
        code
          .get(pointer)
          .get(registers[i] as number)
          .memory("v128.store", 0);
      code.get(0).i32(vectorBytes).op("i32.add").tee(0).get(last).op("i32.lt_u").brIf(0).end();
      code.get(0).get(2).i32(7).op("i32.mul").op("i32.add").tee(0);
      code.get(1).op("i32.lt_u").brIf(0).end();
      return fn.index;
    });
  }

  /** `(from, end, block)`: the first `substages` substages of the merge of each block. */
  #mirror(substages: number): number {
    return this.#function(`mirror ${substages}`, () => {
      const fn = this.#module.define(["i32", "i32", "i32"], []);
      const { code } = fn;
      const half = 2 ** (substages - 1);
      const pointers = [0, ...Array.from({ length: 2 * half - 1 }, () => fn.local("i32"))];
      const registers = pointers.map(() => fn.local("v128"));
      const [top, last, stride] = [fn.local("i32"), fn.local("i32"), fn.local("i32")];
      code.get(2).i32(substages).op("i32.shr_u").set(stride);
      code.loop();
      code.get(0).get(2).op("i32.add").i32(vectorBytes).op("i32.sub").set(top);
      code.get(0).get(stride).op("i32.add").set(last);
      code.loop();
      for (const [i, pointer] of pointers.entries()) {
        if (i === half) code.get(top).set(pointer);
        else if (i > 0) {
          code.get(pointers[i - 1] as number).get(stride);
          code.op(i < half ? "i32.add" : "i32.sub").set(pointer);
        }
        code
          .get(pointer)
          .memory("v128.load", 0)
          .set(registers[i] as number);
      }
      emitComparators(fn, registers, mirrored(substages), this.#order);
      for (const [i, pointer] of pointers.entries())
        code
          .get(pointer)
          .get(registers[i] as number)
          .memory("v128.store", 0);
      code.get(top).i32(vectorBytes).op("i32.sub").set(top);
      code.get(0).i32(vectorBytes).op("i32.add").tee(0).get(last).op("i32.lt_u").brIf(0).end();
      // From one stride into the block to its end.
      code.get(0).get(stride).op("i32.sub").get(2).op("i32.add").tee(0);
      code.get(1).op("i32.lt_u").brIf(0).end();
      return fn.index;
    });
  }
}

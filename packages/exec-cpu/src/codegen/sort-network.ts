/**
 * `sort` of rows of 32-bit elements without carried operands, four rows at a time: each row is a lane, so
 * that a comparator of a sorting network is one minimum and one maximum of vectors and no lane ever has to
 * cross over.
 *
 * The network is the bitonic one in the form where all comparators point the same way: a stage that merges
 * blocks starts with a mirrored substage and goes on with strides (Batcher, "Sorting networks and their
 * applications", 1968; the mirrored form is due to Knuth, TAOCP 3, 5.3.4, exercise 39). Eight elements sit in
 * registers at a time, three substages to a pass through memory. Rows are padded to a power of two with
 * the largest key; blocks of padding alone are not visited.
 *
 * Keys are signed words whose order is that of `sort`; groups with a −0 or a NaN are repaired afterwards.
 */
import type { DType } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { emitRepair } from "./sort-repair.ts";

/** `outer · inner` rows of `extent` elements, `inner` elements apart; addresses in bytes. */
export interface NetworkSort {
  readonly dtype: DType;
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  readonly from: number;
  readonly to: number;
  readonly scratch: number;
}

const lanes = 4;
const vectorBytes = 16;
const largestKey = 0x7fffffff;
const infinity = 0x7f800000;

/** Up to here a row's network is faster than counting its digits. */
const longestRow = 8192;
/** From here on the lanes that a single row leaves idle cost more than counting its digits. */
const longestLonelyRow = 256;

const isNetworkDType = (dtype: DType): boolean =>
  dtype === "float32" || dtype === "int32" || dtype === "uint32";

export const fitsNetwork = (dtype: DType, rows: number, extent: number): boolean =>
  isNetworkDType(dtype) && extent <= (rows === 1 ? longestLonelyRow : longestRow);

const paddedExtent = (extent: number): number => Math.max(8, 2 ** Math.ceil(Math.log2(extent)));

export const networkScratch = (extent: number): number => paddedExtent(extent) * vectorBytes;

/** A function `(lo, hi)` that sorts groups lo ≤ g < hi of four rows. */
export function emitNetworkSort(
  module: ModuleBuilder,
  sort: NetworkSort,
): { readonly index: number; readonly groups: number } {
  const network = new Network(module);
  const repair =
    sort.dtype === "float32"
      ? emitRepair(module, { distance: vectorBytes, ordered: true })
      : undefined;
  const fn = module.define(["i32", "i32"], []);
  new GroupEmitter(fn, sort, network, repair).emit();
  return { index: fn.index, groups: Math.ceil((sort.outer * sort.inner) / lanes) };
}

// ── The network ─────────────────────────────────────────────────────────────────────────────

type Comparator = readonly [low: number, high: number];

/** Batcher's odd-even merge sort of 8. */
const sortOf8: readonly Comparator[] = [
  ...([
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
  ] as const),
  ...([
    [0, 2],
    [1, 3],
    [4, 6],
    [5, 7],
    [1, 2],
    [5, 6],
  ] as const),
  ...([
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
    [2, 4],
    [3, 5],
    [1, 2],
    [3, 4],
    [5, 6],
  ] as const),
];

/** Strides 4, 2 and 1. */
const strides421: readonly Comparator[] = [
  ...([
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
  ] as const),
  ...([
    [0, 2],
    [1, 3],
    [4, 6],
    [5, 7],
  ] as const),
  ...([
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
  ] as const),
];

/**
 * The mirrored substage of a block and the `substages − 1` strides after it. Of 2^substages elements the
 * first half counts up from the block's start, the second half counts down from its end.
 */
function mirrored(substages: number): readonly Comparator[] {
  const half = 2 ** (substages - 1);
  const comparators: Comparator[] = [];
  for (let i = 0; i < half; i++) comparators.push([i, half + i]);
  for (let stride = half / 2; stride >= 1; stride /= 2) {
    for (let i = 0; i < half; i++) {
      if ((i & stride) !== 0) continue;
      comparators.push([i, i + stride], [half + i + stride, half + i]);
    }
  }
  return comparators;
}

function emitComparators(
  fn: FunctionBuilder,
  registers: readonly number[],
  list: readonly Comparator[],
): void {
  const { code } = fn;
  const smaller = fn.local("v128");
  for (const [low, high] of list) {
    const [a, b] = [registers[low] as number, registers[high] as number];
    code.get(a).get(b).op("i32x4.min_s").set(smaller);
    code.get(a).get(b).op("i32x4.max_s").set(b);
    code.get(smaller).set(a);
  }
}

/** The functions that all sorts of a module share, made when they are first needed. */
class Network {
  static readonly #known = new WeakMap<ModuleBuilder, Map<string, number>>();
  readonly #module: ModuleBuilder;
  readonly #functions: Map<string, number>;

  constructor(module: ModuleBuilder) {
    this.#module = module;
    this.#functions = Network.#known.get(module) ?? new Map<string, number>();
    Network.#known.set(module, this.#functions);
  }

  #function(name: string, define: () => number): number {
    const index = this.#functions.get(name) ?? define();
    this.#functions.set(name, index);
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
  #inPlace(name: string, comparators: readonly Comparator[]): number {
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
      emitComparators(fn, registers, comparators);
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
      emitComparators(fn, registers, strides421);
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
      emitComparators(fn, registers, mirrored(substages));
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

// ── Rows in, rows out ───────────────────────────────────────────────────────────────────────

const transposeSteps = [
  [0, 1, [0, 4, 1, 5]],
  [2, 3, [0, 4, 1, 5]],
  [0, 1, [2, 6, 3, 7]],
  [2, 3, [2, 6, 3, 7]],
] as const;

class GroupEmitter {
  readonly #code: Code;
  readonly #sort: NetworkSort;
  readonly #network: Network;
  readonly #repair: number | undefined;
  /** Byte distance of each lane's row from the operand's start. */
  readonly #rows: readonly number[];
  readonly #i: number;
  readonly #column: number;
  readonly #special: number;
  readonly #bits: number;
  readonly #quad: readonly number[];
  readonly #mixed: readonly number[];

  constructor(
    fn: FunctionBuilder,
    sort: NetworkSort,
    network: Network,
    repair: number | undefined,
  ) {
    this.#code = fn.code;
    this.#sort = sort;
    this.#network = network;
    this.#repair = repair;
    const four = (type: "i32" | "v128"): number[] =>
      Array.from({ length: lanes }, () => fn.local(type));
    this.#rows = four("i32");
    [this.#i, this.#column] = [fn.local("i32"), fn.local("i32")];
    [this.#special, this.#bits] = [fn.local("v128"), fn.local("v128")];
    [this.#quad, this.#mixed] = [four("v128"), four("v128")];
  }

  emit(): void {
    const code = this.#code;
    const { extent, scratch } = this.#sort;
    code.loop();
    this.#findRows();
    this.#read();
    this.#pad();
    this.#network.emit(code, scratch, extent);
    if (this.#repair !== undefined) this.#repairSpecial(this.#repair);
    this.#write();
    code.get(0).i32(1).op("i32.add").tee(0).get(1).op("i32.lt_u").brIf(0).end();
  }

  /** Lanes beyond the last row do that row once more. */
  #findRows(): void {
    const code = this.#code;
    const { outer, extent, inner } = this.#sort;
    for (const [lane, row] of this.#rows.entries()) {
      code.get(0).i32(lanes).op("i32.mul").i32(lane).op("i32.add").set(row);
      code.get(row).i32(outer * inner - 1);
      code
        .get(row)
        .i32(outer * inner - 1)
        .op("i32.lt_u")
        .op("select")
        .set(row);
      code
        .get(row)
        .i32(inner)
        .op("i32.div_u")
        .i32(extent * inner * 4)
        .op("i32.mul");
      code.get(row).i32(inner).op("i32.rem_u").i32(4).op("i32.mul").op("i32.add").set(row);
    }
  }

  /** Where the four rows' elements of one place are one vector. */
  get #neighbours(): boolean {
    return this.#sort.inner % lanes === 0;
  }

  /** Runs `quad` for the places that go four at a time, then `single` for the rest; `#i` is the byte distance. */
  #overPlaces(quad: (() => void) | undefined, single: () => void): void {
    const { extent, scratch, inner } = this.#sort;
    const code = this.#code;
    const inQuads = quad === undefined ? 0 : extent - (extent % lanes);
    code.i32(0).set(this.#i).i32(scratch).set(this.#column);
    const loop = (places: number, until: number, body: () => void): void => {
      code.loop();
      body();
      code
        .get(this.#i)
        .i32(places * inner * 4)
        .op("i32.add")
        .set(this.#i);
      code
        .get(this.#column)
        .i32(places * vectorBytes)
        .op("i32.add")
        .tee(this.#column);
      code
        .i32(scratch + until * vectorBytes)
        .op("i32.lt_u")
        .brIf(0)
        .end();
    };
    if (quad !== undefined && inQuads > 0) loop(lanes, inQuads, quad);
    if (inQuads < extent) loop(1, extent, single);
  }

  #read(): void {
    const code = this.#code;
    const { inner, from } = this.#sort;
    code.v128([0, 0, 0, 0]).set(this.#special);
    const pushAddress = (lane: number): void => {
      code
        .get(this.#rows[lane] as number)
        .get(this.#i)
        .op("i32.add");
    };
    const quad = (): void => {
      for (const [lane, local] of this.#quad.entries()) {
        pushAddress(lane);
        code.memory("v128.load", from);
        this.#toKeys();
        code.set(local);
      }
      this.#transpose();
      for (const [place, local] of this.#quad.entries())
        code
          .get(this.#column)
          .get(local)
          .memory("v128.store", place * vectorBytes);
    };
    this.#overPlaces(inner === 1 ? quad : undefined, () => {
      code.get(this.#column);
      pushAddress(0);
      if (this.#neighbours) {
        code.memory("v128.load", from);
      } else {
        code.memory("v128.load32_zero", from).set(this.#bits);
        for (let lane = 1; lane < lanes; lane++) {
          pushAddress(lane);
          code.get(this.#bits).memoryLane("v128.load32_lane", from, lane).set(this.#bits);
        }
        code.get(this.#bits);
      }
      this.#toKeys();
      code.memory("v128.store", 0);
    });
  }

  /** Elements on top of the stack become keys. */
  #toKeys(): void {
    const code = this.#code;
    const { dtype } = this.#sort;
    if (dtype === "uint32") {
      code.i32(-0x80000000).op("i32x4.splat").op("v128.xor");
    }
    if (dtype !== "float32") return;
    const nanMask = this.#mixed[0] as number;
    code.set(this.#bits);
    code.get(this.#bits).i32(largestKey).op("i32x4.splat").op("v128.and");
    code.i32(infinity).op("i32x4.splat").op("i32x4.gt_s").set(nanMask);
    code.get(this.#bits).i32(-0x80000000).op("i32x4.splat").op("i32x4.eq");
    code.get(nanMask).op("v128.or").get(this.#special).op("v128.or").set(this.#special);
    code.i32(largestKey).op("i32x4.splat").get(this.#bits);
    this.#flipNegative();
    code.get(nanMask).op("v128.bitselect");
  }

  /** Turns vectors of float bits into ordered words, or back. */
  #flipNegative(): void {
    const code = this.#code;
    code.tee(this.#bits).get(this.#bits).i32(31).op("i32x4.shr_s").i32(1).op("i32x4.shr_u");
    code.op("v128.xor");
  }

  #fromKeys(): void {
    const { dtype } = this.#sort;
    if (dtype === "uint32") this.#code.i32(-0x80000000).op("i32x4.splat").op("v128.xor");
    if (dtype === "float32") this.#flipNegative();
  }

  #pad(): void {
    const code = this.#code;
    const { extent, scratch } = this.#sort;
    const end = paddedExtent(extent);
    if (extent === end) return;
    code
      .i32(scratch + extent * vectorBytes)
      .set(this.#column)
      .loop();
    code.get(this.#column).i32(largestKey).op("i32x4.splat").memory("v128.store", 0);
    code.get(this.#column).i32(vectorBytes).op("i32.add").tee(this.#column);
    code
      .i32(scratch + end * vectorBytes)
      .op("i32.lt_u")
      .brIf(0)
      .end();
  }

  #repairSpecial(repair: number): void {
    const code = this.#code;
    const { extent, inner, from, scratch } = this.#sort;
    code.get(this.#special).op("v128.any_true").if();
    for (const [lane, row] of this.#rows.entries()) {
      code
        .get(row)
        .i32(from)
        .op("i32.add")
        .i32(inner * 4)
        .i32(extent)
        .i32(scratch + lane * 4);
      code.call(repair);
    }
    code.end();
  }

  #write(): void {
    const code = this.#code;
    const { inner, to } = this.#sort;
    const pushAddress = (lane: number): void => {
      code
        .get(this.#rows[lane] as number)
        .get(this.#i)
        .op("i32.add");
    };
    const quad = (): void => {
      for (const [place, local] of this.#quad.entries()) {
        code.get(this.#column).memory("v128.load", place * vectorBytes);
        this.#fromKeys();
        code.set(local);
      }
      this.#transpose();
      for (const [lane, local] of this.#quad.entries()) {
        pushAddress(lane);
        code.get(local).memory("v128.store", to);
      }
    };
    this.#overPlaces(inner === 1 ? quad : undefined, () => {
      if (this.#neighbours) {
        pushAddress(0);
        code.get(this.#column).memory("v128.load", 0);
        this.#fromKeys();
        code.memory("v128.store", to);
        return;
      }
      const [value] = this.#quad as [number];
      code.get(this.#column).memory("v128.load", 0);
      this.#fromKeys();
      code.set(value);
      for (let lane = 0; lane < lanes; lane++) {
        pushAddress(lane);
        code.get(value).memoryLane("v128.store32_lane", to, lane);
      }
    });
  }

  /** The four vectors of `#quad` as the rows of a 4 × 4 matrix. */
  #transpose(): void {
    const code = this.#code;
    const [quad, mixed] = [this.#quad, this.#mixed];
    for (const [i, [a, b, picked]] of transposeSteps.entries()) {
      code
        .get(quad[a] as number)
        .get(quad[b] as number)
        .shuffleLanes(picked)
        .set(mixed[i] as number);
    }
    const [low, next, high, highest] = mixed as [number, number, number, number];
    for (const [i, [a, b]] of [
      [low, next],
      [high, highest],
    ].entries()) {
      code
        .get(a as number)
        .get(b as number)
        .shuffleLanes([0, 1, 4, 5])
        .set(quad[2 * i] as number);
      code
        .get(a as number)
        .get(b as number)
        .shuffleLanes([2, 3, 6, 7])
        .set(quad[2 * i + 1] as number);
    }
  }
}

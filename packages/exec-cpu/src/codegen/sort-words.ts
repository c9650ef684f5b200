/**
 * `sort` of rows of 32-bit elements without carried operands, four rows at a time: each row is a lane.
 *
 * Keys are signed words whose order is that of `sort`; groups with a −0 or a NaN are repaired afterwards.
 */
import type { DType } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { emitPadding, type LaneOrder, Network, networkBytes, vectorBytes } from "./network.ts";
import { emitRepair } from "./sort-repair.ts";
import { isWord } from "./sort-rows.ts";

/** `outer · inner` rows of `extent` elements, `inner` elements apart; addresses in bytes. */
export interface WordSort {
  readonly dtype: DType;
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  readonly from: number;
  readonly to: number;
  readonly scratch: number;
}

const lanes = 4;
const words: LaneOrder = { smaller: "i32x4.min_s", larger: "i32x4.max_s" };
const largestKey = 0x7fffffff;
const infinity = 0x7f800000;

/** Up to here a row's network is faster than counting its digits. */
const longestRow = 8192;
/** From here on the lanes that a single row leaves idle cost more than counting its digits. */
const longestLonelyRow = 256;

export const fitsWords = (dtype: DType, rows: number, extent: number): boolean =>
  isWord(dtype) && extent <= (rows === 1 ? longestLonelyRow : longestRow);

export const wordScratch: (extent: number) => number = networkBytes;

/** A function `(lo, hi)` that sorts groups lo ≤ g < hi of four rows. */
export function emitWordSort(
  module: ModuleBuilder,
  sort: WordSort,
): { readonly index: number; readonly groups: number } {
  const network = new Network(module, words);
  const repair =
    sort.dtype === "float32"
      ? emitRepair(module, { distance: vectorBytes, ordered: true })
      : undefined;
  const fn = module.define(["i32", "i32"], []);
  new GroupEmitter(fn, sort, network, repair).emit();
  return { index: fn.index, groups: Math.ceil((sort.outer * sort.inner) / lanes) };
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
  readonly #sort: WordSort;
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

  constructor(fn: FunctionBuilder, sort: WordSort, network: Network, repair: number | undefined) {
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

  /** Pushes the byte distance of the element of lane `lane` that is being read or written. */
  #pushAddress(lane: number): void {
    this.#code
      .get(this.#rows[lane] as number)
      .get(this.#i)
      .op("i32.add");
  }

  #read(): void {
    const code = this.#code;
    const { inner, from } = this.#sort;
    code.v128([0, 0, 0, 0]).set(this.#special);
    const quad = (): void => {
      for (const [lane, local] of this.#quad.entries()) {
        this.#pushAddress(lane);
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
      this.#pushAddress(0);
      if (this.#neighbours) {
        code.memory("v128.load", from);
      } else {
        code.memory("v128.load32_zero", from).set(this.#bits);
        for (let lane = 1; lane < lanes; lane++) {
          this.#pushAddress(lane);
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
    const { extent, scratch } = this.#sort;
    emitPadding(this.#code, this.#column, scratch, extent, () => {
      this.#code.i32(largestKey).op("i32x4.splat");
    });
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
    const quad = (): void => {
      for (const [place, local] of this.#quad.entries()) {
        code.get(this.#column).memory("v128.load", place * vectorBytes);
        this.#fromKeys();
        code.set(local);
      }
      this.#transpose();
      for (const [lane, local] of this.#quad.entries()) {
        this.#pushAddress(lane);
        code.get(local).memory("v128.store", to);
      }
    };
    this.#overPlaces(inner === 1 ? quad : undefined, () => {
      if (this.#neighbours) {
        this.#pushAddress(0);
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
        this.#pushAddress(lane);
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

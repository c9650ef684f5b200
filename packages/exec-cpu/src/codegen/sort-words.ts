/**
 * `sort` of rows of 32-bit elements without carried operands, four rows at a time: each row is a lane.
 *
 * Keys are signed words whose order is that of `sort`; groups with a −0 or a NaN are repaired afterwards.
 */
import type { DType } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { FourRows, lanes, type RowsShape } from "./four-rows.ts";
import { emitPadding, type LaneOrder, Network, networkBytes, vectorBytes } from "./network.ts";
import { emitRepair } from "./sort-repair.ts";
import { isWord } from "./sort-rows.ts";

/** Addresses in bytes. */
export interface WordSort extends RowsShape {
  readonly dtype: DType;
  readonly from: number;
  readonly to: number;
  readonly scratch: number;
}

export const wordOrder: LaneOrder = { smaller: "i32x4.min_s", larger: "i32x4.max_s" };
export const largestKey = 0x7fffffff;
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
  const network = new Network(module, wordOrder);
  const repair =
    sort.dtype === "float32"
      ? emitRepair(module, { distance: vectorBytes, ordered: true })
      : undefined;
  const fn = module.define(["i32", "i32"], []);
  new GroupEmitter(fn, sort, network, repair).emit();
  return { index: fn.index, groups: Math.ceil((sort.outer * sort.inner) / lanes) };
}

class GroupEmitter {
  readonly #code: Code;
  readonly #sort: WordSort;
  readonly #network: Network;
  readonly #repair: number | undefined;
  readonly #rows: FourRows;
  readonly #special: number;
  readonly #bits: number;
  readonly #nan: number;

  constructor(fn: FunctionBuilder, sort: WordSort, network: Network, repair: number | undefined) {
    this.#code = fn.code;
    this.#sort = sort;
    this.#network = network;
    this.#repair = repair;
    this.#rows = new FourRows(fn, sort);
    [this.#special, this.#bits, this.#nan] = [fn.local("v128"), fn.local("v128"), fn.local("v128")];
  }

  emit(): void {
    const code = this.#code;
    const { extent, from, to, scratch } = this.#sort;
    code.loop();
    this.#rows.find(0);
    code.v128([0, 0, 0, 0]).set(this.#special);
    this.#rows.read(from, scratch, () => this.#toKeys());
    emitPadding(code, this.#rows.column, scratch, extent, () => {
      code.i32(largestKey).op("i32x4.splat");
    });
    this.#network.emit(code, scratch, extent);
    if (this.#repair !== undefined) this.#repairSpecial(this.#repair);
    this.#rows.write(scratch, to, () => this.#fromKeys());
    code.get(0).i32(1).op("i32.add").tee(0).get(1).op("i32.lt_u").brIf(0).end();
  }

  /** Elements on top of the stack become keys. */
  #toKeys(): void {
    const code = this.#code;
    const { dtype } = this.#sort;
    if (dtype === "uint32") code.i32(-0x80000000).op("i32x4.splat").op("v128.xor");
    if (dtype !== "float32") return;
    code.set(this.#bits);
    code.get(this.#bits).i32(largestKey).op("i32x4.splat").op("v128.and");
    code.i32(infinity).op("i32x4.splat").op("i32x4.gt_s").set(this.#nan);
    code.get(this.#bits).i32(-0x80000000).op("i32x4.splat").op("i32x4.eq");
    code.get(this.#nan).op("v128.or").get(this.#special).op("v128.or").set(this.#special);
    code.i32(largestKey).op("i32x4.splat").get(this.#bits);
    this.#flipNegative();
    code.get(this.#nan).op("v128.bitselect");
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

  #repairSpecial(repair: number): void {
    const code = this.#code;
    const { extent, inner, from, scratch } = this.#sort;
    code.get(this.#special).op("v128.any_true").if();
    for (const [lane, row] of this.#rows.rows.entries()) {
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
}

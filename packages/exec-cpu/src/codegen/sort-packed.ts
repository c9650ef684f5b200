/**
 * One key of 32 bits with the places its elements come from, four rows at a time by the network of words.
 *
 * A word holds the place in its lower bits and above it as much of the key as there is room for, counted from the least key
 * of the row and moved up as far as the greatest allows. Sorted words are then in order but for elements whose keys agree
 * in what was kept; those are few among most data, and settled by insertion. A row where they are many is sorted by its
 * digits instead.
 */
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { FourRows, lanes } from "./four-rows.ts";
import { emitPadding, Network, networkBytes, vectorBytes } from "./network.ts";
import { radixScratch } from "./radix-form.ts";
import { emitFloatKeys } from "./sort-places.ts";
import { emitRadixSort } from "./sort-radix.ts";
import { dtypeOf, emitResults, emitRow, isWord, type RowSort, rowsBytes } from "./sort-rows.ts";
import { largestKey, wordOrder } from "./sort-words.ts";

/** Up to here enough of a key fits beside a place, and the network is faster than counting digits. */
const longestRow = 2048;
const shortestRow = 8;
/** Fewer leave lanes idle. */
const fewestRows = 3;
/** Insertions may move so many elements for each of a row. */
const patience = 2;

export const fitsPacked = (sort: RowSort): boolean =>
  sort.keys === 1 &&
  isWord(dtypeOf(sort, 0)) &&
  sort.outer * sort.inner >= fewestRows &&
  sort.extent >= shortestRow &&
  sort.extent <= longestRow;

const placesBytes = ({ extent }: RowSort): number => Math.ceil(extent / 4) * vectorBytes;

export const packedScratch = (sort: RowSort): number =>
  sort.extent * vectorBytes +
  networkBytes(sort.extent) +
  placesBytes(sort) +
  rowsBytes(sort) +
  radixScratch(sort);

/** A function `(lo, hi)` that sorts groups lo ≤ g < hi of four rows. */
export function emitPackedSort(
  module: ModuleBuilder,
  scratch: number,
  sort: RowSort,
): { readonly index: number; readonly groups: number } {
  const packed = scratch + sort.extent * vectorBytes;
  const places = packed + networkBytes(sort.extent);
  const rows = places + placesBytes(sort);
  const functions = {
    settle: emitSettle(module, sort, places),
    collect: emitCollect(module, sort, places, rows),
    byDigits: emitRadixSort(module, rows + rowsBytes(sort), sort),
  };
  const network = new Network(module, wordOrder);
  const fn = module.define(["i32", "i32"], []);
  const { code } = fn;
  const group = new FourRows(fn, sort);
  const keys = new PackedKeys(fn, sort);
  code.loop();
  group.find(0);
  keys.begin();
  group.read((sort.operands[0] as { from: number }).from, scratch, () => keys.take());
  keys.pack(scratch, packed);
  emitPadding(code, group.column, packed, sort.extent, () => {
    code.i32(largestKey).op("i32x4.splat");
  });
  network.emit(code, packed, sort.extent);
  emitRows(fn, sort, { column: scratch, packed }, functions);
  code.get(0).i32(1).op("i32.add").tee(0).get(1).op("i32.lt_u").brIf(0).end();
  return { index: fn.index, groups: Math.ceil((sort.outer * sort.inner) / lanes) };
}

/** The results of each row of a group. */
function emitRows(
  fn: FunctionBuilder,
  { outer, extent, inner, taken }: RowSort,
  at: { readonly column: number; readonly packed: number },
  functions: { readonly settle: number; readonly collect: number; readonly byDigits: number },
): void {
  const { code } = fn;
  const [row, first, result] = [fn.local("i32"), fn.local("i32"), fn.local("i32")];
  const setStart = (local: number, length: number): void => {
    code
      .get(row)
      .i32(inner)
      .op("i32.div_u")
      .i32(length * inner)
      .op("i32.mul");
    code.get(row).i32(inner).op("i32.rem_u").op("i32.add").set(local);
  };
  for (let lane = 0; lane < lanes; lane++) {
    code.get(0).i32(lanes).op("i32.mul").i32(lane).op("i32.add").tee(row);
    code
      .i32(outer * inner)
      .op("i32.lt_u")
      .if();
    setStart(first, extent);
    setStart(result, taken);
    code.get(first).get(result);
    code.i32(at.packed + 4 * lane).i32(at.column + 4 * lane);
    code.call(functions.settle).if();
    code.get(first).get(result).call(functions.collect);
    code.else();
    code.get(first).get(result).call(functions.byDigits);
    code.end().end();
  }
}

/** Four rows' keys, and what of them fits beside a place. */
class PackedKeys {
  readonly #fn: FunctionBuilder;
  readonly #sort: RowSort;
  readonly #key: number;
  readonly #least: number;
  readonly #most: number;
  readonly #factor: number;

  constructor(fn: FunctionBuilder, sort: RowSort) {
    this.#fn = fn;
    this.#sort = sort;
    const vector = (): number => fn.local("v128");
    [this.#key, this.#least, this.#most, this.#factor] = [vector(), vector(), vector(), vector()];
  }

  get #code(): Code {
    return this.#fn.code;
  }

  begin(): void {
    this.#code.i32(largestKey).op("i32x4.splat").set(this.#least);
    this.#code.i32(-0x80000000).op("i32x4.splat").set(this.#most);
  }

  /** Elements on the stack become keys: signed words in order. */
  take(): void {
    const code = this.#code.set(this.#key);
    const dtype = dtypeOf(this.#sort, 0);
    if (dtype === "uint32") {
      code.get(this.#key).i32(-0x80000000).op("i32x4.splat").op("v128.xor").set(this.#key);
    }
    if (dtype === "float32") emitFloatKeys(this.#fn, this.#key);
    if (this.#sort.descending) code.get(this.#key).op("v128.not").set(this.#key);
    code.get(this.#least).get(this.#key).op("i32x4.min_s").set(this.#least);
    code.get(this.#most).get(this.#key).op("i32x4.max_s").set(this.#most);
    code.get(this.#key);
  }

  /** Writes the keys at `from`, less the least and moved up, above their places to `to`. */
  pack(from: number, to: number): void {
    const code = this.#code;
    const { extent } = this.#sort;
    const mask = 2 ** placeBitsOf(this.#sort) - 1;
    this.#findFactor();
    const vector = (): number => this.#fn.local("v128");
    const [place, one, kept, sign] = [vector(), vector(), vector(), vector()];
    const at = this.#fn.local("i32");
    code.i32(1).op("i32x4.splat").set(one);
    code.i32(~mask).op("i32x4.splat").set(kept);
    code.i32(-0x80000000).op("i32x4.splat").tee(sign).set(place);
    code.i32(0).set(at).loop();
    code.get(at);
    code.get(at).memory("v128.load", from).get(this.#least).op("i32x4.sub");
    code.get(this.#factor).op("i32x4.mul").get(kept).op("v128.and");
    // The sign turns unsigned words into signed ones in the same order.
    code.get(place).op("v128.xor").memory("v128.store", to);
    code.get(place).get(one).op("i32x4.add").set(place);
    code.get(at).i32(vectorBytes).op("i32.add").tee(at);
    code
      .i32(extent * vectorBytes)
      .op("i32.lt_u")
      .brIf(0)
      .end();
  }

  /** The power of two by which differences are moved up, in each lane. */
  #findFactor(): void {
    const code = this.#code;
    code.get(this.#most).get(this.#least).op("i32x4.sub").set(this.#factor);
    for (let lane = 0; lane < lanes; lane++) {
      code.get(this.#factor).i32(1);
      code.get(this.#factor).lane("i32x4.extract_lane", lane).op("i32.clz").op("i32.shl");
      code.lane("i32x4.replace_lane", lane).set(this.#factor);
    }
  }
}

const placeBitsOf = ({ extent }: RowSort): number => Math.ceil(Math.log2(extent));

/**
 * Defines `(first, result, packed, keys) → whether`: the places of a row in order into `places`, unless too many elements
 * would have to move; of the row are the words from `packed` on and the keys from `keys` on, a vector apart.
 */
function emitSettle(module: ModuleBuilder, sort: RowSort, places: number): number {
  const fn = module.define(["i32", "i32", "i32", "i32"], ["i32"]);
  const { code } = fn;
  const [packed, keys] = [2, 3];
  const local = (): number => fn.local("i32");
  const [end, target, at, place, key, most, left] = [
    ...[local(), local(), local(), local()],
    ...[local(), local(), local()],
  ] as [number, number, number, number, number, number, number];
  const pushKey = (): void => {
    code.i32(Math.log2(vectorBytes)).op("i32.shl").get(keys).op("i32.add").memory("i32.load", 0);
  };
  code.i32(-0x80000000).set(most);
  code.i32(patience * sort.extent).set(left);
  code.i32(places).set(target);
  code
    .get(packed)
    .i32(sort.extent * vectorBytes)
    .op("i32.add")
    .set(end);
  code.loop();
  code.get(packed).memory("i32.load", 0);
  code
    .i32(2 ** placeBitsOf(sort) - 1)
    .op("i32.and")
    .tee(place);
  pushKey();
  code.tee(key).get(most).op("i32.lt_s").if();
  // Greater ones before it, of which there is at least one, move on; the row so far is in order.
  code.get(target).set(at).block().loop();
  code.get(left).i32(1).op("i32.sub").tee(left).op("i32.eqz").if().i32(0).op("return").end();
  code.get(at).get(at).i32(4).op("i32.sub").tee(at).memory("i32.load", 0).memory("i32.store", 0);
  code.get(at).i32(places).op("i32.eq").brIf(1);
  code.get(at).i32(4).op("i32.sub").memory("i32.load", 0);
  pushKey();
  code.get(key).op("i32.gt_s").brIf(0).end().end();
  code.get(at).get(place).memory("i32.store", 0);
  code.else();
  code.get(target).get(place).memory("i32.store", 0);
  code.get(key).set(most).end();
  code.get(target).i32(4).op("i32.add").set(target);
  code.get(packed).i32(vectorBytes).op("i32.add").tee(packed);
  code.get(end).op("i32.lt_u").brIf(0).end();
  code.i32(1);
  return fn.index;
}

/** Defines `(first, result)`: the results of the row whose order is in `places`. */
function emitCollect(module: ModuleBuilder, sort: RowSort, places: number, rows: number): number {
  const fn = module.define(["i32", "i32"], []);
  const { code } = fn;
  if (sort.sinks.every(({ kind }) => kind === "places")) {
    for (const sink of sort.sinks) emitRow(fn, sort, sink, () => code.i32(places));
    return fn.index;
  }
  const [at, end] = [fn.local("i32"), fn.local("i32")];
  emitResults(fn, sort, rows, {
    over: (count, body) => {
      code
        .i32(places)
        .set(at)
        .i32(places + 4 * count)
        .set(end)
        .loop();
      body();
      code.get(at).i32(4).op("i32.add").tee(at).get(end).op("i32.lt_u").brIf(0).end();
    },
    pushPlace: () => code.get(at).memory("i32.load", 0),
  });
  return fn.index;
}

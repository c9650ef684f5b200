/**
 * One key of up to 32 bits with the places its elements come from, two rows at a time, by a network.
 *
 * A key word and a place together are one double, word · 2²¹ + place: exact, below 2⁵³, and in order exactly
 * where the words are, or agree and the places are. So a comparator is one minimum and one maximum of
 * vectors of two, and the order is stable without anything said about it.
 */
import { itemSize } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { emitPadding, type LaneOrder, Network, networkBytes, vectorBytes } from "./network.ts";
import { OrderWords, wordCount } from "./order-words.ts";
import { dtypeOf, emitResults, isWord, type RowSort, rowsBytes } from "./sort-rows.ts";

const lanes = 2;
const laneBytes = 8;
const placeBits = 21;
/** pmin and pmax are one instruction each; there are no NaNs among the lanes. */
const doubles: LaneOrder = { smaller: "f64x2.pmin", larger: "f64x2.pmax" };

/** Up to here a row's network is faster than counting its digits. */
const longestRow = 768;
/** The same where one of the two lanes has nothing to do. */
const longestLonelyRow = 256;

export const fitsPlaces = (sort: RowSort): boolean =>
  sort.keys === 1 &&
  wordCount(dtypeOf(sort, 0)) === 1 &&
  sort.extent <= (sort.outer * sort.inner === 1 ? longestLonelyRow : longestRow);

export const placesScratch = (sort: RowSort): number => networkBytes(sort.extent) + rowsBytes(sort);

/** A function `(lo, hi)` that sorts groups lo ≤ g < hi of two rows. */
export function emitPlacesSort(
  module: ModuleBuilder,
  scratch: number,
  sort: RowSort,
): { readonly index: number; readonly groups: number } {
  const { outer, extent, inner, taken } = sort;
  const network = new Network(module, doubles);
  const [read, write] = [emitRead(module, sort), emitWrite(module, scratch, sort)];
  const fn = module.define(["i32", "i32"], []);
  const { code } = fn;
  const last = outer * inner - 1;
  const rows = Array.from({ length: lanes }, () => fn.local("i32"));
  /** Pushes the first of a row's elements in an operand or result of `length` elements a row. */
  const pushStart = (row: number, length: number): void => {
    code
      .get(row)
      .i32(inner)
      .op("i32.div_u")
      .i32(length * inner)
      .op("i32.mul");
    code.get(row).i32(inner).op("i32.rem_u").op("i32.add");
  };
  code.loop();
  for (const [lane, row] of rows.entries()) {
    code.get(0).i32(lanes).op("i32.mul").i32(lane).op("i32.add").set(row);
    code.get(row).i32(last).op("i32.le_u").if();
    pushStart(row, extent);
    code.i32(scratch + lane * laneBytes).call(read);
    code.end();
  }
  emitPadding(code, rows[1] as number, scratch, extent, () => {
    code.f64(Number.POSITIVE_INFINITY).op("f64x2.splat");
  });
  network.emit(code, scratch, extent);
  for (const [lane, row] of rows.entries()) {
    code.get(0).i32(lanes).op("i32.mul").i32(lane).op("i32.add").set(row);
    code.get(row).i32(last).op("i32.le_u").if();
    pushStart(row, extent);
    pushStart(row, taken);
    code.i32(scratch + lane * laneBytes).call(write);
    code.end();
  }
  code.get(0).i32(1).op("i32.add").tee(0).get(1).op("i32.lt_u").brIf(0).end();
  return { index: fn.index, groups: Math.ceil((outer * inner) / lanes) };
}

/** `(first element, column)`: a row's keys and places as a column of doubles. */
function emitRead(module: ModuleBuilder, sort: RowSort): number {
  const { extent, inner, descending, operands } = sort;
  const { dtype, from } = operands[0] as RowSort["operands"][number];
  const size = itemSize(dtype);
  const fn = module.define(["i32", "i32"], []);
  const { code } = fn;
  const place = fn.local("i32");
  const words = new OrderWords(fn);
  const next = (places: number): void => {
    code
      .get(0)
      .i32(places * inner * size)
      .op("i32.add")
      .set(0);
    code
      .get(1)
      .i32(places * vectorBytes)
      .op("i32.add")
      .set(1);
    code.get(place).i32(places).op("i32.add").tee(place);
  };
  code.get(0).i32(size).op("i32.mul").set(0);
  const inQuads = inner === 1 && isWord(dtype) ? extent - (extent % 4) : 0;
  if (inQuads > 0) {
    code.loop();
    emitQuad(fn, sort, place);
    next(4);
    code.i32(inQuads).op("i32.lt_u").brIf(0).end();
  }
  if (inQuads === extent) return fn.index;
  code.loop();
  code.get(1).get(0);
  words.push(dtype, 0, from);
  // Words are unsigned; an exclusive or with the sign makes them signed, one with the rest turns them round.
  code
    .i32(descending ? 0x7fffffff : -0x80000000)
    .op("i32.xor")
    .op("f64.convert_i32_s");
  code
    .f64(2 ** placeBits)
    .op("f64.mul")
    .get(place)
    .op("f64.convert_i32_s")
    .op("f64.add");
  code.memory("f64.store", 0);
  next(1);
  code.i32(extent).op("i32.lt_u").brIf(0).end();
  return fn.index;
}

/** Four neighbouring elements of the row at local 0, from `place` on, into the column at local 1. */
function emitQuad(fn: FunctionBuilder, sort: RowSort, place: number): void {
  const { code } = fn;
  const { dtype, from } = sort.operands[0] as RowSort["operands"][number];
  const [keys, pair] = [fn.local("v128"), fn.local("v128")];
  code.get(0).memory("v128.load", from).set(keys);
  if (dtype === "uint32")
    code.get(keys).i32(-0x80000000).op("i32x4.splat").op("v128.xor").set(keys);
  if (dtype === "float32") emitFloatKeys(fn, keys);
  if (sort.descending) code.get(keys).op("v128.not").set(keys);
  for (const first of [0, 2]) {
    code.get(keys);
    if (first > 0) code.get(keys).shuffleLanes([2, 3, 2, 3]);
    code
      .op("f64x2.convert_low_i32x4_s")
      .f64(2 ** placeBits)
      .op("f64x2.splat")
      .op("f64x2.mul");
    code.get(place).op("f64.convert_i32_s").op("f64x2.splat");
    code.f64(first).op("f64x2.splat").op("f64x2.add").op("f64x2.add");
    code.v128([0, 0, 0, 0x3ff00000]).op("f64x2.add").set(pair);
    for (const lane of [0, 1] as const) {
      code
        .get(1)
        .get(pair)
        .memoryLane("v128.store64_lane", (first + lane) * vectorBytes, lane);
    }
  }
}

/** Float bits become signed words in order, those of `OrderWords`: zeros of either sign 0, NaNs the largest. */
export function emitFloatKeys({ code }: FunctionBuilder, bits: number): void {
  const splat = (word: number): Code => code.i32(word).op("i32x4.splat");
  splat(0x7fffffff);
  code.get(bits).get(bits).i32(31).op("i32x4.shr_s").i32(1).op("i32x4.shr_u").op("v128.xor");
  code.get(bits);
  splat(-0x80000000).op("i32x4.eq").op("i32x4.sub");
  code.get(bits);
  splat(0x7fffffff).op("v128.and");
  splat(0x7f800000).op("i32x4.gt_s").op("v128.bitselect").set(bits);
}

/** `(first element, first element of the results, column)`: a row's results in the order of the column. */
function emitWrite(module: ModuleBuilder, scratch: number, sort: RowSort): number {
  const fn = module.define(["i32", "i32", "i32"], []);
  const { code } = fn;
  const [at, end] = [fn.local("i32"), fn.local("i32")];
  emitResults(fn, sort, scratch + networkBytes(sort.extent), {
    over: (count, body) => overColumn(fn, at, end, count, body),
    pushPlace: () => {
      code.get(at).memory("f64.load", 0).op("i64.trunc_sat_f64_s").op("i32.wrap_i64");
      code.i32(2 ** placeBits - 1).op("i32.and");
    },
  });
  return fn.index;
}

function overColumn(
  { code }: FunctionBuilder,
  at: number,
  end: number,
  count: number,
  body: () => void,
): void {
  code
    .get(2)
    .tee(at)
    .i32(count * vectorBytes)
    .op("i32.add")
    .set(end)
    .loop();
  body();
  code.get(at).i32(vectorBytes).op("i32.add").tee(at).get(end).op("i32.lt_u").brIf(0).end();
}

/**
 * `sort` and `topk` as WebAssembly: rows that are not too long several at a time by a network in vector
 * registers, the others one by one by their digits.
 */
import type { DType, SortStep, TopKStep } from "@gridfuse/plan";
import type { ModuleBuilder } from "../wasm/module.ts";
import { fitsRadix, radixScratch } from "./radix-form.ts";
import { digitScratch, emitDigitSort } from "./sort-digits.ts";
import { emitPackedSort, fitsPacked, packedScratch } from "./sort-packed.ts";
import { emitPlacesSort, fitsPlaces, placesScratch } from "./sort-places.ts";
import { emitRadixSort } from "./sort-radix.ts";
import type { RowSort, Sink } from "./sort-rows.ts";
import { emitWordSort, fitsWords, wordScratch } from "./sort-words.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

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
  sinks: step.outputs.map((buffer, i) => {
    const [operand, to] = [step.sources[i] as number, address(buffer)];
    return operand === step.inputs.length
      ? { kind: "places", to }
      : { kind: "operand", operand, to };
  }),
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

const rowsOf = (
  step: SortStep | TopKStep,
  address: (buffer: number) => number = () => 0,
): RowSort => (step.kind === "sort" ? ofSort(step, address) : ofTopK(step, address));

type Way = "words" | "packed words" | "words and places" | "digits of words" | "digits";

/** The fastest way to sort: nothing but the elements themselves moves, places move along, or rows are long. */
function wayOf(sort: RowSort): Way {
  const { operands, sinks, outer, inner, extent } = sort;
  const { dtype } = operands[0] as RowSort["operands"][number];
  const alone = operands.length === 1 && sinks.length === 1 && sinks[0]?.kind === "operand";
  if (alone && fitsWords(dtype, outer * inner, extent)) return "words";
  if (fitsPacked(sort)) return "packed words";
  if (fitsPlaces(sort)) return "words and places";
  return fitsRadix(sort) ? "digits of words" : "digits";
}

/** Bytes of scratch memory that a sort or topk uses. */
export function sortScratch(step: SortStep | TopKStep): number {
  const sort = rowsOf(step);
  const way = wayOf(sort);
  if (way === "words") return wordScratch(sort.extent);
  if (way === "words and places") return placesScratch(sort);
  if (way === "packed words") return packedScratch(sort);
  return way === "digits" ? digitScratch(sort) : radixScratch(sort);
}

export function emitSort(
  context: CodegenContext,
  step: SortStep | TopKStep,
): StepFunction | undefined {
  const sort = rowsOf(step, (buffer) => context.addresses[buffer] as number);
  const { outer, extent, inner, taken } = sort;
  if (outer * taken * inner === 0) return undefined;
  const work = outer * extent * inner * Math.ceil(Math.log2(extent + 1));
  const way = wayOf(sort);
  const { module, scratch } = context;
  if (way === "digits" || way === "digits of words") {
    const emitRow = way === "digits" ? emitDigitSort : emitRadixSort;
    return { ...emitRows(module, emitRow(module, scratch, sort), sort), how: way, work };
  }
  const { index, groups } =
    way === "words"
      ? emitWordSort(module, wordSort(sort, scratch))
      : way === "packed words"
        ? emitPackedSort(module, scratch, sort)
        : emitPlacesSort(module, scratch, sort);
  return { index, extent: groups, grain: 1, how: `network of ${way}`, work };
}

const wordSort = (sort: RowSort, scratch: number): Parameters<typeof emitWordSort>[1] => {
  const { dtype, from } = sort.operands[0] as RowSort["operands"][number];
  const { outer, extent, inner } = sort;
  return { dtype, outer, extent, inner, from, to: (sort.sinks[0] as Sink).to, scratch };
};

/** All rows, one after the other, by function `row`. */
function emitRows(
  module: ModuleBuilder,
  row: number,
  sort: RowSort,
): Pick<StepFunction, "index" | "extent" | "grain"> {
  const { outer, extent, inner, taken } = sort;
  const fn = module.define(["i32", "i32"], []);
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
  return { index: fn.index, extent: outer, grain: 1 };
}

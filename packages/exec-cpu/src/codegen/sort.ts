/**
 * `sort` and `topk` as WebAssembly: four rows at a time by a network where nothing but 32-bit elements moves, else
 * row by row.
 */
import type { DType, SortStep, TopKStep } from "@gridfuse/plan";
import { emitNetworkSort, fitsNetwork, networkScratch } from "./sort-network.ts";
import { emitRow, type RowSort, rowScratch, type Sink } from "./sort-row.ts";
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

/** Whether nothing but the elements themselves moves, and a network moves them fastest. */
const isNetwork = (step: SortStep | TopKStep): boolean =>
  step.kind === "sort" &&
  step.inputs.length === 1 &&
  fitsNetwork(step.dtypes[0] as DType, step.outer * step.inner, step.extent);

/** Bytes of scratch memory that a sort or topk uses. */
export function sortScratch(step: SortStep | TopKStep): number {
  if (isNetwork(step)) return networkScratch(step.extent);
  return rowScratch(step.kind === "sort" ? ofSort(step, () => 0) : ofTopK(step, () => 0));
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
  const row = emitRow(context.module, context.scratch, sort);
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

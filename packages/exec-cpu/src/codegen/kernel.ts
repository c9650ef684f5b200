/** A kernel step as one WebAssembly function `(lo, hi)`: points lo ≤ i < hi of its outermost loop. */
import type { KernelStep } from "@gridfuse/plan";
import type { ValueType } from "../wasm/code.ts";
import { contractionsOf, foldedProductsOf } from "./contract.ts";
import { KernelEmitter } from "./kernel-emitter.ts";
import { formOf, type KernelForm } from "./kernel-form.ts";
import { withoutRares } from "./kernel-late.ts";
import { type Mode, modeOf, product } from "./kernel-mode.ts";
import { withStash } from "./kernel-stash.ts";
import { type Address, Nest } from "./nest.ts";
import { slotBytes } from "./slot-fold.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** A kernel that is made ready: its loops, and rows that stages leave to later ones. */
interface Prepared {
  readonly form: KernelForm;
  readonly mode: Mode;
  readonly rows: readonly number[];
}

const prepared = new WeakMap<KernelStep, Prepared>();

/** Rows that are kept are buffers beyond all others. */
const firstRow = 1_000_000;

function prepare(step: KernelStep): Prepared {
  let known = prepared.get(step);
  if (known === undefined) {
    const form = formOf(step);
    const mode = modeOf(form);
    known =
      mode === "inner" && form.stages.length > 1
        ? { mode, ...withStash(form, firstRow) }
        : { mode, form, rows: [] };
    prepared.set(step, known);
  }
  return known;
}

/** Bytes of the accumulators that stages keep in scratch memory. */
const foldScratch = ({ stages }: Pick<KernelStep, "stages">): number =>
  Math.max(0, ...stages.map(({ reductions }) => reductions.length * slotBytes(4)));

/** A row, and what a vector may read beyond it. */
const rowScratch = (bytes: number): number => Math.ceil(bytes / 16) * 16 + 16;

/** Bytes of scratch memory that a kernel may use. */
export function kernelScratch(step: KernelStep): number {
  if (step.axes.includes(0)) return 0;
  return prepare(step).rows.reduce((total, row) => total + rowScratch(row), foldScratch(step));
}

/**
 * Emits a kernel; undefined where it has no points.
 *
 * @param isSafe whether points may be done over: no result lies where an operand lay
 * @param parameters buffers whose addresses are arguments of the function, after lo and hi
 */
export function emitKernel(
  context: CodegenContext,
  step: KernelStep,
  isSafe: boolean,
  parameters: readonly number[] = [],
): StepFunction | undefined {
  if (step.axes.includes(0)) return undefined;
  const { form: plain, mode, rows } = prepare(step);
  const form = context.contracts ? contracted(plain) : plain;
  const addresses: Address[] = [...context.addresses];
  for (const [i, buffer] of parameters.entries()) addresses[buffer] = { local: 2 + i };
  let end = context.scratch + foldScratch(step);
  for (const [i, bytes] of rows.entries()) {
    addresses[firstRow + i] = end;
    end += rowScratch(bytes);
  }
  const params = ["i32", "i32", ...parameters.map(() => "i32" as const)] as const;
  const emit = (of: KernelForm, results: readonly ValueType[], isFallback: boolean): number => {
    const fn = context.module.define(params, results);
    const nest = new Nest(fn, context.helpers, context.loopGlobals, context.isWide);
    new KernelEmitter(context, addresses, of, mode, nest, isFallback).emit();
    return fn.index;
  };
  const extent = form.outer[0]?.extent ?? 1;
  const points = form.stages.reduce((total, { inner }) => total + product(inner), 0);
  const work = form.stages.reduce(
    (total, { inner, nodes }) => total + product(inner) * (nodes.length + 1),
    0,
  );
  const grain = mode === "outer" && form.outer.length === 1 ? 16 : 1;
  const hasLoop = form.outer.length > 0 && mode !== "scalar";
  const optimistic = isSafe && hasLoop ? withoutRares(form) : undefined;
  let index = emit(form, [], optimistic !== undefined);
  if (optimistic !== undefined) {
    const inner = points * product(form.outer.slice(1));
    const part = Math.max(grain, Math.ceil(latePoints / inner / grain) * grain);
    const [first, second] = [emit(optimistic, ["i32"], false), index];
    index = emitAttempts(context, params, first, second, Math.min(part, extent));
  }
  return {
    index,
    extent,
    grain,
    how: howOf(mode, form),
    work: work * product(form.outer),
  };
}

function howOf(mode: Mode, { stages }: KernelForm): string {
  if (mode === "scalar") return "scalar";
  const isContracted = stages.some(
    ({ contractions, folded }) => (contractions?.size ?? 0) + (folded?.size ?? 0) > 0,
  );
  const how = mode === "inner" ? "simd" : "simd, lanes across points";
  return isContracted ? `${how}, contracted` : how;
}

const contracted = (form: KernelForm): KernelForm => ({
  ...form,
  stages: form.stages.map((stage) => ({
    ...stage,
    contractions: contractionsOf(stage),
    folded: foldedProductsOf(stage),
  })),
});

/** How many points are done before anybody asks whether they have to be done over. */
const latePoints = 512;
/** After a part that had to be, so many are done with their rare sides at once. */
const doubts = 7;

/** `(lo, hi, …)`: part by part, by `attempt` where it can, else by `whole`. */
function emitAttempts(
  { module }: CodegenContext,
  params: readonly ValueType[],
  attempt: number,
  whole: number,
  part: number,
): number {
  const fn = module.define(params, []);
  const { code } = fn;
  const [end, doubt] = [fn.local("i32"), fn.local("i32")];
  const call = (index: number): void => {
    code.get(0).get(end);
    for (const [i] of params.slice(2).entries()) code.get(2 + i);
    code.call(index);
  };
  code.loop();
  code.get(0).i32(part).op("i32.add").tee(end).get(1).get(end).get(1);
  code.op("i32.lt_u").op("select").set(end);
  code.get(doubt).if();
  code.get(doubt).i32(1).op("i32.sub").set(doubt);
  call(whole);
  code.else();
  call(attempt);
  code.if().i32(doubts).set(doubt);
  call(whole);
  code.end().end();
  code.get(end).tee(0).get(1).op("i32.lt_u").brIf(0).end();
  return fn.index;
}

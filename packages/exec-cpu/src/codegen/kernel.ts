/** A kernel step as one WebAssembly function `(lo, hi)`: points lo ≤ i < hi of its outermost loop. */
import type { KernelStep } from "@gridfuse/plan";
import type { Code, ValueType } from "../wasm/code.ts";
import { contractionsOf, foldedProductsOf } from "./contract.ts";
import { KernelEmitter } from "./kernel-emitter.ts";
import { formOf, type KernelForm, type LoopAxis } from "./kernel-form.ts";
import { withoutRares } from "./kernel-late.ts";
import { type Mode, product, reduces, type Ways, waysOf } from "./kernel-mode.ts";
import { togetherOf } from "./kernel-rows.ts";
import { withStash } from "./kernel-stash.ts";
import { wholeOf } from "./kernel-whole.ts";
import { type Address, Nest } from "./nest.ts";
import { slotBytes } from "./slot-fold.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** A kernel with rows that stages leave to later ones. */
interface Kept {
  readonly form: KernelForm;
  /** Bytes of each. */
  readonly rows: readonly number[];
}

/** A kernel that is made ready. */
interface Prepared extends Kept, Ways {
  /** The same for several rows at once, where that pays. */
  readonly together: (Kept & { readonly count: number }) | undefined;
}

/** The kernels that a step is made of, one after the other, and the memory between them. */
interface Parts {
  readonly kernels: readonly Prepared[];
  /** Bytes of each buffer, which all threads see. */
  readonly common: readonly number[];
}

const prepared = new WeakMap<KernelStep, Parts>();

/** Rows that are kept are buffers beyond all others, and so are those between the kernels of a step. */
const firstRow = 1_000_000;
const firstCommon = 2_000_000;

function partsOf(step: KernelStep): Parts {
  let known = prepared.get(step);
  if (known === undefined) {
    const form = formOf(step);
    const whole = wholeOf(form, firstCommon);
    known =
      whole === undefined
        ? { kernels: [prepare(form)], common: [] }
        : { kernels: whole.forms.map(prepare), common: whole.bytes };
    prepared.set(step, known);
  }
  return known;
}

function prepare(form: KernelForm): Prepared {
  const { mode, lanes } = waysOf(form);
  const keep = (of: KernelForm): Kept =>
    mode === "inner" && of.stages.length > 1 ? withStash(of, firstRow) : { form: of, rows: [] };
  const together = mode === "inner" && reduces(form) ? togetherOf(form) : undefined;
  return {
    mode,
    lanes,
    ...keep(form),
    together: together && { ...together, ...keep(together.form) },
  };
}

/** Bytes of the accumulators that stages keep in scratch memory. */
const foldScratch = ({ stages }: Pick<KernelStep, "stages">): number =>
  Math.max(0, ...stages.map(({ reductions }) => reductions.length * slotBytes(4)));

/** Rows, and what a vector may read beyond each. */
const rowScratch = (rows: readonly number[]): number =>
  rows.reduce((total, bytes) => total + Math.ceil(bytes / 16) * 16 + 16, 0);

/** Bytes of scratch memory that a kernel may use, by itself and together with others. */
export function kernelScratch(step: KernelStep): { readonly own: number; readonly shared: number } {
  if (step.axes.includes(0)) return { own: 0, shared: 0 };
  const { kernels, common } = partsOf(step);
  const rows = kernels.map(({ rows: alone, together }) =>
    Math.max(rowScratch(alone), rowScratch(together?.rows ?? [])),
  );
  return { own: foldScratch(step) + Math.max(...rows), shared: rowScratch(common) };
}

/**
 * Emits a kernel: functions each of which is done before the next begins.
 *
 * @param isSafe whether points may be done over: no result lies where an operand lay
 * @param parameters buffers whose addresses are arguments of the function, after lo and hi
 */
export function emitKernel(
  context: CodegenContext,
  step: KernelStep,
  isSafe: boolean,
  parameters: readonly number[] = [],
): readonly StepFunction[] {
  if (step.axes.includes(0)) return [];
  const { kernels, common } = partsOf(step);
  const more: [number, Address][] = [
    ...parameters.map((buffer, i): [number, Address] => [buffer, { local: 2 + i }]),
    ...common.map((_, i): [number, Address] => [
      firstCommon + i,
      context.shared + rowScratch(common.slice(0, i)),
    ]),
  ];
  const addresses = withAddresses(context.addresses, more);
  const rowsFrom = context.scratch + foldScratch(step);
  return kernels.map((kernel) => {
    const { form } = kernel;
    const count = parameters.length;
    const writer = new KernelWriter(context, addresses, kernel, isSafe, count, rowsFrom);
    const { index, grain, how } = writer.write();
    const work = form.stages.reduce(
      (total, { inner, nodes }) => total + product(inner) * (nodes.length + 1),
      0,
    );
    return {
      index,
      extent: form.outer[0]?.extent ?? 1,
      grain,
      how: common.length > 0 ? `${how}, in parts` : how,
      work: work * product(form.outer),
    };
  });
}

/** The same with some more, whose numbers may be far from those of the others. */
function withAddresses(
  known: readonly Address[],
  more: readonly (readonly [number, Address])[],
): readonly Address[] {
  if (more.length === 0) return known;
  const addresses: Address[] = Object.assign([], known);
  for (const [buffer, address] of more) addresses[buffer] = address;
  return addresses;
}

type Written = Pick<StepFunction, "index" | "grain" | "how">;

/** The functions of one kernel. */
class KernelWriter {
  readonly #context: CodegenContext;
  readonly #addresses: readonly Address[];
  readonly #isSafe: boolean;
  readonly #parameters: number;
  readonly #params: readonly ValueType[];
  readonly #prepared: Prepared;
  readonly #form: KernelForm;
  readonly #rowsFrom: number;

  constructor(
    context: CodegenContext,
    addresses: readonly Address[],
    kernel: Prepared,
    isSafe: boolean,
    parameters: number,
    rowsFrom: number,
  ) {
    this.#context = context;
    this.#addresses = addresses;
    this.#isSafe = isSafe;
    this.#parameters = parameters;
    this.#params = ["i32", "i32", ...new Array<ValueType>(parameters).fill("i32")];
    this.#prepared = kernel;
    this.#rowsFrom = rowsFrom;
    this.#form = this.#contracted(kernel.form);
  }

  #contracted(form: KernelForm): KernelForm {
    return this.#context.contracts ? contracted(form) : form;
  }

  write(): Written {
    const { together } = this.#prepared;
    return together === undefined ? this.#single() : this.#together(together);
  }

  #single(): Written {
    const { mode } = this.#prepared;
    const form = this.#form;
    const grain = mode === "outer" && form.outer.length === 1 ? 16 : 1;
    const hasLoop = form.outer.length > 0 && mode !== "scalar";
    const optimistic = this.#isSafe && hasLoop ? withoutRares(form) : undefined;
    const how = howOf(mode, form);
    if (optimistic === undefined) return { index: this.#emitSingle(false), grain, how };
    const [whole, attempt] = [
      this.#emitSingle(true),
      this.#emit(optimistic, this.#prepared.rows, ["i32"], false),
    ];
    return { index: this.#emitAttempts(form, attempt, whole, grain, 1), grain, how };
  }

  /** Groups of rows; rows by themselves are what is left over, and those that need a slow side. */
  #together({ form: plain, rows, count }: Kept & { readonly count: number }): Written {
    const form = this.#contracted(plain);
    const how = `${howOf("inner", form)}, ${count} rows abreast`;
    const [first] = this.#form.outer as [LoopAxis];
    // Where groups are of the outermost axis, its points are counted in rows by whoever calls.
    const unit = form.outer.length === 1 ? count : 1;
    const optimistic = this.#isSafe ? withoutRares(form) : undefined;
    const hasRest = first.extent % unit > 0;
    const single = optimistic !== undefined || hasRest ? this.#emitSingle(true) : 0;
    let groups: number;
    if (optimistic === undefined) {
      groups = this.#emit(form, rows, [], false);
    } else {
      const attempt = this.#emit(optimistic, rows, ["i32"], false);
      groups = this.#emitAttempts(form, attempt, single, 1, unit);
    }
    if (unit === 1) return { index: groups, grain: 1, how };
    return {
      index: this.#emitGroups(groups, hasRest ? single : undefined, unit),
      grain: unit,
      how,
    };
  }

  #emitSingle(isFallback: boolean): number {
    return this.#emit(this.#form, this.#prepared.rows, [], isFallback);
  }

  #emit(
    form: KernelForm,
    rows: readonly number[],
    results: readonly ValueType[],
    isFallback: boolean,
  ): number {
    const context = this.#context;
    const addresses = withAddresses(
      this.#addresses,
      rows.map((_, i) => [firstRow + i, this.#rowsFrom + rowScratch(rows.slice(0, i))]),
    );
    const fn = context.module.define(this.#params, results);
    const { mode, lanes } = this.#prepared;
    const nest = new Nest(fn, context.helpers, context.loopGlobals, lanes);
    new KernelEmitter(context, addresses, form, mode, nest, isFallback).emit();
    return fn.index;
  }

  #pushParameters(code: Code): void {
    for (let i = 0; i < this.#parameters; i++) code.get(2 + i);
  }

  /** `(lo, hi, …)` in rows: groups of `count`, of which lo is a multiple, and what is left. */
  #emitGroups(groups: number, single: number | undefined, count: number): number {
    const fn = this.#context.module.define(this.#params, []);
    const { code } = fn;
    const shift = Math.log2(count);
    code.get(0).i32(shift).op("i32.shr_u").get(1).i32(shift).op("i32.shr_u");
    if (single === undefined) {
      this.#pushParameters(code);
      code.call(groups);
      return fn.index;
    }
    const [first, end] = [fn.local("i32"), fn.local("i32")];
    code.set(end).tee(first).get(end).op("i32.lt_u").if().get(first).get(end);
    this.#pushParameters(code);
    code.call(groups).end();
    code.get(end).i32(shift).op("i32.shl").tee(end).get(1).op("i32.lt_u").if().get(end).get(1);
    this.#pushParameters(code);
    code.call(single).end();
    return fn.index;
  }

  /**
   * `(lo, hi, …)`: part by part, by `attempt` where it can, else by `whole`.
   *
   * @param unit points of `whole` that are one of `attempt`
   */
  #emitAttempts(
    form: KernelForm,
    attempt: number,
    whole: number,
    grain: number,
    unit: number,
  ): number {
    const inner = form.stages.reduce((total, stage) => total + product(stage.inner), 0);
    const points = inner * product(form.outer.slice(1));
    const part = Math.max(grain, Math.ceil(latePoints / points / grain) * grain);
    const fn = this.#context.module.define(this.#params, []);
    const { code } = fn;
    const [end, doubt] = [fn.local("i32"), fn.local("i32")];
    const call = (index: number): void => {
      for (const local of [0, end]) {
        code.get(local);
        if (index === whole && unit > 1) code.i32(unit).op("i32.mul");
      }
      this.#pushParameters(code);
      code.call(index);
    };
    code.loop();
    code
      .get(0)
      .i32(Math.min(part, form.outer[0]?.extent ?? 1))
      .op("i32.add")
      .tee(end)
      .get(1);
    code.get(end).get(1).op("i32.lt_u").op("select").set(end);
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

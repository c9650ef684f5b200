/**
 * A kernel step as one WebAssembly function `(lo, hi)`: points lo ≤ i < hi of its outermost loop.
 *
 * Lanes run along one of two axes. "Inner": along the last axis of each stage, the flattened index of a
 * reduction included. "Outer": along the kernel's last outer axis, all stages inside; that is where
 * elementwise kernels go, and reductions whose operands are contiguous across points rather than along
 * the reduced index (column sums, windows). Kernels with dtypes that have no lanes run point by point.
 */
import {
  accumulators,
  InternalError,
  isArg,
  isOrdered,
  type KernelStep,
  segmentLength,
} from "@gridfuse/plan";
import { argsOf, type ScalarNode } from "@gridfuse/plan/scalar";
import type { ValueType } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import {
  guardQuad,
  openRanges,
  pushGuard,
  storeElement,
  storeLane,
  storeLanes,
  storeNeighbours,
} from "./access.ts";
import { ArgFold } from "./arg-fold.ts";
import { ArgSearch } from "./arg-search.ts";
import { BlockFold } from "./block-fold.ts";
import { contractionsOf, foldedProductsOf } from "./contract.ts";
import { ExtremeFold, foldsExtremes } from "./extreme-fold.ts";
import { formOf, type KernelForm, type LoopAxis, type StageForm } from "./kernel-form.ts";
import { withoutRares } from "./kernel-late.ts";
import { type Mode, modeOf, product, reduces } from "./kernel-mode.ts";
import { withStash } from "./kernel-stash.ts";
import {
  type Block,
  blockAxis,
  fullBlock,
  type LaneAxis,
  lastBlock,
  partsOf,
  scalarBlock,
} from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import { neighbouringWrites } from "./neighbours.ts";
import { type Address, Nest } from "./nest.ts";
import { Program } from "./program.ts";
import { analyseProgram, valuesIn } from "./program-facts.ts";
import type { Accumulator } from "./reductions.ts";
import { quadElement, SlotFold, scalarElement, slotBytes } from "./slot-fold.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** What a reduction of a single value runs over. */
const noAxis: LoopAxis = { axis: -1, extent: 1 };

/** Up to so many nodes four quads at a time hide latencies, though constants no longer fit into registers; beyond, two. */
const widestLimit = 64;
const wideLimit = 160;
/** More results than this at one point keep the machine busy, and its registers full, by themselves: two quads only spill. */
const wideWrites = 4;
/** The same for four quads, where lanes run across points that reduce: whole cache lines of columns. */
const crossingLimit = 24;

const countComputed = ({ nodes }: StageForm): number =>
  nodes.reduce((total, { op }) => total + (op === "const" ? 0 : 1), 0);

class KernelEmitter {
  readonly #context: CodegenContext;
  readonly #addresses: readonly Address[];
  readonly #form: KernelForm;
  readonly #mode: Mode;
  readonly #nest: Nest;
  readonly #results: (readonly Accumulator[])[] = [];
  /** Whether this runs only where another function could not. */
  readonly #isFallback: boolean;
  /** Collects conditions that must not hold. */
  readonly #late: number | undefined;
  /** The block of outer points being written, where lanes run across points. */
  #across: Block = scalarBlock;

  constructor(
    context: CodegenContext,
    addresses: readonly Address[],
    form: KernelForm,
    mode: Mode,
    nest: Nest,
    isFallback: boolean,
  ) {
    this.#isFallback = isFallback;
    this.#context = context;
    this.#addresses = addresses;
    this.#form = form;
    this.#mode = mode;
    this.#nest = nest;
    const isOptimistic = form.stages.some(({ late }) => late !== undefined);
    this.#late = isOptimistic ? nest.local("v128") : undefined;
  }

  get #lanesAcross(): LaneAxis | undefined {
    return this.#mode === "outer" ? this.#form.outer.at(-1) : undefined;
  }

  #place(axis: number, local: number, level: number): void {
    this.#nest.axes.set(axis, { local, level, unit: 1 });
  }
  #placeBlocks(lanes: LaneAxis, { width }: Block): void {
    const { local, level } = this.#nest.axes.get(lanes.axis) as { local: number; level: number };
    this.#nest.axes.set(blockAxis(lanes), { local, level, unit: width });
  }

  emit(): void {
    const nest = this.#nest;
    for (const [i, { axis }] of this.#form.outer.entries()) {
      this.#place(axis, nest.local("i32"), i + 1);
    }
    this.#outerLoop(0);
    if (this.#late !== undefined) this.#nest.code.get(this.#late).op("v128.any_true");
  }

  /** Notes where a condition holds, in lanes that count or not. */
  #noteLate(stage: StageForm, program: Program, block: Block): void {
    const { code } = this.#nest;
    const late = this.#late as number;
    for (const condition of stage.late ?? []) {
      if (block.width === 1) {
        code.get(late).i32(0);
        program.scalar(condition)(code);
        code.op("i32.sub").op("i32x4.splat").op("v128.or").set(late);
        continue;
      }
      for (const part of partsOf(block)) {
        code.get(late);
        program.vector(condition, part)(code);
        code.op("v128.or").set(late);
      }
    }
  }

  #outerLoop(depth: number): void {
    const { outer } = this.#form;
    const loop = outer[depth];
    if (loop === undefined) {
      this.#stages(scalarBlock);
      return;
    }
    const { code } = this.#nest;
    const { local } = this.#nest.axes.get(loop.axis) as { local: number };
    const end = depth === 0 ? { local: 1 } : { constant: loop.extent };
    if (depth === 0) code.get(0).set(local);
    else code.i32(0).set(local);
    if (depth === outer.length - 1 && this.#lanesAcross !== undefined) {
      this.#laneLoops(loop, local, end, (block) => this.#stages(block));
    } else {
      blockLoop(this.#nest, local, 1, end, true, () => this.#outerLoop(depth + 1));
    }
  }

  /** The points of a lane axis: wide blocks, then one quad, then what is left of a quad. */
  #laneLoops(
    lanes: LaneAxis,
    local: number,
    end: { readonly constant: number } | { readonly local: number },
    body: (block: Block) => void,
  ): void {
    const { extent } = lanes;
    const nest = this.#nest;
    const run = (block: Block): void => {
      this.#placeBlocks(lanes, block);
      body(block);
    };
    const wide = this.#wideWidth();
    const rest = extent % wide;
    if (extent >= wide) {
      blockLoop(nest, local, wide, end, "constant" in end, () => run(fullBlock(wide)));
    }
    if (wide > 4 && rest >= 4) blockLoop(nest, local, 4, end, false, () => run(fullBlock(4)));
    const last = extent % 4;
    if (last === 0) return;
    const tail = nest.nested(() => run(lastBlock(extent, last)));
    nest.code.get(local);
    if ("constant" in end) nest.code.i32(end.constant);
    else nest.code.get(end.local);
    nest.code.op("i32.lt_u").if().append(tail).end();
  }

  #wideWidth(): 4 | 8 | 16 {
    const nodes = this.#form.stages.reduce((total, stage) => total + countComputed(stage), 0);
    const crossing = this.#mode === "outer" && reduces(this.#form);
    if (crossing) return nodes > crossingLimit ? 4 : 16;
    const writes = Math.max(...this.#form.stages.map((stage) => stage.writes.length));
    if (nodes > wideLimit || writes > wideWrites || this.#isFallback) return 4;
    return nodes > widestLimit ? 8 : 16;
  }

  #stages(across: Block): void {
    this.#across = across;
    const separate = reduces(this.#form);
    for (const [i, stage] of this.#form.stages.entries()) {
      if (separate) this.#nest.code.append(this.#nest.nested(() => this.#stage(i, stage)));
      else this.#stage(i, stage);
    }
  }

  #stage(number: number, stage: StageForm): void {
    const nest = this.#nest;
    const before = nest.level;
    for (const [i, { axis }] of stage.inner.entries()) {
      // A reduction walks over its axis in segments of groups: two levels.
      const level = before + i + (stage.reductions.length > 0 ? 2 : 1);
      this.#place(axis, nest.local("i32"), level);
    }
    const program = this.#program(number, stage, before);
    program.bind();
    if (stage.reductions.length > 0) this.#reduce(number, stage, program);
    else this.#map(stage, program, 0);
  }

  #lanesOf(stage: StageForm): LaneAxis | undefined {
    if (this.#mode === "outer") return this.#lanesAcross;
    if (this.#mode === "scalar") return undefined;
    return stage.inner.at(-1) ?? (stage.reductions.length > 0 ? noAxis : undefined);
  }

  #program(number: number, stage: StageForm, reducedLevel: number): Program {
    const nest = this.#nest;
    const lanes = this.#lanesOf(stage);
    const roots = [
      ...(stage.late ?? []),
      ...stage.reductions.map(({ value }) => value),
      ...stage.writes.flatMap(({ value, index, guard }) => [
        value,
        ...valuesIn(index),
        ...guard.flatMap((range) => valuesIn(range.index)),
      ]),
    ];
    const level: number[] = [];
    nest.values = {
      level: (node) => level[node] as number,
      push: () => {
        throw new RangeError("nothing is emitted while a program is analysed");
      },
    };
    const facts = analyseProgram(
      stage.nodes,
      roots,
      {
        levelOf: (e) => nest.levelOf(e),
        laneAxis: lanes?.axis,
        reducedLevel,
        reducedVaries: this.#mode === "outer",
      },
      level,
    );
    return new Program(nest, {
      id: number,
      nodes: stage.nodes,
      facts,
      lanes,
      addresses: this.#addresses,
      contractions: stage.contractions,
      folded: stage.folded,
      reduced: (of, reduction, part) => {
        const result = this.#results[of]?.[reduction];
        if (result === undefined) {
          throw new InternalError("GF9303", `stage ${of} has no reduction ${reduction}`);
        }
        return result.result(part);
      },
    });
  }

  // ── Stages that only write ────────────────────────────────────────────────────────────────

  #map(stage: StageForm, program: Program, depth: number): void {
    const nest = this.#nest;
    const loop = stage.inner[depth];
    if (loop === undefined) {
      this.#body(stage, program, this.#mode === "outer" ? this.#across : scalarBlock);
      return;
    }
    if (loop.extent === 0) return;
    const { local } = nest.axes.get(loop.axis) as { local: number };
    nest.code.i32(0).set(local);
    const end = { constant: loop.extent };
    if (this.#mode === "inner" && depth === stage.inner.length - 1) {
      this.#laneLoops(loop, local, end, (block) => this.#body(stage, program, block));
    } else {
      blockLoop(nest, local, 1, end, true, () => this.#map(stage, program, depth + 1));
    }
  }

  #body(stage: StageForm, program: Program, block: Block): void {
    program.emitAll(block);
    this.#noteLate(stage, program, block);
    this.#writes(program, stage.writes, block);
  }

  #writes(program: Program, writes: StageForm["writes"], block: Block): void {
    for (const group of neighbouringWrites(writes)) {
      if (group.length === 1 || block.width === 1 || !this.#writeTogether(program, group, block)) {
        for (const write of group) this.#write(program, write, block);
      }
    }
  }

  /** Stores neighbours as whole vectors; false where a block is cut short, or they lie otherwise. */
  #writeTogether(program: Program, group: StageForm["writes"], block: Block): boolean {
    const nest = this.#nest;
    const base = this.#addresses[group[0]?.buffer as number] as Address;
    // Lanes lie alike in all quads of a whole block, so that the first tells for the others.
    if (block.valid < block.width) return false;
    return partsOf(block).every((part) => {
      const stores = group.map(({ index, value }) => {
        const push = program.vector(value, part);
        return { quad: program.quad(index, part), value: () => void push(nest.code) };
      });
      return storeNeighbours(nest, base, stores);
    });
  }

  #write(program: Program, write: StageForm["writes"][number], block: Block): void {
    const nest = this.#nest;
    const base = this.#addresses[write.buffer] as Address;
    const open = openRanges(write.guard);
    if (open === undefined) return;
    if (block.width === 1) {
      const store = (): void => {
        storeElement(nest, write.dtype, base, write.index, () => {
          program.scalar(write.value)(nest.code);
        });
      };
      if (open.length === 0) {
        store();
        return;
      }
      pushGuard(nest, open);
      nest.code.if().append(nest.branch(store)).end();
      return;
    }
    for (const part of partsOf(block)) {
      const quad = program.quad(write.index, part);
      const value = program.vector(write.value, part);
      const whole = (): void => {
        storeLanes(nest, write.dtype, base, quad, () => value(nest.code));
      };
      if (open.length === 0) {
        whole();
        continue;
      }
      guardQuad(nest, program.quadGuard(open, part), whole, (lane) => {
        storeLane(nest, write.dtype, base, quad, lane, () => value(nest.code));
      });
    }
  }

  // ── Stages that reduce ────────────────────────────────────────────────────────────────────

  #accumulators(stage: StageForm, extent: number, segments: number): readonly Accumulator[] {
    const nest = this.#nest;
    const parts = this.#mode === "outer" ? this.#across.width / 4 : 1;
    let scratch = this.#context.scratch;
    return stage.reductions.map((reduction): Accumulator => {
      const { op, dtype, value } = reduction;
      if (isArg(op)) {
        const of = (stage.nodes[value]?.dtype ?? "float32") as typeof dtype;
        if (this.#mode === "inner") return new ArgSearch(nest, reduction, of);
        return new ArgFold(nest, reduction, of, this.#mode === "outer" ? "quads" : "scalar", parts);
      }
      if (this.#mode === "inner") {
        return foldsExtremes(reduction)
          ? new ExtremeFold(nest, reduction, extent)
          : new BlockFold(nest, reduction, extent, segments);
      }
      const element = this.#mode === "outer" ? quadElement : scalarElement(dtype);
      const at = scratch;
      scratch += slotBytes(parts);
      return new SlotFold(nest, reduction, element, parts, extent, segments, at);
    });
  }

  #reduce(number: number, stage: StageForm, program: Program): void {
    const nest = this.#nest;
    const loop = stage.inner[0] ?? noAxis;
    const ordered = stage.reductions.some(isOrdered);
    const length = ordered ? segmentLength : loop.extent;
    const segments = loop.extent === 0 ? 0 : Math.ceil(loop.extent / length);
    const folds = this.#accumulators(stage, loop.extent, segments);
    this.#results[number] = folds;
    const local = nest.axes.get(loop.axis)?.local ?? nest.local("i32");
    this.#place(loop.axis, local, nest.level + 2);

    nest.code.i32(0).set(local);
    for (const fold of folds) fold.begin();
    const whole = Math.floor(loop.extent / length);
    if (whole > 0) {
      const segment = (): void => {
        this.#segment(stage, program, folds, loop, local, length);
      };
      if (whole === 1) {
        nest.code.append(nest.nested(segment));
        this.#endSegment(folds, 0);
      } else {
        const inner = nest.nested(() => {
          segment();
          this.#endSegment(folds, local);
        });
        nest.code.loop().append(inner);
        nest.code
          .get(local)
          .i32(whole * length)
          .op("i32.lt_u")
          .brIf(0)
          .end();
      }
    }
    if (loop.extent % length > 0 || loop.extent === 0) {
      nest.code.append(
        nest.nested(() => {
          this.#segment(stage, program, folds, loop, local, loop.extent % length);
        }),
      );
      for (const fold of folds) fold.endSegment((code) => code.i32(whole));
    }
    for (const fold of folds) fold.finish();
  }

  /** `at` is 0 for the only segment of its kind, or the local that has reached its end. */
  #endSegment(folds: readonly Accumulator[], at: number): void {
    const before: Push = (code) => {
      if (at === 0) code.i32(0);
      else code.get(at).i32(Math.log2(segmentLength)).op("i32.shr_u").i32(1).op("i32.sub");
    };
    for (const fold of folds) fold.endSegment(before);
  }

  /** The next `length` values of the reduced index; the last segment may be cut short. */
  #segment(
    stage: StageForm,
    program: Program,
    folds: readonly Accumulator[],
    loop: LoopAxis,
    local: number,
    length: number,
  ): void {
    const nest = this.#nest;
    for (const fold of folds) fold.beginSegment();
    const group = this.#mode === "inner" ? accumulators : 1;
    const accumulate = (block: Block): void => {
      program.emitAll(block);
      this.#noteLate(stage, program, block);
      for (const [i, { value }] of stage.reductions.entries()) {
        const fold = folds[i] as Accumulator;
        const isFolded = stage.folded?.has(value) && block.valid === block.width;
        if (isFolded && fold.accumulateProducts !== undefined) {
          const [x, y] = argsOf(stage.nodes[value] as ScalarNode) as [number, number];
          fold.accumulateProducts(
            partsOf(block).map((part) => [program.vector(x, part), program.vector(y, part)]),
          );
          continue;
        }
        const values =
          block.width === 1
            ? [program.scalar(value)]
            : partsOf(block).map((part) => program.vector(value, part));
        fold.accumulate(values, block.valid, (code) => code.get(local));
      }
      this.#writes(program, stage.writes, block);
    };
    const across = this.#mode === "outer" ? this.#across : scalarBlock;
    const groups = Math.floor(length / group);
    if (groups > 0) {
      const block = this.#mode === "inner" ? fullBlock(group) : across;
      const inner = nest.nested(() => {
        if (this.#mode === "inner") this.#placeBlocks(loop, block);
        accumulate(block);
      });
      const looping = groups > 1 || loop.extent > length;
      if (looping) nest.code.loop();
      nest.code.append(inner).get(local).i32(group).op("i32.add").set(local);
      if (looping) {
        nest.code.get(local);
        // A whole segment ends at the next multiple of its length, whichever it is.
        if (length === segmentLength) nest.code.i32(segmentLength - 1).op("i32.and");
        else nest.code.i32(loop.extent - (length % group)).op("i32.lt_u");
        nest.code.brIf(0).end();
      }
    }
    if (length % group > 0) {
      nest.code.append(nest.nested(() => accumulate(lastBlock(loop.extent, length % group))));
    }
  }
}

// ── Steps ───────────────────────────────────────────────────────────────────────────────────

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

/**
 * The loops of a kernel and what its stages compute in them: points lo ≤ i < hi of its outermost loop.
 *
 * Lanes run along one of two axes. "Inner": along the last axis of each stage, the flattened index of a
 * reduction included. "Outer": along the kernel's last outer axis, all stages inside; that is where
 * elementwise kernels go, and reductions whose operands are contiguous across points rather than along
 * the reduced index (column sums, windows). Kernels with dtypes that have no lanes run point by point.
 */
import { InternalError } from "@gridfuse/plan";
import type { KernelForm, StageForm } from "./kernel-form.ts";
import { type Mode, reduces } from "./kernel-mode.ts";
import { emitReduction, noAxis, Reducer } from "./kernel-reduce.ts";
import { emitWrites } from "./kernel-writes.ts";
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
import type { Address, Nest } from "./nest.ts";
import { Program } from "./program.ts";
import { analyseProgram, valuesIn } from "./program-facts.ts";
import type { Accumulator } from "./reductions.ts";
import type { CodegenContext } from "./step-function.ts";

/** Up to so many nodes four quads at a time hide latencies, though constants no longer fit into registers; beyond, two. */
const widestLimit = 64;
const wideLimit = 160;
/** More results than this at one point keep the machine busy, and its registers full, by themselves: two quads only spill. */
const wideWrites = 4;
/** The same for four quads, where lanes run across points that reduce: whole cache lines of columns. */
const crossingLimit = 24;

function countComputed({ nodes }: StageForm): number {
  let count = 0;
  for (let i = 0; i < nodes.length; i++) if (nodes[i]?.op !== "const") count++;
  return count;
}

export class KernelEmitter {
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

  /** A block of whole vectors. */
  #full(width: number): Block {
    return fullBlock(width, this.#nest.lanes);
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

  /** The points of a lane axis: wide blocks, then one vector, then what is left of one. */
  #laneLoops(
    lanes: LaneAxis,
    local: number,
    end: { readonly constant: number } | { readonly local: number },
    body: (block: Block) => void,
  ): void {
    const { extent } = lanes;
    const nest = this.#nest;
    const narrow = nest.lanes;
    const run = (block: Block): void => {
      this.#placeBlocks(lanes, block);
      body(block);
    };
    const wide = this.#wideWidth();
    const rest = extent % wide;
    if (extent >= wide) {
      blockLoop(nest, local, wide, end, "constant" in end, () => run(this.#full(wide)));
    }
    if (wide > narrow && rest >= narrow) {
      blockLoop(nest, local, narrow, end, false, () => run(this.#full(narrow)));
    }
    const last = extent % narrow;
    if (last === 0) return;
    const tail = nest.nested(() => run(lastBlock(extent, last, narrow)));
    nest.code.get(local);
    if ("constant" in end) nest.code.i32(end.constant);
    else nest.code.get(end.local);
    nest.code.op("i32.lt_u").if().append(tail).end();
  }

  /** Lanes of a block. */
  #wideWidth(): number {
    return this.#nest.lanes * this.#vectors();
  }
  #vectors(): 1 | 2 | 4 {
    const { stages, rows = 1 } = this.#form;
    const nodes = stages.reduce((total, stage) => total + countComputed(stage), 0) / rows;
    const crossing = this.#mode === "outer" && reduces(this.#form);
    if (crossing) return nodes > crossingLimit ? 1 : 4;
    const writes = Math.max(...this.#form.stages.map((stage) => stage.writes.length));
    if (nodes > wideLimit || writes > wideWrites || this.#isFallback) return 1;
    return nodes > widestLimit ? 2 : 4;
  }

  #stages(across: Block): void {
    this.#across = across;
    const { stages, rows = 1 } = this.#form;
    const separate = reduces(this.#form);
    for (let first = 0; first < stages.length; first += rows) {
      const numbers = Array.from({ length: rows }, (_, row) => first + row);
      if (!separate) this.#stage(first);
      else if (stages[first]?.reductions.length === 0) {
        for (const number of numbers) this.#apart(() => this.#stage(number));
      } else this.#apart(() => this.#reductions(numbers));
    }
  }

  #apart(body: () => void): void {
    this.#nest.code.append(this.#nest.nested(body));
  }

  /** The same stage of several rows. */
  #reductions(numbers: readonly number[]): void {
    const reducers = numbers.map((number) => this.#reducer(number));
    for (const [i, number] of numbers.entries()) this.#results[number] = reducers[i]?.folds ?? [];
    emitReduction(this.#nest, reducers);
  }

  /** Places the axes of a stage, and gives what computes its values. */
  #start(number: number): Program {
    const nest = this.#nest;
    const before = nest.level;
    const stage = this.#form.stages[number] as StageForm;
    for (const [i, { axis }] of stage.inner.entries()) {
      // A reduction walks over its axis in segments of groups: two levels.
      const level = before + i + (stage.reductions.length > 0 ? 2 : 1);
      this.#place(axis, nest.local("i32"), level);
    }
    const program = this.#program(number, stage, before);
    program.bind();
    return program;
  }

  #stage(number: number): void {
    const program = this.#start(number);
    this.#map(this.#form.stages[number] as StageForm, program, 0);
  }

  #reducer(number: number): Reducer {
    const program = this.#start(number);
    const level = this.#nest.level + 2;
    const stage = this.#form.stages[number] as StageForm;
    const around = {
      nest: this.#nest,
      mode: this.#mode,
      across: this.#across,
      scratch: this.#context.scratch,
      place: (axis: number, local: number) => this.#place(axis, local, level),
      placeBlocks: (lanes: LaneAxis, block: Block) => this.#placeBlocks(lanes, block),
      finish: (block: Block) => this.#finish(stage, program, block),
    };
    return new Reducer(around, stage, program);
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
    this.#finish(stage, program, block);
  }

  /** What follows the values of a block. */
  #finish(stage: StageForm, program: Program, block: Block): void {
    this.#noteLate(stage, program, block);
    emitWrites(this.#nest, this.#addresses, program, stage.writes, block);
  }
}

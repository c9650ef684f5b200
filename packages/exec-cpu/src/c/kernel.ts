/**
 * A kernel as a C function of its loop nest. Lanes are left to the C compiler: the innermost loop runs along the axis with
 * most neighbours, has no branches where that can be helped, and is marked as what the plan promises, a loop whose
 * points do not read what others write.
 *
 * Values to be folded are first computed for a block of 256 points, so that the loop that computes them and the one
 * that folds them are both simple; the block stays in the nearest cache.
 */
import { isOrdered, type KernelStep, type Reduction, segmentLength } from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import { type Contractions, contractionsOf } from "../codegen/contract.ts";
import {
  indicesOf,
  type KernelForm,
  type LoopAxis,
  type StageForm,
} from "../codegen/kernel-form.ts";
import { isInPlace, withoutRares } from "../codegen/kernel-late.ts";
import { withStash } from "../codegen/kernel-stash.ts";
import { valuesIn } from "../codegen/program-facts.ts";
import { cType } from "./c-types.ts";
import { identity, type Library } from "./folds.ts";
import { acrossFold, blockFold, eachPoint, pointsAtOnce, valueType } from "./kernel-folds.ts";
import { type Around, LaneLoops, nowhere } from "./kernel-lanes.ts";
import { bestAxis, isNextAlong, lanesAcross, product } from "./loops.ts";
import { axesRead, type Memory, missingReduction } from "./program.ts";

/** Patches of axes that are read across each other. */
const patchRows = 16;
const patchColumns = 16;
/** Values that are folded at once where they lie and their order does not show. */
const longBlock = 4096;

/** `static void name(uint8_t *m, const long *L, long batch, long from, long to, long member)`: some of the points along one axis. */
export interface StepSource {
  readonly text: string;
  /** Extent of the axis that may be cut into parts. */
  readonly extent: number;
  /** Scalar operations at each of its points. */
  readonly work: number;
  readonly how: string;
}

export interface KernelOptions {
  readonly memory: Memory;
  readonly addresses: readonly number[];
  readonly library: Library;
  readonly isFast: boolean;
}

export class KernelWriter {
  readonly #form: KernelForm;
  readonly #lanes: LaneLoops;
  readonly #isInPlace: boolean;
  readonly #options: KernelOptions;
  readonly #parallel: LoopAxis | undefined;
  readonly #across: LoopAxis | undefined;
  readonly #folds: boolean;
  /** Bytes of the rows that one stage leaves for later ones. */
  readonly #rows: readonly number[];

  /** @param step what the form is of, or a part of */
  constructor(plain: KernelForm, step: KernelStep, given: KernelOptions) {
    this.#folds =
      plain.stages.length > 1 ||
      plain.stages.some(({ inner }) => inner.length > 0) ||
      reduces(plain.stages);
    this.#across = this.#folds ? lanesAcross(plain) : bestAxis(plain.outer, plain.stages);
    const isPointByPoint = this.#folds && this.#across === undefined;
    const first = given.memory.buffers.length;
    // A row belongs to one point: it has no room for several at once.
    const { form, rows } = isPointByPoint ? withStash(plain, first) : { form: plain, rows: [] };
    this.#rows = rows;
    const options = { ...given, memory: withRows(given.memory, first) };
    this.#options = options;
    const contractions = options.isFast ? form.stages.map(contractionsOf) : undefined;
    // The same without slow sides, so that a point has the same bits beside one that needs them.
    const contracted = (known: KernelForm): KernelForm =>
      contractions === undefined
        ? known
        : {
            ...known,
            stages: known.stages.map((stage, s) => ({
              ...stage,
              contractions: contractions[s] as Contractions,
            })),
          };
    this.#form = contracted(form);
    const late = withoutRares(form);
    this.#isInPlace = isInPlace(step, options.addresses, options.memory.buffers);
    const { memory } = options;
    this.#lanes = new LaneLoops(memory, this.#form, late && contracted(late), this.#isInPlace);
    const { outer } = this.#form;
    this.#parallel = outer.find(({ extent, axis }) => extent >= 16 && axis !== this.#across?.axis);
    this.#parallel ??= outer.toSorted((p, q) => q.extent - p.extent)[0];
  }

  source(name: string): StepSource {
    const { outer, stages } = this.#form;
    const body = !this.#folds
      ? this.#map()
      : this.#across === undefined
        ? this.#pointByPoint()
        : this.#manyPoints(this.#across);
    const rows = this.#rows.map(
      (bytes, i) => `uint8_t k${i}[${bytes}] __attribute__((aligned(64)));\n`,
    );
    const points = product(outer);
    const work = stages.reduce((n, { inner, nodes }) => n + product(inner) * (1 + nodes.length), 0);
    const extent = this.#parallel?.extent ?? 1;
    return {
      text: `static void ${name}(uint8_t *m, const long *L, long batch, long from, long to, long member) {\n${rows.join("")}${body}}\n`,
      extent,
      work: (work * points) / extent,
      how: this.#how(),
    };
  }

  #how(): string {
    const along = this.#across !== undefined ? "across points" : "along each stage";
    return this.#form.stages.some(({ inner }) => inner.length > 0) || this.#across !== undefined
      ? `C, lanes ${along}`
      : "C";
  }

  // ── Loop nests ──────────────────────────────────────────────────────────────────────────────

  /** [first, end) of an axis in this call. */
  #range({ axis, extent }: LoopAxis): readonly [string, string] {
    return axis === this.#parallel?.axis ? ["from", "to"] : ["0L", `${extent}L`];
  }

  #loopOver(axes: readonly LoopAxis[], body: string): string {
    let text = body;
    for (const loop of [...axes].reverse()) {
      const [first, end] = this.#range(loop);
      const a = `a${loop.axis}`;
      text = `for (long ${a} = ${first}; ${a} < ${end}; ${a}++) {\n${text}}\n`;
    }
    return text;
  }

  /** One stage that folds nothing: all axes are alike. */
  #map(): string {
    const lane = this.#across;
    const others = this.#form.outer.filter(({ axis }) => axis !== lane?.axis);
    const crossing = lane && this.#crossing(lane, others);
    if (lane === undefined || crossing === undefined) {
      return this.#loopOver(others, this.#lanes.lanes(0, lane, ...this.#rangeOf(lane), nowhere));
    }
    // Patches of both axes, so that what one of them reads of a cache line is there when the other wants the rest.
    const [first, end] = this.#range(lane);
    const [from, to] = this.#range(crossing);
    const a = `a${crossing.axis}`;
    const patch = `for (long row = ${from}; row < ${to}; row += ${patchRows})
for (long column = ${first}; column < ${end}; column += ${patchColumns})
for (long ${a} = row; ${a} < gf_min(row + ${patchRows}, ${to}); ${a}++) {
${this.#lanes.lanes(0, lane, "column", `gf_min(column + ${patchColumns}, ${end})`, nowhere)}}
`;
    return this.#loopOver(
      others.filter(({ axis }) => axis !== crossing.axis),
      patch,
    );
  }

  /** An axis along which elements are neighbours that lie apart along the lanes. */
  #crossing(lane: LoopAxis, others: readonly LoopAxis[]): LoopAxis | undefined {
    const indices = this.#form.stages.flatMap(indicesOf);
    return others.find(
      (other) =>
        Math.min(other.extent, lane.extent) >= patchRows &&
        indices.some((e) => isNextAlong(e, other) && axesRead([e]).has(lane.axis)),
    );
  }

  #rangeOf(lane: LoopAxis | undefined): readonly [string, string] {
    return lane === undefined ? ["0L", "1L"] : this.#range(lane);
  }

  // ── Lanes along the axes of each stage ──────────────────────────────────────────────────────

  #pointByPoint(): string {
    const { outer, stages } = this.#form;
    const body = stages.map((stage, s) => this.#stageAtPoint(stage, s)).join("");
    return this.#loopOver(outer, body);
  }

  #stageAtPoint(stage: StageForm, s: number): string {
    const reduced = (of: number, k: number): string => this.#requireReduction(of, k, `r${of}_${k}`);
    if (stage.reductions.length === 0) {
      if (product(stage.inner) === 0) return "";
      const lane = bestAxis(stage.inner, [stage]);
      const others = stage.inner.filter(({ axis }) => axis !== lane?.axis);
      const around = { ...nowhere, reduced };
      return this.#loopOver(others, this.#lanes.lanes(s, lane, ...this.#rangeOf(lane), around));
    }
    const [axis] = stage.inner;
    const n = axis?.extent ?? 1;
    if (n === 0) {
      return stage.reductions
        .map((of, k) => `const ${cType(of.dtype)} r${s}_${k} = ${identity(of)};\n`)
        .join("");
    }
    const folds = stage.reductions.map((of, k) =>
      blockFold(this.#options.library, stage, s, of, k, n),
    );
    const inPlace = stage.reductions.map(({ value }) => this.#neighbours(stage, value, axis));
    const isLong =
      stage.writes.length === 0 &&
      inPlace.every(
        (read, k) => read !== undefined && !isOrdered(stage.reductions[k] as Reduction),
      );
    const blockLength = isLong ? longBlock : segmentLength;
    const longest = Math.min(n, blockLength);
    const values = stage.reductions
      .map((of, k) => {
        const type = cType(valueType(stage, of));
        return inPlace[k] === undefined
          ? `${type} w${s}_${k}[${longest}];\n`
          : `const ${type} *w${s}_${k};\n{ const long a${axis?.axis} = s; w${s}_${k} = &${inPlace[k]}; }\n`;
      })
      .join("");
    const at = axis === undefined ? "0" : `a${axis.axis} - s`;
    const around: Around = {
      reducedVaries: false,
      reduced,
      value: (k) => (inPlace[k] === undefined ? `w${s}_${k}[${at}]` : undefined),
    };
    // With a constant number of points, what they are is known to the compiler: all but the last are whole segments.
    const block = (points: number): string =>
      [
        values,
        `enum { n = ${points} };\n`,
        this.#lanes.lanes(s, axis, "s", `s + ${points}L`, around),
        ...folds.map(({ segment }) => segment),
      ].join("");
    const [whole, rest] = [Math.floor(n / blockLength), n % blockLength];
    return [
      ...folds.map(({ begin }) => begin),
      whole === 0
        ? ""
        : `for (long s = 0; s < ${whole * blockLength}L; s += ${blockLength}) {\n${block(blockLength)}}\n`,
      rest === 0 ? "" : `{\nconst long s = ${whole * blockLength}L;\n${block(rest)}}\n`,
      ...folds.map(({ end }) => end),
    ].join("");
  }

  /** The element that a value to be folded is, where it and the next ones are only read, one after the other. */
  #neighbours(stage: StageForm, value: number, axis: LoopAxis | undefined): string | undefined {
    const node = stage.nodes[value] as ScalarNode;
    if (node.op !== "load" || node.guard.length > 0 || node.dtype === "bool") return undefined;
    if (axis === undefined || !isNextAlong(node.index, axis)) return undefined;
    if (valuesIn(node.index).length > 0) return undefined;
    // What the stage writes could lie where this is read.
    if (this.#isInPlace && stage.writes.length > 0) return undefined;
    return this.#lanes
      .body({ ...stage, reductions: [], writes: [] }, undefined, nowhere)
      .element(node.buffer, node.dtype, node.index);
  }

  // ── Lanes across outer points ───────────────────────────────────────────────────────────────

  #manyPoints(lane: LoopAxis): string {
    const { outer, stages } = this.#form;
    const others = outer.filter(({ axis }) => axis !== lane.axis);
    const [first, end] = this.#range(lane);
    const body = stages.map((stage, s) => this.#stageAcross(stage, s, lane)).join("");
    return this.#loopOver(
      others,
      `for (long p = ${first}; p < ${end}; p += ${pointsAtOnce}) {
const long q = gf_min(p + ${pointsAtOnce}, ${end});
${body}}\n`,
    );
  }

  #stageAcross(stage: StageForm, s: number, lane: LoopAxis): string {
    const at = `[a${lane.axis} - p]`;
    const reduced = (of: number, k: number): string =>
      this.#requireReduction(of, k, `r${of}_${k}${at}`);
    const around: Around = { reducedVaries: true, reduced, value: (k) => `w${s}_${k}${at}` };
    if (stage.reductions.length === 0) {
      if (product(stage.inner) === 0) return "";
      return this.#loopOver(stage.inner, this.#lanes.lanes(s, lane, "p", "q", around));
    }
    const [axis] = stage.inner;
    const n = axis?.extent ?? 1;
    const results = stage.reductions.map(
      (of, k) => `${cType(of.dtype)} r${s}_${k}[${pointsAtOnce}];\n`,
    );
    if (n === 0) {
      return [
        ...results,
        ...stage.reductions.map((of, k) => eachPoint(`r${s}_${k}[i] = ${identity(of)};`)),
      ].join("");
    }
    const folds = stage.reductions.map((of, k) => acrossFold(stage, s, of, k, n));
    const values = stage.reductions.map(
      (of, k) => `${cType(valueType(stage, of))} w${s}_${k}[${pointsAtOnce}];\n`,
    );
    const a = axis === undefined ? "0L" : `a${axis.axis}`;
    const points = [
      `const long at = ${a};\n`,
      ...values,
      this.#lanes.lanes(s, lane, "p", "q", around),
      ...folds.map(({ each }) => each),
    ].join("");
    const loop =
      axis === undefined ? points : `for (long ${a} = s; ${a} < s + n; ${a}++) {\n${points}}\n`;
    return [
      ...results,
      ...folds.map(({ begin }) => begin),
      `for (long s = 0; s < ${n}L; s += ${segmentLength}) {
const long n = gf_min(${segmentLength}L, ${n}L - s);
${folds.map(({ beginSegment }) => beginSegment).join("")}${loop}${folds.map(({ endSegment }) => endSegment).join("")}}\n`,
      ...folds.map(({ end }) => end),
    ].join("");
  }

  #requireReduction(stage: number, reduction: number, name: string): string {
    if (this.#form.stages[stage]?.reductions[reduction] === undefined) {
      throw missingReduction(stage, reduction);
    }
    return name;
  }
}

/** A memory with rows on the stack as further buffers. */
const withRows = (memory: Memory, first: number): Memory => ({
  ...memory,
  address: (buffer) => (buffer < first ? memory.address(buffer) : `(uint8_t *)k${buffer - first}`),
});

const reduces = (stages: readonly StageForm[]): boolean =>
  stages.some(({ reductions }) => reductions.length > 0);

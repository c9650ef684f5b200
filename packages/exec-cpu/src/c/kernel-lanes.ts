/**
 * The innermost loop of a kernel in C: what a stage computes at each of some lanes. Slow sides that are large are left out of it
 * where they are not needed, which is known after some hundred lanes.
 */

import type { KernelForm, LoopAxis, StageForm } from "../codegen/kernel-form.ts";
import { valuesIn } from "../codegen/program-facts.ts";
import { Body, type BodyContext, type Memory, missingReduction } from "./program.ts";

/** Slow sides of so many nodes are computed for all lanes, rather than asking whether any needs them. */
const smallSide = 4;
/** Where some lane needs one, those of so many are computed for its neighbours too. */
const branchlessSide = 48;
/** Points after which it is known whether they needed a slow side. */
const checkedAtOnce = 512;

/** Where the values of a reduction go, and where those of earlier ones come from. */
export interface Around {
  readonly reducedVaries: boolean;
  reduced(stage: number, reduction: number): string;
  /** An lvalue for the value of reduction k at a lane; undefined where it is read where it lies. */
  value(k: number): string | undefined;
}

export const nowhere: Around = {
  reducedVaries: false,
  reduced: (stage, reduction) => {
    throw missingReduction(stage, reduction);
  },
  value: () => undefined,
};

export class LaneLoops {
  readonly #memory: Memory;
  readonly #form: KernelForm;
  readonly #late: KernelForm | undefined;
  readonly #isInPlace: boolean;

  /**
   * @param late the form without its slow sides, where there are any
   * @param isInPlace whether results may lie where operands do
   */
  constructor(memory: Memory, form: KernelForm, late: KernelForm | undefined, isInPlace: boolean) {
    this.#memory = memory;
    this.#form = form;
    this.#late = late;
    this.#isInPlace = isInPlace;
  }

  /** Computes one stage for lanes [first, end) of an axis; undefined for the one point there is. */
  lanes(s: number, lane: LoopAxis | undefined, first: string, end: string, around: Around): string {
    const stage = this.#form.stages[s] as StageForm;
    const hasValues = stage.reductions.some((_, k) => around.value(k) !== undefined);
    if (!hasValues && stage.writes.length === 0) return "";
    const late = this.#late?.stages[s];
    const simple = this.body(stage, lane, around, smallSide);
    if (late === undefined || lane === undefined || !simple.hasBranches) {
      return `{\n${this.#loop(simple, stage, lane, first, end, around)}}\n`;
    }
    const whole = this.body(stage, lane, around);
    const quick = this.body(late, lane, around);
    const conditions = late.late ?? [];
    const tests = (body: Body): string =>
      conditions.map((i) => `slow |= ${body.value(i)};\n`).join("");
    const slow = this.#loop(whole, stage, lane, "b", "e", around);
    let check: string;
    if (this.#isInPlace) {
      // Nothing may be written before it is known to be right.
      const tested = this.body({ ...late, reductions: [], writes: [] }, lane, around);
      const nothing = { ...late, reductions: [], writes: [] };
      const only = this.#loop(tested, nothing, lane, "b", "e", around, tests(tested));
      check = `${only}if (slow) {\n${slow}} else {\n${this.#loop(quick, late, lane, "b", "e", around)}}\n`;
    } else {
      check = `${this.#loop(quick, late, lane, "b", "e", around, tests(quick))}if (slow) {\n${slow}}\n`;
    }
    return `for (long b = ${first}; b < ${end}; b += ${checkedAtOnce}) {
const long e = gf_min(b + ${checkedAtOnce}, ${end});
uint32_t slow = 0;
${check}}\n`;
  }

  #loop(
    body: Body,
    stage: StageForm,
    lane: LoopAxis | undefined,
    first: string,
    end: string,
    around: Around,
    also = "",
  ): string {
    const writes = stage.writes.map(({ buffer, dtype, index, guard, value }) => {
      const holds = body.guard(guard);
      const store = `${body.element(buffer, dtype, index)} = ${body.value(value)};\n`;
      if (guard.some(({ index: at, lo, hi }) => at.hi < lo || at.lo >= hi)) return "";
      return holds === undefined ? store : `if (${holds}) ${store}`;
    });
    const values = stage.reductions.map(({ value }, k) => {
      const target = around.value(k);
      return target === undefined ? "" : `${target} = ${body.value(value)};\n`;
    });
    const inside = [body.inside, "\n", ...writes, ...values, also].join("");
    if (lane === undefined) return `${body.before}\n${inside}`;
    const a = `a${lane.axis}`;
    const mark = body.hasBranches ? "" : "GF_LANES\n";
    return `${body.before}\n${mark}for (long ${a} = ${first}; ${a} < ${end}; ${a}++) {\n${inside}}\n`;
  }

  body(
    stage: StageForm,
    lane: LoopAxis | undefined,
    around: Around,
    largestSide: number = branchlessSide,
  ): Body {
    const roots = [
      ...stage.reductions.flatMap(({ value }, k) => (around.value(k) === undefined ? [] : [value])),
      ...(stage.late ?? []),
      ...stage.writes.flatMap(({ value, index, guard }) => [
        value,
        ...[index, ...guard.map((range) => range.index)].flatMap(valuesIn),
      ]),
    ];
    const context: BodyContext = {
      memory: this.#memory,
      nodes: stage.nodes,
      roots,
      laneAxis: lane?.axis,
      contractions: stage.contractions,
      largestSide,
      reducedVaries: around.reducedVaries,
      reduced: around.reduced,
    };
    return new Body(context);
  }
}

/** How steps can be cut, found once: chains ask for the same steps in the same tiles again and again. */
import type { PlanBuffer, Step } from "@gridfuse/plan";
import type { PlanBuilder } from "../fuse/builder.ts";
import { cutStep, otherWays } from "./cut.ts";
import type { CutContext, CutStep } from "./cut-step.ts";
import { Known, type Tiling } from "./uses.ts";

/** Elements of buffers that are seen as a tile's part. */
export type Lengths = ReadonlyMap<number, number>;

interface WaysContext {
  readonly plan: PlanBuilder;
  readonly loops: { readonly next: number };
}

export class Ways {
  readonly #context: WaysContext;
  readonly #small: number;
  readonly #tilings = new Map<Lengths, Tiling[]>();
  readonly #cuts = new Map<Tiling, Map<Step, CutStep | string>>();
  readonly #others = new Map<CutStep, readonly CutStep[]>();

  /** @param small elements up to which every tile may compute for itself what all of them need */
  constructor(context: WaysContext, small: number) {
    this.#context = context;
    this.#small = small;
  }

  lengthOf(lengths: Lengths): (buffer: number) => number {
    const { buffers } = this.#context.plan;
    return (buffer) => lengths.get(buffer) ?? (buffers[buffer] as PlanBuffer).length;
  }

  /** So many tiles of the next loop. */
  tiling(trips: number, lengths: Lengths): Tiling {
    const { next: loop } = this.#context.loops;
    const known = this.#tilings.get(lengths)?.find((t) => t.loop === loop && t.trips === trips);
    if (known !== undefined) return known;
    const lengthOf = this.lengthOf(lengths);
    const isPart = (buffer: number): boolean => lengths.has(buffer);
    const made = { loop, trips, lengthOf, isPart, known: new Known() };
    this.#tilings.set(lengths, [...(this.#tilings.get(lengths) ?? []), made]);
    return made;
  }

  /** The step in equal parts of what it has outermost, or why there are none. */
  usual(step: Step, tiling: Tiling): CutStep | string {
    const cuts = this.#cuts.get(tiling) ?? new Map<Step, CutStep | string>();
    this.#cuts.set(tiling, cuts);
    const cut = cuts.get(step) ?? cutStep(step, this.#cutContext(tiling));
    cuts.set(step, cut);
    return cut;
  }

  /** The first way to cut the step that suits; why the usual one does not, where none does. */
  that(
    step: Step,
    tiling: Tiling,
    unsuitable: (cut: CutStep) => string | undefined,
  ): CutStep | string {
    const usual = this.usual(step, tiling);
    const reason = typeof usual === "string" ? usual : unsuitable(usual);
    if (reason === undefined) return usual as CutStep;
    const known = typeof usual === "string" ? undefined : this.#others.get(usual);
    const others = known ?? [...otherWays(step, this.#cutContext(tiling))];
    if (typeof usual !== "string") this.#others.set(usual, others);
    return others.find((cut) => unsuitable(cut) === undefined) ?? reason;
  }

  #cutContext(tiling: Tiling): CutContext {
    const { buffers, laneLoops } = this.#context.plan;
    return { ...tiling, buffers, laneLoops, small: this.#small };
  }
}

/** Why `step` would wait for what other tiles make, if it would. */
export function crossing(
  step: Step,
  { uses }: CutStep,
  made: ReadonlySet<number>,
): string | undefined {
  for (const [buffer, { own }] of uses.byBuffer) {
    if (own || !made.has(buffer)) continue;
    return step.kind === "dot" && step.rhs.buffer === buffer
      ? "its right operand, which the chain makes, is wanted whole by every tile of its rows"
      : "it reads across tiles what the chain makes";
  }
  return undefined;
}

/**
 * tile: vectorise to optimise, strip-mine to execute. The passes before this one turn grids and batches into long array
 * axes; a chain of steps over such an axis would stream every array between two steps through main memory.
 * Here neighbouring steps that can be cut along their outermost axis become one step that runs tile by tile,
 * and what lives only between them shrinks to a tile. Loops are cut from outside: the tile encloses the loop.
 *
 * A chain that can be cut into few parts as a whole is cut so, and its stretches that can be cut finer are cut again inside:
 * a sorting network of many long rows runs row by row, and within a row its short distances run in pieces.
 */
import type { PlanBuffer, Step } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { itemSize } from "@gridfuse/plan/scalar";
import type { PlanBuilder } from "../fuse/builder.ts";
import { accessesOf } from "../plan/accesses.ts";
import { peakBytesOf } from "../plan/place.ts";
import type { CutStep } from "./cut-step.ts";
import { areFree, countLeaves, countMentions, forEachLeaf, localsInside } from "./mentions.ts";
import { TileNotes } from "./notes.ts";
import { copyParts, relocate } from "./relocate.ts";
import { chooseTrips, coarser, defaultBudget, gcd, type TileBudget } from "./trips.ts";
import { fromPart, partLength, type Tiling, Uses, withinPart } from "./uses.ts";
import { crossing, type Lengths, Ways } from "./ways.ts";

export interface TileContext {
  readonly plan: PlanBuilder;
  readonly loops: { next: number };
  readonly notes: string[];
  readonly budget?: TileBudget | undefined;
}

export function tileSteps(steps: readonly Step[], context: TileContext): readonly Step[] {
  return new Tiler(context, steps).tile(steps, new Map());
}

interface Run {
  readonly given: readonly Step[];
  readonly cuts: readonly CutStep[];
  readonly tiling: Tiling;
  readonly uses: Uses;
}

interface Stretch {
  readonly steps: Step[];
  /** Divides the lengths of what the steps make. */
  common: number;
}

/** A step that could be cut into so many tiles. */
interface Candidate {
  readonly step: Step;
  readonly most: number;
  /** It goes through its tiles in order, and takes those before it with it. */
  readonly inOrder: boolean;
}

class Tiler {
  readonly #context: TileContext;
  readonly #budget: TileBudget;
  /** Steps that mention a buffer, in the whole plan. */
  readonly #mentions: Map<number, number>;
  /** What updates are scattered into: it is not divided. */
  readonly #targets = new Set<number>();
  /** Locals have the size of the innermost tile that they are local to. */
  readonly #settled = new Set<number>();
  readonly #ways: Ways;
  readonly #notes: TileNotes;

  constructor(context: TileContext, steps: readonly Step[]) {
    this.#context = context;
    this.#budget = context.budget ?? defaultBudget;
    this.#ways = new Ways(context, this.#budget.smallElements);
    this.#notes = new TileNotes(context.notes, this.#budget.bytes, steps);
    this.#mentions = countMentions(steps);
    forEachLeaf(steps, (step) => {
      if (step.kind === "scatter") this.#targets.add(step.write.buffer);
    });
  }

  tile(steps: readonly Step[], lengths: Lengths): readonly Step[] {
    if (this.#limit(steps) >= this.#peak(steps, lengths)) return steps;
    return this.#stretches(steps, lengths).flatMap((stretch) =>
      this.#tileStretch(stretch, lengths),
    );
  }

  #bytesOf(buffer: number, lengths: Lengths): number {
    const { dtype } = this.#context.plan.buffers[buffer] as PlanBuffer;
    return this.#ways.lengthOf(lengths)(buffer) * itemSize(dtype);
  }

  #peak(steps: readonly Step[], lengths: Lengths): number {
    return peakBytesOf(steps, this.#context.plan.buffers, (buffer) =>
      this.#bytesOf(buffer, lengths),
    );
  }

  #limit(steps: readonly Step[]): number {
    const { bytes, laneBytes } = this.#budget;
    return steps.some((step) => this.#hasLanes(step)) ? Math.min(bytes, laneBytes) : bytes;
  }

  #hasLanes(step: Step): boolean {
    switch (step.kind) {
      case "while":
        return this.#context.plan.laneLoops.has(step.predicate);
      case "loop":
        return step.body.some((inner) => this.#hasLanes(inner));
      default:
        return false;
    }
  }

  // ── What might be cut together ────────────────────────────────────────────────────────────

  /** Neighbours whose results have lengths with a common divisor worth having. */
  #stretches(steps: readonly Step[], lengths: Lengths): Stretch[] {
    const found: Stretch[] = [];
    const lengthOf = this.#ways.lengthOf(lengths);
    for (const step of steps) {
      let own = 0;
      for (const buffer of accessesOf(step).writes) {
        if (this.#targets.has(buffer) || !this.#isTemporary(buffer)) continue;
        if (lengthOf(buffer) > this.#budget.smallElements) own = gcd(own, lengthOf(buffer));
      }
      const last = found.at(-1);
      const both = gcd(last?.common ?? 0, own);
      if (
        last === undefined ||
        (both !== 0 && both < Math.min(last.common, own, this.#budget.smallElements))
      ) {
        found.push({ steps: [step], common: own });
      } else {
        last.steps.push(step);
        last.common = both;
      }
    }
    return found;
  }

  /** Results of the plan need no equal parts: nobody in it reads them. */
  #isTemporary(buffer: number): boolean {
    return this.#context.plan.buffers[buffer]?.kind === "temporary";
  }

  #tileStretch({ steps: given, common: parts }: Stretch, lengths: Lengths): readonly Step[] {
    const peak = this.#peak(given, lengths);
    const limit = this.#limit(given);
    if (peak <= limit) return given;
    const least = Math.min(limit, this.#budget.leastBytes);
    const finest = this.#finestFor(given, chooseTrips(parts, peak, limit, least), lengths);
    if (finest <= 1) return given;
    const result: Step[] = [];
    let open: Candidate[] = [];
    const made = new Set<number>();
    const common = (): number => open.reduce((trips, { most }) => gcd(trips, most), 0);
    // What runs before an open chain is there through all of it.
    let beforeOpen = 0;
    const keep = (candidates: readonly Candidate[]): void => {
      open = [...candidates];
      beforeOpen = 0;
      made.clear();
      for (const { step } of open) this.#addResults(step, made, lengths);
    };
    const put = (candidates: readonly Candidate[]): void => {
      if (candidates.length === 0) return;
      const steps = candidates.map(({ step }) => step);
      const trips = candidates.reduce((so, { most }) => gcd(so, most), 0);
      result.push(...this.#tileRun(steps, trips, lengths));
    };
    for (const step of given) {
      const together = open.map((candidate) => candidate.step);
      if (this.#isSmall(step, lengths) && this.#independent(step, together)) {
        result.push(step);
        continue;
      }
      let found = this.#candidate(step, finest, made, lengths);
      const joins = (): boolean => typeof found !== "string" && gcd(common(), found.most) > 1;
      if (!joins() && !this.#independent(step, together)) {
        const reason = typeof found === "string" ? found : "it has other parts";
        const { before, after } = apart(this.#readAcross(step, finest, lengths), open);
        put(before);
        keep(after);
        found = this.#candidate(step, finest, made, lengths);
        if (!joins()) {
          put(open);
          keep([]);
          found = this.#candidate(step, finest, made, lengths);
        }
        if (open.length === 0) this.#note(step, reason, peak, finest, lengths);
      } else if (open.length === 0 && typeof found === "string") {
        this.#note(step, found, peak, finest, lengths);
      }
      if (typeof found !== "string" && joins()) {
        open.push(found);
        this.#addResults(step, made, lengths);
      } else {
        result.push(step);
        if (open.length > 0) beforeOpen += this.#madeBytes(step, lengths);
        if (beforeOpen > limit / 2) {
          put(open);
          keep([]);
        }
      }
    }
    put(open);
    return result;
  }

  /**
   * Of the divisors that bring a chain down to a tile, the one into which most of its large steps can be cut. Steps that
   * withstood one divisor are tried first with the next, which most often settles that it is no better.
   */
  #finestFor(steps: readonly Step[], choices: readonly number[], lengths: Lengths): number {
    let order = steps.filter((step) => this.#addResults(step, new Set(), lengths).size > 0);
    let best = { trips: 1, uncut: order.length + 1 };
    for (const trips of choices) {
      const tiling = this.#ways.tiling(trips, lengths);
      const uncut = new Set<Step>();
      for (const step of order) {
        if (typeof this.#ways.usual(step, tiling) === "string") uncut.add(step);
        if (uncut.size === best.uncut) break;
      }
      if (uncut.size < best.uncut) best = { trips, uncut: uncut.size };
      if (best.uncut === 0) break;
      order = [...uncut, ...order.filter((step) => !uncut.has(step))];
    }
    return best.trips;
  }

  /** What the step reads across tiles, in the fewest tiles there might be. */
  #readAcross(step: Step, finest: number, lengths: Lengths): ReadonlySet<number> {
    const fewest = [...coarser(finest)].at(-1) as number;
    const cut = this.#ways.usual(step, this.#ways.tiling(fewest, lengths));
    if (typeof cut === "string") return accessesOf(step).reads;
    return new Set([...cut.uses.byBuffer].flatMap(([buffer, { own }]) => (own ? [] : [buffer])));
  }

  #note(step: Step, reason: string, bytes: number, trips: number, lengths: Lengths): void {
    const tiling = this.#ways.tiling(trips, lengths);
    this.#notes.add(step, reason, bytes, () => this.#ways.usual(step, tiling), tiling);
  }

  /** Whether what the step makes has no parts: all tiles may read it, if it is made before them. */
  #isSmall(step: Step, lengths: Lengths): boolean {
    if (step.kind !== "kernel" && step.kind !== "copy") return false;
    return this.#addResults(step, new Set(), lengths).size === 0;
  }

  /** Whether the step may as well run before all of `others`. */
  #independent(step: Step, others: readonly Step[]): boolean {
    return step.kind !== "print" && others.every((other) => areFree(step, other));
  }

  /** Adds what the step makes that is large enough to have parts. */
  #addResults(step: Step, made: Set<number>, lengths: Lengths): Set<number> {
    const lengthOf = this.#ways.lengthOf(lengths);
    for (const buffer of accessesOf(step).writes) {
      if (lengthOf(buffer) > this.#budget.smallElements || this.#targets.has(buffer)) {
        made.add(buffer);
      }
    }
    return made;
  }

  #madeBytes(step: Step, lengths: Lengths): number {
    let bytes = 0;
    for (const buffer of accessesOf(step).writes) {
      if (this.#isTemporary(buffer)) bytes += this.#bytesOf(buffer, lengths);
    }
    return bytes;
  }

  /** Into how many tiles the step can be cut, or why it cannot. */
  #candidate(
    step: Step,
    finest: number,
    made: ReadonlySet<number>,
    lengths: Lengths,
  ): Candidate | string {
    let reason = "";
    for (const trips of coarser(finest)) {
      const cut = this.#ways.that(step, this.#ways.tiling(trips, lengths), (cut) =>
        crossing(step, cut, made),
      );
      if (typeof cut !== "string") {
        const { kind } = step;
        const repeated = [...cut.uses.byBuffer.values()].some((use) => use.repeated);
        if (!repeated || (kind !== "kernel" && kind !== "copy")) {
          return { step, most: trips, inOrder: cut.uses.isOrdered };
        }
      }
      // What every tile would compute for itself had better be computed before.
      reason = typeof cut === "string" ? cut : "it has no equal parts";
    }
    return reason;
  }

  // ── One tile step ─────────────────────────────────────────────────────────────────────────

  /** Tiles of steps each of which can be cut; where they do not fit together, several tile steps. */
  #tileRun(steps: readonly Step[], trips: number, lengths: Lengths): readonly Step[] {
    const tiling = this.#ways.tiling(trips, lengths);
    const result: Step[] = [];
    let rest = steps;
    while (rest.length > 0) {
      const run = this.#longestRun(rest, tiling);
      const taken = Math.max(1, run.given.length);
      result.push(
        ...(this.#isWorthIt(run, lengths) ? this.#emit(run, lengths) : rest.slice(0, taken)),
      );
      rest = rest.slice(taken);
    }
    return result;
  }

  #longestRun(steps: readonly Step[], tiling: Tiling): Run {
    const cuts: CutStep[] = [];
    const uses = new Uses();
    for (const step of steps) {
      const cut = this.#ways.that(step, tiling, (way) =>
        uses.conflictsWith(way.uses) ? "it does not fit what comes before" : undefined,
      );
      if (typeof cut === "string") break;
      uses.addAll(cut.uses);
      cuts.push(cut);
    }
    const run = { given: steps.slice(0, cuts.length), cuts, tiling, uses };
    const shared = [...uses.byBuffer].find(
      ([buffer, { repeated }]) => repeated && !this.#isPrivate(buffer, run.given),
    );
    if (shared === undefined) return run;
    const first = cuts.findIndex((cut) => cut.uses.byBuffer.get(shared[0])?.repeated === true);
    return this.#longestRun(steps.slice(0, first), tiling);
  }

  /** A temporary that nothing but `steps` mentions. */
  #isPrivate(buffer: number, steps: readonly Step[]): boolean {
    if (this.#context.plan.buffers[buffer]?.kind !== "temporary") return false;
    return countMentions(steps).get(buffer) === this.#mentions.get(buffer);
  }

  #isWorthIt({ given, uses }: Run, lengths: Lengths): boolean {
    if (given.length === 0) return false;
    // What every tile reads as a whole does not get smaller.
    const inParts = peakBytesOf(given, this.#context.plan.buffers, (buffer) =>
      uses.byBuffer.get(buffer)?.written === true ? this.#bytesOf(buffer, lengths) : 0,
    );
    if (inParts <= this.#limit(given) / 2) return false;
    const between = [...uses.byBuffer.values()].some(
      ({ own, read, written }) => own && read && written,
    );
    return between && countLeaves(given) > 1;
  }

  #emit({ given, cuts, tiling, uses }: Run, lengths: Lengths): readonly Step[] {
    const { plan, loops } = this.#context;
    loops.next += 1;
    const parts = new Map<number, number>();
    for (const [buffer, use] of uses.byBuffer) {
      if (use.written && !use.ordered && !use.apart) {
        parts.set(buffer, partLength(tiling, buffer) as number);
      }
    }
    const inside = new Map([...lengths, ...parts]);
    const counts = countMentions(given);
    const isLocal = (buffer: number): boolean =>
      plan.buffers[buffer]?.kind === "temporary" &&
      counts.get(buffer) === this.#mentions.get(buffer);
    const locals = new Set([...counts.keys()].filter(isLocal));

    const spare = {
      name: () => plan.name("copy"),
      fresh: (like: number, length: number): number => {
        const made = plan.newBuffer("temporary", plan.buffers[like]!.dtype, length);
        this.#mentions.set(made, 2);
        locals.add(made);
        return made;
      },
    };
    const dtypeOf = (buffer: number) => plan.buffers[buffer]!.dtype;
    const start = (length: number) => fromPart(tiling, length, ix.zero);

    let body: readonly Step[] = cuts.map(({ step }) =>
      relocate(step, (buffer, index) =>
        parts.has(buffer) ? withinPart(tiling, buffer, index) : index,
      ),
    );
    // Rows of a buffer that is only read are read where they are, by all but those who take whole buffers.
    body = copyParts(
      body,
      dtypeOf,
      (buffer) => {
        if (parts.has(buffer)) return undefined;
        const length = partLength(tiling, buffer) as number;
        return { start: start(length), length };
      },
      spare,
    );
    if (!uses.isOrdered) body = this.tile(body, inside);
    const isWhole = (buffer: number): boolean => parts.has(buffer) && !locals.has(buffer);
    body = copyParts(
      body,
      dtypeOf,
      (buffer) => {
        const length = parts.get(buffer);
        return length === undefined || !isWhole(buffer) ? undefined : { start: ix.zero, length };
      },
      spare,
    );
    body = body.map((step) =>
      relocate(step, (buffer, index) =>
        isWhole(buffer) ? fromPart(tiling, parts.get(buffer) as number, index) : index,
      ),
    );
    for (const buffer of locals) {
      const length = parts.get(buffer);
      if (length === undefined || this.#settled.has(buffer)) continue;
      plan.resize(buffer, length);
      this.#settled.add(buffer);
    }
    for (const buffer of localsInside(body)) locals.add(buffer);
    const { loop, trips } = tiling;
    if (uses.isOrdered) {
      const before = cuts.flatMap((cut) => (cut.before === undefined ? [] : [cut.before]));
      forEachLeaf(before, (step) => {
        for (const buffer of accessesOf(step).writes) {
          this.#mentions.set(buffer, (this.#mentions.get(buffer) ?? 0) + 1);
        }
      });
      const name = plan.name("in_order");
      return [...before, { kind: "loop", name, loop, trips, grid: false, body }];
    }
    const name = plan.name("tile");
    return [{ kind: "tile", name, loop, trips, locals: [...locals].sort((p, q) => p - q), body }];
  }
}

/** The steps that make `wanted`, with what must run before them; and the others, which may run after them. */
function apart(
  wanted: ReadonlySet<number>,
  candidates: readonly Candidate[],
): { before: Candidate[]; after: Candidate[] } {
  const before: Candidate[] = [];
  const after: Candidate[] = [];
  for (const candidate of [...candidates].reverse()) {
    const makes = [...accessesOf(candidate.step).writes].some((buffer) => wanted.has(buffer));
    const goesFirst =
      makes || candidate.inOrder || before.some((later) => !areFree(candidate.step, later.step));
    (goesFirst ? before : after).unshift(candidate);
  }
  return { before, after };
}

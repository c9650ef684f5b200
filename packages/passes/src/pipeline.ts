/**
 * Passes as data: what each works on, which order is legal, and what one leaves behind.
 *
 * A pass belongs to a level (design §2). Passes of one level may change places or be left out without
 * changing what a program means, but for those that are required (the level above cannot go on without
 * them) and those that say which they must come `after`. Tests draw subsets and orders from the list.
 */
import { countNodes, type Program, type Region, type Table } from "@gridfuse/graph";
import { type AxisReport, CompileError, type PlanBuffer, type Step } from "@gridfuse/plan";

import type { PlanBuilder } from "./fuse/builder.ts";
import { expandCalls } from "./fuse/expand-calls.ts";
import type { TileBudget } from "./tile/trips.ts";

/** kernel: refs; tensor: values, in regions; loop: steps over buffers; plan: steps as they are written. */
export type PassLevel = "kernel" | "tensor" | "loop" | "plan";

const levels: readonly PassLevel[] = ["kernel", "tensor", "loop", "plan"];

interface PassFacts {
  readonly name: string;
  readonly level: PassLevel;
  /** What follows cannot do without it. */
  readonly required?: true;
  /** Passes of the same level that must have run before, where they run at all. */
  readonly after?: readonly string[];
}

export interface RegionPass extends PassFacts {
  readonly level: "kernel" | "tensor";
  /** What is in no program after it, nor after those that follow. */
  readonly removes?: "refs" | "grids";
  readonly run: (region: Region, context: RegionContext) => Region;
}

export interface StepPass extends PassFacts {
  readonly level: "loop" | "plan";
  readonly run: (steps: readonly Step[], context: StepContext) => readonly Step[];
}

export interface RegionContext {
  readonly table: Table;
  readonly reassociate: boolean;
  /** Ids of loops that index expressions name. */
  readonly loops: { next: number };
  readonly axes: AxisReport[];
  readonly notes: string[];
}

export interface StepContext {
  readonly buffers: readonly PlanBuffer[];
  readonly plan: PlanBuilder;
  /** Ids of loops that index expressions name. */
  readonly loops: { next: number };
  readonly notes: string[];
  readonly tiles: TileBudget | undefined;
}

/** One entry per pass, for `--explain`: how long it took and what it left (nodes, or steps after fuse). */
export interface PassRecord {
  readonly name: string;
  readonly ms: number;
  readonly nodes: number;
}

export interface PassObserver {
  /** Sees the program after every tensor-level pass: for verifiers, interpreters and printers. */
  readonly afterPass?: (pass: string, program: Program) => void;
  /** Sees the steps after fuse and every pass that follows it. */
  readonly afterSteps?: (
    pass: string,
    steps: readonly Step[],
    buffers: readonly PlanBuffer[],
  ) => void;
}

/**
 * The passes called `names` in that order; all of them, in their own order, where `names` is undefined.
 *
 * @throws CompileError GF3903 where that is no legal order
 */
export function choosePasses<P extends PassFacts>(
  passes: readonly P[],
  names: readonly string[] | undefined,
): readonly P[] {
  if (names === undefined) return passes;
  const byName = new Map(passes.map((pass) => [pass.name, pass]));
  const chosen = names.flatMap((name) => byName.get(name) ?? []);
  const fault = orderFault(passes, chosen);
  if (fault !== undefined) throw new CompileError("GF3903", fault, { received: names });
  return chosen;
}

/** @throws CompileError GF3903 where a name is no pass's */
export function requireKnown(
  passes: readonly PassFacts[],
  names: readonly string[] | undefined,
): void {
  const unknown = names?.find((name) => !passes.some((pass) => pass.name === name));
  if (unknown === undefined) return;
  throw new CompileError("GF3903", `there is no pass "${unknown}"`, {
    expected: passes.map(({ name }) => name),
    received: unknown,
  });
}

/** Why `chosen` is no legal selection of `passes`. */
export function orderFault(
  passes: readonly PassFacts[],
  chosen: readonly PassFacts[],
): string | undefined {
  const missing = passes.find((pass) => pass.required === true && !chosen.includes(pass));
  if (missing !== undefined) return `pass "${missing.name}" is required`;
  for (const [i, pass] of chosen.entries()) {
    if (chosen.indexOf(pass) !== i) return `pass "${pass.name}" is named twice`;
    const late = chosen
      .slice(i + 1)
      .find(
        (other) =>
          pass.after?.includes(other.name) === true ||
          levels.indexOf(other.level) < levels.indexOf(pass.level),
      );
    if (late !== undefined) return `pass "${pass.name}" comes after "${late.name}"`;
  }
  return undefined;
}

/** Runs passes and writes down what each one did. */
export class PassRunner {
  readonly records: PassRecord[] = [];
  readonly #observer: PassObserver;

  constructor(observer: PassObserver) {
    this.#observer = observer;
  }

  regions(passes: readonly RegionPass[], program: Program, context: RegionContext): Program {
    let current = program;
    let nodes = -1;
    for (const { name, run } of passes) {
      const main = this.#timed(
        name,
        () => run(current.main, context),
        (region) => {
          if (nodes < 0 || region !== current.main) nodes = countNodes(context.table, region);
          return nodes;
        },
      );
      current = { ...current, main };
      this.#observer.afterPass?.(name, current);
    }
    return current;
  }

  /** The step between the two kinds: a program becomes steps. */
  fuse<L extends { readonly steps: readonly Step[] } & LoweredBuffers>(
    name: string,
    run: () => L,
  ): L {
    const lowered = this.#timed(name, run, ({ steps }) => countSteps(steps));
    this.#observer.afterSteps?.(name, expandCalls(lowered.steps), lowered.builder.buffers);
    return lowered;
  }

  steps(
    passes: readonly StepPass[],
    given: readonly Step[],
    context: StepContext,
  ): readonly Step[] {
    let steps = given;
    for (const { name, run } of passes) {
      steps = this.#timed(name, () => run(steps, context), countSteps);
      this.#observer.afterSteps?.(name, expandCalls(steps), context.buffers);
    }
    return steps;
  }

  #timed<T>(name: string, run: () => T, count: (result: T) => number): T {
    const start = performance.now();
    const result = run();
    this.records.push({ name, ms: performance.now() - start, nodes: count(result) });
    return result;
  }
}

interface LoweredBuffers {
  readonly builder: { readonly buffers: readonly PlanBuffer[] };
}

export function countSteps(steps: readonly Step[]): number {
  let count = 0;
  for (const step of steps) {
    count += 1;
    if (step.kind === "loop" || step.kind === "tile") count += countSteps(step.body);
    if (step.kind === "while") count += countSteps(step.condition) + countSteps(step.body);
    if (step.kind === "branch") for (const branch of step.branches) count += countSteps(branch);
  }
  return count;
}

/**
 * Steps as one flat list of launches: what a run encodes, in order.
 *
 * Loops have static trip counts, so they are unrolled here; the counters of an iteration are a slot
 * of a uniform buffer, chosen at launch by a dynamic offset.
 */
import {
  CapabilityError,
  type DType,
  type GridfuseError,
  type Plan,
  type Step,
} from "@gridfuse/plan";
import type { MemoryLayout } from "./memory.ts";
import { dotDispatches } from "./wgsl/dot.ts";
import type { Dispatch } from "./wgsl/elementwise.ts";
import type { Subnormals } from "./wgsl/float32.ts";
import { copyAsKernel, type KernelDispatches, kernelDispatches } from "./wgsl/kernel.ts";
import { isShaderDType } from "./wgsl/value.ts";

export interface Launch {
  readonly dispatch: number;
  /** Index into `counters`. */
  readonly slot: number;
}

export interface ScheduledStep {
  readonly name: string;
  readonly kind: string;
  readonly how: string;
}

export interface Schedule {
  readonly dispatches: readonly Dispatch[];
  readonly launches: readonly Launch[];
  /** Values of the loop counters, by slot; slot 0 is outside of all loops. */
  readonly counters: readonly (readonly number[])[];
  readonly scratchWords: number;
  readonly steps: readonly ScheduledStep[];
}

/** Launches in one submission, at most: a run should not outlast the driver's watchdog. */
const maxLaunches = 2 ** 16;

/** @throws CapabilityError GF5202 for a step that has no shader code. */
export function scheduleSteps(plan: Plan, layout: MemoryLayout, subnormals: Subnormals): Schedule {
  const scheduler = new Scheduler(layout, subnormals);
  scheduler.schedule(plan.steps, []);
  return scheduler;
}

class Scheduler implements Schedule {
  readonly dispatches: Dispatch[] = [];
  readonly launches: Launch[] = [];
  readonly counters: (readonly number[])[] = [[]];
  readonly steps: ScheduledStep[] = [];
  scratchWords = 0;
  readonly #layout: MemoryLayout;
  readonly #subnormals: Subnormals;
  /** Step → its dispatches; a step in a loop is met once in every iteration. */
  readonly #known = new Map<Step, readonly number[]>();

  constructor(layout: MemoryLayout, subnormals: Subnormals) {
    this.#layout = layout;
    this.#subnormals = subnormals;
  }

  schedule(steps: readonly Step[], counters: readonly number[]): void {
    let slot: number | undefined = counters.length === 0 ? 0 : undefined;
    for (const step of steps) {
      if (step.kind === "loop") {
        for (let trip = 0; trip < step.trips; trip++) {
          const inside = [...counters];
          inside[step.loop] = trip;
          this.schedule(step.body, inside);
        }
        continue;
      }
      slot ??= this.counters.push(counters) - 1;
      for (const dispatch of this.#dispatchesOf(step)) this.launches.push({ dispatch, slot });
      if (this.launches.length > maxLaunches) {
        throw refusal(step, `loops around it make more than ${maxLaunches} launches`);
      }
    }
  }

  #dispatchesOf(step: Step): readonly number[] {
    let known = this.#known.get(step);
    if (known === undefined) {
      known = this.#generate(step);
      this.#known.set(step, known);
    }
    return known;
  }

  #generate(step: Step): readonly number[] {
    try {
      const { dispatches, scratchWords } = this.#dispatch(step);
      this.scratchWords = Math.max(this.scratchWords, scratchWords);
      const how = describe(dispatches.map(({ workgroups }) => workgroups));
      this.steps.push({ name: step.name, kind: step.kind, how });
      return dispatches.map((dispatch) => this.dispatches.push(dispatch) - 1);
    } catch (cause) {
      if (!(cause instanceof CapabilityError)) throw cause;
      throw refusal(step, headline(cause), cause);
    }
  }

  #dispatch(step: Step): KernelDispatches {
    requireShaderDTypes(step);
    switch (step.kind) {
      case "kernel":
        return kernelDispatches(step, this.#layout, this.#subnormals);
      case "copy":
        return kernelDispatches(copyAsKernel(step), this.#layout, this.#subnormals);
      case "dot":
        return {
          dispatches: dotDispatches(step, this.#layout, this.#subnormals),
          scratchWords: 0,
        };
      default:
        throw new CapabilityError("GF5202", `there is no shader code for ${step.kind}`);
    }
  }
}

/** @throws CapabilityError GF5202 for 64-bit dtypes, which only a copy may have: it moves words. */
function requireShaderDTypes(step: Step): void {
  const require = (dtype: DType, what: string): void => {
    if (isShaderDType(dtype)) return;
    throw new CapabilityError("GF5202", `WGSL has no ${dtype}, the dtype of ${what}`);
  };
  if (step.kind === "kernel") {
    for (const { nodes } of step.stages) for (const { dtype, op } of nodes) require(dtype, op);
  } else if (step.kind === "dot") {
    require(step.lhsDType, "the left operand");
    require(step.rhsDType, "the right operand");
    require(step.accumulate, "the sums");
    require(step.dtype, "the result");
  }
}

function describe(workgroups: readonly number[]): string {
  if (workgroups.length === 0) return "nothing to do";
  return `workgroups: ${workgroups.join(", then ")}`;
}

/** The message without its code, notes and help. */
const headline = (error: GridfuseError): string =>
  (error.message.split("\n")[0] as string).slice(error.code.length).trim();

function refusal(step: Step, why: string, cause?: CapabilityError): CapabilityError {
  return new CapabilityError("GF5202", `step "${step.name}" (${step.kind}): ${why}`, {
    path: step.name,
    received: step.kind,
    help: "Run this plan on the CPU executor.",
    cause,
  });
}

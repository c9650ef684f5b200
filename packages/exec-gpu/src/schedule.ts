/**
 * Steps as one flat list of launches: what a run encodes, in order.
 *
 * Loops and tiles have static trip counts, so they are unrolled here; the counters of an iteration are a slot
 * of a uniform buffer, chosen at launch by a dynamic offset.
 */
import {
  CapabilityError,
  type DType,
  type GridfuseError,
  type Plan,
  type Step,
} from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import type { MemoryLayout } from "./memory.ts";
import { dotDispatches } from "./wgsl/dot.ts";
import { type Dispatch, type Launches, launchEach } from "./wgsl/elementwise.ts";
import type { Subnormals } from "./wgsl/float32.ts";
import { copyAsKernel, kernelLaunches } from "./wgsl/kernel.ts";
import { scanDispatches, scatterDispatches } from "./wgsl/sequential.ts";
import { sortLaunches, topKLaunches } from "./wgsl/sort.ts";
import { isShaderDType } from "./wgsl/value.ts";

export interface Launch {
  readonly dispatch: number;
  /** Index into `slots`. */
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
  /** The words of `Params`, by slot. */
  readonly slots: readonly (readonly number[])[];
  readonly scratchWords: number;
  readonly steps: readonly ScheduledStep[];
}

/** Loop numbers that a slot of 256 bytes has words for, behind the four of the launch itself. */
const mostLoops = 60;

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
  readonly slots: (readonly number[])[] = [];
  readonly steps: ScheduledStep[] = [];
  scratchWords = 0;
  readonly #layout: MemoryLayout;
  readonly #subnormals: Subnormals;
  /** Step → its dispatches; a step in a loop is met once in every iteration. */
  readonly #known = new Map<Step, Launches>();
  readonly #slotOf = new Map<string, number>();

  constructor(layout: MemoryLayout, subnormals: Subnormals) {
    this.#layout = layout;
    this.#subnormals = subnormals;
  }

  schedule(steps: readonly Step[], counters: readonly number[]): void {
    for (const step of steps) {
      if (step.kind === "loop" || step.kind === "tile") {
        if (step.loop >= mostLoops) throw refusal(step, `its number is beyond ${mostLoops} loops`);
        for (let trip = 0; trip < step.trips; trip++) {
          const inside = [...counters];
          inside[step.loop] = trip;
          this.schedule(step.body, inside);
        }
        continue;
      }
      for (const { dispatch, level = 0, reach = 0 } of this.#launchesOf(step).launches) {
        const slot = this.#slot([0, level, reach, 0, ...counters]);
        this.launches.push({ dispatch, slot });
      }
      if (this.launches.length > maxLaunches) {
        throw refusal(step, `loops around it make more than ${maxLaunches} launches`);
      }
    }
  }

  #slot(words: readonly number[]): number {
    const key = words.join();
    let known = this.#slotOf.get(key);
    if (known === undefined) {
      known = this.slots.push(words) - 1;
      this.#slotOf.set(key, known);
    }
    return known;
  }

  /** With dispatches numbered as in `dispatches`. */
  #launchesOf(step: Step): Launches {
    let known = this.#known.get(step);
    if (known === undefined) {
      known = this.#generate(step);
      this.#known.set(step, known);
    }
    return known;
  }

  #generate(step: Step): Launches {
    try {
      const made = this.#launch(step);
      const first = this.dispatches.length;
      this.dispatches.push(...made.dispatches);
      this.scratchWords = Math.max(this.scratchWords, made.scratchWords);
      const how = describe(made.dispatches.map(({ workgroups }) => workgroups));
      this.steps.push({ name: step.name, kind: step.kind, how });
      return {
        ...made,
        launches: made.launches.map((each) => ({ ...each, dispatch: first + each.dispatch })),
      };
    } catch (cause) {
      if (!(cause instanceof CapabilityError)) throw cause;
      throw refusal(step, headline(cause), cause);
    }
  }

  #launch(step: Step): Launches {
    requireShaderDTypes(step);
    const [layout, subnormals] = [this.#layout, this.#subnormals];
    switch (step.kind) {
      case "kernel":
        return kernelLaunches(step, layout, subnormals);
      case "copy":
        return kernelLaunches(copyAsKernel(step), layout, subnormals);
      case "dot":
        return launchEach(dotDispatches(step, layout, subnormals));
      case "scan":
        return launchEach(scanDispatches(step, layout, subnormals));
      case "scatter":
        return launchEach(scatterDispatches(step, layout, subnormals));
      case "sort":
        return sortLaunches(step, layout, subnormals);
      case "topk":
        return topKLaunches(step, layout, subnormals);
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
  const requireNodes = (nodes: readonly ScalarNode[]): void => {
    for (const { dtype, op } of nodes) require(dtype, op);
  };
  switch (step.kind) {
    case "kernel":
      for (const { nodes } of step.stages) requireNodes(nodes);
      return;
    case "scatter":
      requireNodes(step.nodes);
      return;
    case "dot":
      require(step.lhsDType, "the left operand");
      require(step.rhsDType, "the right operand");
      require(step.accumulate, "the sums");
      require(step.dtype, "the result");
      return;
    case "sort":
      for (const dtype of step.dtypes) require(dtype, "an operand");
      return;
    case "topk":
    case "scan":
      require(step.dtype, "the operand");
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

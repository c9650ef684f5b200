/**
 * The one comparison behind all differential tests: what the interpreter says a program means, against
 * what its plan computes on every backend. Where they differ, the passes are interpreted one by one to
 * name the one after which the meaning changed.
 */

import { cpuSync } from "@gridfuse/exec-cpu";
import type { Program } from "@gridfuse/graph";
import { cloneRegion, Table, verifyProgram } from "@gridfuse/graph";
import { compareTensors, type HostTensor, interpret, type Tolerance } from "@gridfuse/interpret";
import { type LowerOptions, lower, regionPasses } from "@gridfuse/passes";
import { type Plan, type PlanOutput, verifyPlan } from "@gridfuse/plan";
import { nativeCpu } from "../../../packages/exec-cpu/src/c/executor.ts";

export type Inputs = Readonly<Record<string, HostTensor>>;

export type Backend = "js" | "wasm" | "native";
/** The first two, or the ones that GRIDFUSE_BACKENDS lists. */
export const backends = (process.env.GRIDFUSE_BACKENDS ?? "js,wasm").split(
  ",",
) as readonly Backend[];

export interface ComparisonOptions extends LowerOptions {
  /** For outputs that the plan does not mark exact. */
  readonly bounded?: (output: PlanOutput) => Tolerance;
  readonly backends?: readonly Backend[];
  /** Which passes run, in which order; all of them by default. */
  readonly passes?: readonly string[];
  /** Sees the plan before it runs. */
  readonly onPlan?: (plan: Plan) => void;
}

/** Budgets so small that chains of steps over a few elements are tiled, for every other seed. */
export const tilesFor = (seed: number): Pick<LowerOptions, "tiles"> =>
  seed % 2 === 0
    ? { tiles: { bytes: 64, laneBytes: 32, leastBytes: 1, smallElements: 2 + (seed % 3) } }
    : {};

const loose = ({ dtype }: PlanOutput): Tolerance => {
  switch (dtype) {
    case "float16":
      return { rtol: 2 ** -6, atol: 2 ** -6 };
    case "bfloat16":
      return { rtol: 2 ** -4, atol: 2 ** -4 };
    case "float64":
      return { rtol: 1e-12, atol: 1e-12 };
    default:
      return { rtol: 1e-4, atol: 1e-4 };
  }
};

/** A copy in a table of its own: passes append to the table they work on. */
export function ownCopy(program: Program): Program {
  const table = new Table();
  return { ...program, table, main: cloneRegion(program.table, program.main, table, new Map()) };
}

/** Verifies the program after every pass: also that what a pass removes never comes back. */
export function verifierOfPasses(): NonNullable<LowerOptions["afterPass"]> {
  const removed = new Set<string>();
  return (name, program) => {
    const pass = regionPasses.find((known) => known.name === name);
    if (pass?.removes !== undefined) removed.add(pass.removes);
    const options = { noRefs: removed.has("refs"), noGrids: removed.has("grids") };
    verifyProgram(program, options, name);
  };
}

/** Lowers with the program verified before, between and after the passes, and the plan at the end. */
export function lowerVerified(
  program: Program,
  options: LowerOptions = {},
  passes?: readonly string[],
): Plan {
  verifyProgram(program);
  const plan = lower(ownCopy(program), { ...options, afterPass: verifierOfPasses() }, passes);
  verifyPlan(plan);
  return plan;
}

/** What the plan gives on `backend`, as tensors. */
export function execute(
  plan: Plan,
  inputs: Inputs,
  backend: Backend,
  onPrint: (line: string) => void = () => {},
): Record<string, HostTensor> {
  const executor = backend === "native" ? nativeCpu({}) : cpuSync({ backend });
  const executable = executor.prepareSync(plan, { onPrint });
  const results = executable.runSync(inputs);
  return Object.fromEntries(
    plan.outputs.map(({ name, dtype, shape }) => [name, { dtype, shape, data: results[name]! }]),
  );
}

/** Lines that say what differs; empty if interpreter and all backends agree. */
export function disagreements(
  program: Program,
  inputs: Inputs,
  options: ComparisonOptions = {},
): readonly string[] {
  const spoken: string[] = [];
  const expected = interpret(program, inputs, { onPrint: (line) => spoken.push(line) });
  const plan = lowerVerified(program, options, options.passes);
  options.onPlan?.(plan);
  const lines: string[] = [];
  for (const backend of options.backends ?? backends) {
    const heard: string[] = [];
    const actual = execute(plan, inputs, backend, (line) => heard.push(line));
    lines.push(...otherLines(backend, heard, spoken));
    for (const output of plan.outputs) {
      const tolerance: Tolerance = output.exact
        ? { exact: true }
        : (options.bounded ?? loose)(output);
      const difference = compareTensors(
        actual[output.name] as HostTensor,
        expected[output.name] as HostTensor,
        tolerance,
      );
      if (difference !== undefined) {
        lines.push(`${backend}, output "${output.name}": ${difference.message}`);
      }
    }
  }
  return lines.length === 0 ? lines : [...lines, blame(program, inputs, expected, options)];
}

/** Printed lines, in any order: points of a parallel axis print together. */
function otherLines(
  backend: Backend,
  heard: readonly string[],
  spoken: readonly string[],
): readonly string[] {
  if (heard.toSorted().join("\n") === spoken.toSorted().join("\n")) return [];
  return [`${backend} printed:`, ...heard, "instead of:", ...spoken];
}

/** The first pass after which the interpreter gives something else. */
function blame(
  program: Program,
  inputs: Inputs,
  expected: Readonly<Record<string, HostTensor>>,
  options: ComparisonOptions,
): string {
  let culprit: string | undefined;
  const afterPass: LowerOptions["afterPass"] = (pass, after) => {
    if (culprit !== undefined) return;
    const actual = interpret(after, inputs, { onPrint: () => {} });
    const differs = program.outputs.find((name) =>
      compareTensors(actual[name] as HostTensor, expected[name] as HostTensor),
    );
    if (differs !== undefined) culprit = `meaning of "${differs}" changed in pass "${pass}"`;
  };
  lower(ownCopy(program), { ...options, afterPass }, options.passes);
  return culprit ?? "the tensor-level passes agree: look at fuse, place or the executor";
}

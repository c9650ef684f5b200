/**
 * From a graph to a plan: the table of contents of this package.
 */
import {
  countNodes,
  elementCount,
  type Program,
  type Region,
  type Table,
  walk,
} from "@gridfuse/graph";
import type { AxisReport, Plan, Step } from "@gridfuse/plan";
import { vectoriseRegion } from "./grid/vectorise-region.ts";
import { emitPlan, lowerProgram, tidySteps } from "./plan/emit.ts";
import { simplifyRegion } from "./simplify/simplify.ts";
import { dischargeRegion } from "./tensor/discharge.ts";
import { settleNaNs } from "./tensor/settle-nans.ts";

export interface LowerOptions {
  /** Whether float sums over grid axes may change their order. Default true. */
  readonly reassociate?: boolean;
  /** Iterations a `while` may take before the run fails. Default 2³¹−1. */
  readonly fuel?: number;
  /** Sees the program after every tensor-level pass: for verifiers, interpreters and printers. */
  readonly afterPass?: (pass: string, program: Program) => void;
}

/** One entry per pass, for `--explain`: how long it took and what it left. */
export interface PassRecord {
  readonly name: string;
  readonly ms: number;
  readonly nodes: number;
}

export function lower(program: Program, options: LowerOptions = {}): Plan {
  const started = performance.now();
  const { table } = program;
  const loops = { next: 0 };
  const axes: AxisReport[] = [];
  const notes: string[] = [];
  const passes: PassRecord[] = [];
  const nodesBefore = countNodes(table, program.main);

  let region = program.main;
  const pass = (name: string, run: (region: Region) => Region): void => {
    const start = performance.now();
    region = run(region);
    passes.push({ name, ms: performance.now() - start, nodes: countNodes(table, region) });
    options.afterPass?.(name, { ...program, main: region });
  };

  pass("discharge", (r) => dischargeRegion(table, r));
  pass("canonicalise", (r) => simplifyRegion(table, r));
  pass("vectorise-grid", (r) =>
    vectoriseRegion(table, r, {
      reassociate: options.reassociate ?? true,
      loops,
      axes,
      notes,
    }),
  );
  pass("canonicalise again", (r) => simplifyRegion(table, r));
  pass("settle-nans", (r) => settleNaNs(table, r));

  const nodesAfter = countNodes(table, region);
  const step = <T>(name: string, run: () => T, count: (result: T) => number): T => {
    const start = performance.now();
    const result = run();
    passes.push({ name, ms: performance.now() - start, nodes: count(result) });
    return result;
  };
  const lowered = step(
    "fuse",
    () => lowerProgram({ ...program, main: region }, loops, options.fuel ?? 2 ** 31 - 1),
    (result) => countSteps(result.steps),
  );
  const steps = step("merge", () => tidySteps(lowered), countSteps);
  return emitPlan(program.name, lowered, steps, {
    nodesBefore,
    nodesAfter,
    gridPoints: gridPoints(table, program.main),
    axes,
    notes,
    passes,
    compileMs: performance.now() - started,
  });
}

function gridPoints(table: Table, region: Region): number {
  let points = 0;
  walk(table, region, (node) => {
    if (node.op === "grid") points += elementCount(node.params.axes.map(({ size }) => size));
  });
  return points;
}

export function countSteps(steps: readonly Step[]): number {
  let count = 0;
  for (const step of steps) {
    count += 1;
    if (step.kind === "loop") count += countSteps(step.body);
    if (step.kind === "while") count += countSteps(step.condition) + countSteps(step.body);
    if (step.kind === "branch") for (const branch of step.branches) count += countSteps(branch);
  }
  return count;
}

/**
 * The long suites: the random tests of every day, on many more cases than a pull request can wait for.
 * Cases are drawn in chunks, each from a seed of its own, so that one failure does not end the search.
 */
import { type Program, printProgram } from "@gridfuse/graph";
import fc from "fast-check";
import { bounded, faultsOfKernel } from "../differential/support/kernel-faults.ts";
import { type Coverage, count } from "../differential/support/kernels/coverage.ts";
import { orderOf, orderPlans } from "../differential/support/pass-orders.ts";
import { buildGraph, graphPlans } from "../differential/support/random-graph.ts";
import { buildKernel, kernelPlans } from "../differential/support/random-kernel.ts";
import {
  type ComparisonOptions,
  disagreements,
  type Inputs,
  tilesFor,
} from "../differential/support/three-way.ts";

export interface Failure {
  /** GRIDFUSE_SEED and GRIDFUSE_PATH that show it again in the everyday test. */
  readonly seed: number;
  readonly path: string;
  readonly message: string;
  /** The smallest plan on which it happens. */
  readonly plan: unknown;
}

export interface Suite {
  readonly cases: number;
  /** Runs `cases` from `seed`; gives the shrunk failure, if any. */
  run(seed: number, cases: number, coverage: Coverage): Failure | undefined;
}

/** A suite of `cases` values of `arbitrary`; a case is good where `faults` gives no line. */
export function suite<T>(
  cases: number,
  arbitrary: fc.Arbitrary<T>,
  faults: (value: T, coverage: Coverage) => readonly string[],
): Suite {
  return {
    cases,
    run(seed, numRuns, coverage) {
      const property = fc.property(arbitrary, (value) => {
        const lines = faults(value, coverage);
        if (lines.length > 0) throw new Error(lines.join("\n"));
      });
      const result = fc.check(property, { numRuns, seed });
      if (!result.failed) return undefined;
      return {
        seed: result.seed,
        path: result.counterexamplePath ?? "",
        message: (result.errorInstance as Error).message,
        plan: result.counterexample?.[0],
      };
    },
  };
}

function faultsOf(
  program: Program,
  inputs: Inputs,
  options: ComparisonOptions,
  coverage: Coverage,
): readonly string[] {
  try {
    const onPlan: ComparisonOptions["onPlan"] = ({ steps }) => {
      count(coverage, new Set(steps.map(({ kind }) => `step: ${kind}`)));
    };
    const lines = disagreements(program, inputs, { ...options, onPlan });
    return lines.length === 0 ? [] : [...lines, printProgram(program)];
  } catch (error) {
    return [(error as Error).stack ?? String(error), printProgram(program)];
  }
}

const exact: ComparisonOptions["bounded"] = () => ({ exact: true });

export const suites: { readonly [name: string]: Suite } = {
  /** Random kernels, three ways. */
  kernels: suite(2_000, kernelPlans, faultsOfKernel),
  /** Random graphs over all ops, three ways. */
  graphs: suite(20_000, graphPlans(30), (plan, coverage) => {
    const { program, inputs } = buildGraph(plan);
    return faultsOf(program, inputs, { bounded: exact, ...tilesFor(plan.seed) }, coverage);
  }),
  /** Random kernels through random selections of passes. */
  orders: suite(2_000, fc.tuple(kernelPlans, orderPlans), ([plan, order], coverage) => {
    const { program, inputs } = buildKernel(plan);
    const passes = orderOf(order);
    const reassociate = plan.reassociate && plan.style === "tame";
    const lines = faultsOf(
      program,
      inputs,
      { bounded, reassociate, passes, ...tilesFor(plan.seed), backends: ["js"] },
      coverage,
    );
    return lines.length === 0 ? [] : [`passes: ${passes.join(", ")}`, ...lines];
  }),
};

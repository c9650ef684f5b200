/**
 * Passes of one level may change places or be left out without changing what a program means: random
 * programs, compiled with random selections of the passes that the compiler lists, give the
 * interpreter's bits. GRIDFUSE_PASS_ORDERS raises their number.
 */
import { type Program, printProgram } from "@gridfuse/graph";
import { compile, lower, regionPasses, stepPasses } from "@gridfuse/passes";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { bounded } from "./support/kernel-faults.ts";
import { orderOf, orderPlans } from "./support/pass-orders.ts";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { buildGraph, graphPlans } from "./support/random-graph.ts";
import { buildKernel, kernelPlans } from "./support/random-kernel.ts";
import {
  type ComparisonOptions,
  disagreements,
  type Inputs,
  ownCopy,
  tilesFor,
} from "./support/three-way.ts";

const runs = runsOf("GRIDFUSE_PASS_ORDERS", 100);

function faultsOf(
  program: Program,
  inputs: Inputs,
  passes: readonly string[],
  options: ComparisonOptions,
): readonly string[] {
  const explain = (lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [`passes: ${passes.join(", ")}`, ...lines, printProgram(program)];
  try {
    return explain(disagreements(program, inputs, { ...options, passes, backends: ["js"] }));
  } catch (error) {
    return explain([(error as Error).stack ?? String(error)]);
  }
}

test(`${runs} random graphs through random passes`, { timeout: 60_000 + runs * 200 }, () => {
  expectNoFaults(fc.tuple(graphPlans(20), orderPlans), runs, ([plan, order]) => {
    const { program, inputs } = buildGraph(plan);
    return faultsOf(program, inputs, orderOf(order), {
      bounded: () => ({ exact: true }),
      ...tilesFor(plan.seed),
    });
  });
});

test(`${runs} random kernels through random passes`, { timeout: 60_000 + runs * 200 }, () => {
  expectNoFaults(fc.tuple(kernelPlans, orderPlans), runs, ([plan, order]) => {
    const { program, inputs } = buildKernel(plan);
    const reassociate = plan.reassociate && plan.style === "tame";
    return faultsOf(program, inputs, orderOf(order), {
      bounded,
      reassociate,
      ...tilesFor(plan.seed),
    });
  });
});

describe("an order of passes", () => {
  const names = [...regionPasses, ...stepPasses].map(({ name }) => name);
  const { program } = buildGraph(fc.sample(graphPlans(3), { numRuns: 1, seed: 1 })[0]!);
  const lowered = (chosen: readonly string[]) => lower(ownCopy(program), {}, chosen);

  it("is by default the order of the list", () => {
    expect(lowered(names).steps).toEqual(compile(program).steps);
  });

  it("has every required pass, each once, no level before the one below", () => {
    expect(() => lowered(names.filter((name) => name !== "discharge"))).toThrow(
      /GF3903.*"discharge" is required/s,
    );
    expect(() => lowered([...names.slice(0, 2), ...names.slice(1)])).toThrow(/named twice/);
    expect(() => lowered([...names, "teleport"])).toThrow(/no pass "teleport"/);
    expect(() => lowered([...names.slice(1, 2), ...names.slice(0, 1), ...names.slice(2)])).toThrow(
      /"re-roll" comes after "discharge"/,
    );
  });
});

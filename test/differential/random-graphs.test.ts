/**
 * Random graphs over all op categories: the interpreter, the plan on JS and the plan on WebAssembly give
 * the same bits. GRIDFUSE_RANDOM_GRAPHS raises the number of graphs.
 */
import { printProgram } from "@gridfuse/graph";
import { test } from "vitest";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { buildGraph, graphPlans } from "./support/random-graph.ts";
import { disagreements, tilesFor } from "./support/three-way.ts";

const runs = runsOf("GRIDFUSE_RANDOM_GRAPHS", 500);

test(`${runs} random graphs`, { timeout: 60_000 + runs * 200 }, () => {
  expectNoFaults(graphPlans(30), runs, (plan) => {
    const { program, inputs } = buildGraph(plan);
    const explain = (lines: readonly string[]): readonly string[] =>
      lines.length === 0 ? [] : [...lines, printProgram(program)];
    try {
      return explain(
        disagreements(program, inputs, {
          bounded: () => ({ exact: true }),
          ...tilesFor(plan.seed),
        }),
      );
    } catch (error) {
      return explain([(error as Error).stack ?? String(error)]);
    }
  });
});

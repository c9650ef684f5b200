/**
 * Random graphs as compiled C: the bits of the interpreter. There are few of them, because a compiler takes its
 * time; GRIDFUSE_RANDOM_NATIVE raises their number, and GRIDFUSE_BACKENDS=native runs the other comparisons this way.
 */
import { spawnSync } from "node:child_process";
import { graph, printProgram, tensor } from "@gridfuse/graph";
import { tensorOf } from "@gridfuse/interpret";
import { expect, test } from "vitest";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { buildGraph, graphPlans } from "./support/random-graph.ts";
import { disagreements, tilesFor } from "./support/three-way.ts";

const runs = runsOf("GRIDFUSE_RANDOM_NATIVE", 16);
const [compiler = "cc"] = (process.env.CC ?? "cc").split(" ");
const isThere = spawnSync(compiler, ["--version"]).status === 0;

test.skipIf(!isThere)(`${runs} random graphs with ${compiler}`, { timeout: runs * 10_000 }, () => {
  expectNoFaults(graphPlans(30), runs, (plan) => {
    const { program, inputs } = buildGraph(plan);
    const lines = disagreements(program, inputs, {
      backends: ["native"],
      bounded: () => ({ exact: true }),
      ...tilesFor(plan.seed),
    });
    return lines.length === 0 ? [] : [...lines, printProgram(program)];
  });
});

test.skipIf(!isThere)(
  "the first of the greatest of 257 short integers that lie three apart",
  () => {
    const { program } = graph({ x: tensor("int16", [257, 3]) }, ({ x }) => ({
      y: x.argmax({ axis: 0 }),
    }));
    const values = Array.from({ length: 257 * 3 }, (_, i) => ((i * 7919) % 997) - 500);
    const inputs = { x: tensorOf("int16", [257, 3], values) };
    expect(disagreements(program, inputs, { backends: ["native"] })).toEqual([]);
  },
);

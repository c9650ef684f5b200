/**
 * Tiling has to pay before it is done, so small programs never see it: here budgets are so small that every chain
 * that can be cut is cut, and cut again inside. The interpreter, JS and WebAssembly still give the same bits, and the
 * verifier's own proof of independent tiles holds.
 */
import { printProgram } from "@gridfuse/graph";
import { report, type TileBudget } from "@gridfuse/passes";
import type { Plan } from "@gridfuse/plan";
import { describe, expect, test } from "vitest";
import { faultsOfKernel } from "./support/kernel-faults.ts";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { buildGraph, graphPlans } from "./support/random-graph.ts";
import { type KernelPlan, kernelPlans } from "./support/random-kernel.ts";
import { disagreements } from "./support/three-way.ts";

const tiny: TileBudget = { bytes: 8, laneBytes: 1, leastBytes: 1, smallElements: 2 };
const runs = runsOf("GRIDFUSE_RANDOM_TILES", 200);

/** How many of the plans have what. */
class Counter {
  readonly counts: Map<string, number> = new Map();

  readonly add = (plan: Plan): void => {
    const { tiles, steps } = report(plan);
    const inTiles = new Set<string>();
    let depth = Number.POSITIVE_INFINITY;
    for (const step of steps) {
      if (step.depth <= depth) depth = step.kind === "tile" ? step.depth : Number.POSITIVE_INFINITY;
      if (step.depth > depth) inTiles.add(step.kind);
    }
    if (tiles.length > 0) this.#count("tile");
    if (tiles.some((tile) => tile.depth > 0)) this.#count("tile in tile");
    for (const kind of inTiles) this.#count(`${kind} in a tile`);
  };

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** A part of a part: rows of 5 in 13 blocks of 8, of which a guard on the whole says how far they go. */
const guardedRows: KernelPlan = {
  grid: [5, 1],
  inputs: [],
  outputs: [
    {
      dtype: "float32",
      dims: [
        { kind: "blocked", size: 4, map: "table", dice: [0, 0, 0, 0, 22, 1137, 0] },
        { kind: "blocked", size: 4, map: "constant", dice: [0, 0, 0, 0, 0, 22, 0] },
      ],
      ending: "overwrite",
      aliased: true,
      dice: [0, 0, 0, 0, 0, 0, 0],
    },
    {
      dtype: "float32",
      dims: [{ kind: "blocked", size: 4, map: "constant", dice: [0, 0, 0, 0, 0, 0, 0] }],
      ending: "online",
      aliased: false,
      dice: [1866, 0, 0, 0, 0, 0, 0],
    },
  ],
  scratch: [],
  body: [],
  fill: "zero",
  mapped: true,
  around: true,
  reassociate: false,
  seed: 0,
  style: "tame",
};

test("tiles within tiles keep to the part of the outer one", () => {
  const tiles: TileBudget = { bytes: 64, laneBytes: 32, leastBytes: 1, smallElements: 2 };
  expect(faultsOfKernel(guardedRows, undefined, { tiles })).toEqual([]);
});

describe("programs cut as finely as they can be", () => {
  const seen = new Counter();
  const options = { tiles: tiny, onPlan: seen.add };

  test(`${runs} random graphs`, { timeout: 60_000 + runs * 200 }, () => {
    expectNoFaults(graphPlans(30), runs, (plan) => {
      const { program, inputs } = buildGraph(plan);
      const explain = (lines: readonly string[]): readonly string[] =>
        lines.length === 0 ? [] : [...lines, printProgram(program)];
      try {
        const bounded = () => ({ exact: true }) as const;
        return explain(disagreements(program, inputs, { ...options, bounded }));
      } catch (error) {
        return explain([(error as Error).stack ?? String(error)]);
      }
    });
  });

  test(`${runs} random kernels`, { timeout: 60_000 + runs * 200 }, () => {
    expectNoFaults(kernelPlans, runs, (kernel) => faultsOfKernel(kernel, undefined, options));
  });

  test("among which every kind of step was cut", () => {
    const kinds = ["kernel", "copy", "dot", "sort", "topk", "loop"];
    const expected = ["tile", "tile in tile", ...kinds.map((kind) => `${kind} in a tile`)];
    expect(expected.filter((what) => !seen.counts.has(what))).toEqual([]);
  });
});

/** Plans that are shared give the same bits as plans that are not, by workers that leave nothing to chance. */
import { suite } from "@gridfuse/docs/examples";
import { compile } from "@gridfuse/passes";
import fc from "fast-check";
import { expect, it } from "vitest";
import { buildGraph, graphPlans } from "../differential/support/random-graph.ts";
import { buildKernel, kernelPlans } from "../differential/support/random-kernel.ts";
import { lowerVerified } from "../differential/support/three-way.ts";
import { compareMembers } from "./tame-crews.ts";

let opened = 0;
it.each(suite.map(({ name, small }) => ({ name, small })))("$name", ({ small }) => {
  opened += compareMembers(compile(small.graph()), small.inputs()).opened;
});

it("of examples is much that is shared", () => expect(opened).toBeGreaterThan(1000));

/** So small that every chain of steps that can be cut is cut, and cut again inside. */
const tiles = { bytes: 8, laneBytes: 1, leastBytes: 1, smallElements: 2 };

it("random graphs", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(graphPlans(20), (graph) => {
      const { program, inputs } = buildGraph(graph);
      compareMembers(lowerVerified(program), inputs);
      compareMembers(lowerVerified(program, { tiles }), inputs);
    }),
    { numRuns: 30, seed: 1 },
  );
});

it("random kernels, which print and loop", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(kernelPlans, (kernel) => {
      const { program, inputs } = buildKernel(kernel);
      compareMembers(lowerVerified(program), inputs);
      compareMembers(lowerVerified(program, { tiles }), inputs);
    }),
    { numRuns: 30, seed: 1 },
  );
});

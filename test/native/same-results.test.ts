/** A plan that went through a file with native code gives the same bits, and prints the same lines, as one without. */
import { suite } from "@gridfuse/docs/examples";
import { compileNative, cpu } from "@gridfuse/exec-cpu";
import { compile } from "@gridfuse/passes";
import { decodePlan, type Plan, type RunInputs } from "@gridfuse/plan";
import { encodePlan } from "@gridfuse/plan/encode";
import fc from "fast-check";
import { expect, it } from "vitest";
import { buildGraph, graphPlans } from "../differential/support/random-graph.ts";
import { buildKernel, kernelPlans } from "../differential/support/random-kernel.ts";
import { lowerVerified } from "../differential/support/three-way.ts";

interface Outcome {
  readonly results: Readonly<Record<string, readonly number[]>>;
  readonly lines: readonly string[];
  readonly error: unknown;
}

/** Bytes, so that NaNs are compared bit by bit. */
async function outcomeOf(plan: Plan, inputs: RunInputs): Promise<Outcome> {
  const lines: string[] = [];
  const executable = await (await cpu()).prepare(plan, { onPrint: (line) => lines.push(line) });
  try {
    const results = Object.entries(executable.runSync(inputs)).map(
      ([name, { buffer, byteOffset, byteLength }]) =>
        [name, [...new Uint8Array(buffer, byteOffset, byteLength)]] as const,
    );
    return { results: Object.fromEntries(results), lines, error: undefined };
  } catch (error) {
    return { results: {}, lines, error: (error as Error).message };
  }
}

async function compareThroughFile(plan: Plan, inputs: RunInputs): Promise<void> {
  const file = encodePlan(plan, { native: [await compileNative(plan)] });
  const trusted = decodePlan(file, { trust: "unsafe" });
  const executable = await (await cpu()).prepare(trusted);
  expect(executable.report().notes).toEqual(["native code from the plan file"]);
  const expected = await outcomeOf(plan, inputs);
  expect(await outcomeOf(trusted, inputs)).toEqual(expected);
  expect(await outcomeOf(decodePlan(file), inputs)).toEqual(expected);
  expect(encodePlan(trusted, { native: [await compileNative(trusted)] })).toEqual(file);
}

it.each(suite.map(({ name, small }) => ({ name, small })))("$name", async ({ small }) => {
  await compareThroughFile(compile(small.graph()), small.inputs());
});

it("random graphs", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(graphPlans(20), async (graph) => {
      const { program, inputs } = buildGraph(graph);
      await compareThroughFile(lowerVerified(program), inputs);
    }),
    { numRuns: 40, seed: 1 },
  );
});

it("random kernels, which print and loop", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(kernelPlans, async (kernel) => {
      const { program, inputs } = buildKernel(kernel);
      await compareThroughFile(lowerVerified(program), inputs);
    }),
    { numRuns: 40, seed: 1 },
  );
});

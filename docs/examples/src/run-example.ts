/**
 * Compiles, runs and checks one example of the suite in a process of its own, so that its compile time is
 * that of a fresh process: `node run-example.js "top-k"` prints one JSON line.
 */
import { compile, cpu, type PlanReport, report } from "gridfuse";
import { meetsExpectation } from "./expectations.ts";
import { suite } from "./kernels/index.ts";

export interface SuiteRow {
  readonly name: string;
  readonly gridPoints: number;
  readonly axes: PlanReport["axes"];
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly planKernels: number;
  readonly gridLoops: number;
  /** From the traced graph to the prepared executable. */
  readonly compileMs: number;
  /** Memory for intermediates: the arena of the plan. */
  readonly peakBytes: number;
  /** The results are right, and the plan is what the example expects. */
  readonly ok: boolean;
  readonly detail: string;
}

async function runExample(name: string): Promise<SuiteRow> {
  const example = suite.find((candidate) => candidate.name === name);
  if (example === undefined) throw new Error(`there is no example "${name}"`);
  const graph = example.graph();
  const inputs = example.inputs();
  const executor = await cpu();

  const start = performance.now();
  const plan = compile(graph);
  using executable = await executor.prepare(plan);
  const compileMs = performance.now() - start;

  const result = example.check(inputs, await executable.run(inputs));
  const facts = report(plan);
  const shape = meetsExpectation(facts, example.expects);
  const { gridPoints, axes, nodesBefore, nodesAfter, planKernels, gridLoops, peakBytes } = facts;
  return {
    name,
    gridPoints,
    axes,
    nodesBefore,
    nodesAfter,
    planKernels,
    gridLoops,
    compileMs,
    peakBytes,
    ok: result.ok && shape.ok,
    detail: shape.ok ? result.detail : `${result.detail}; ${shape.detail}`,
  };
}

console.log(JSON.stringify(await runExample(process.argv[2])));

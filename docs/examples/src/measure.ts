/**
 * Measures one example in a process of its own, so that its compile time and first run are those of a
 * fresh process: `node measure.js "sort 8×128"` prints one JSON line.
 */
import { compile, cpu, encodePlan, report } from "gridfuse";
import { examples } from "./examples.ts";
import { median } from "./statistics.ts";

export interface Row {
  readonly name: string;
  readonly gridPoints: number;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly planKernels: number;
  readonly gridLoops: number;
  /** From the traced graph to the prepared executable. */
  readonly compileMs: number;
  readonly firstRunMs: number;
  /** Median of later runs into the same outputs. */
  readonly runMs: number;
  readonly planBytes: number;
  readonly ok: boolean;
}

/** What the table shows beyond the rows of the JSON file. */
export interface Measured {
  readonly row: Row;
  /** Memory for intermediates: the arena of the plan. */
  readonly peakBytes: number;
  readonly detail: string;
}

const steadyRuns = { atLeast: 9, atMost: 200, budgetMs: 400 };

async function measure(name: string): Promise<Measured> {
  const example = examples.find((candidate) => candidate.name === name);
  if (example === undefined) throw new Error(`there is no example "${name}"`);
  const graph = example.graph();
  const inputs = example.inputs();
  const executor = await cpu();

  const start = performance.now();
  const plan = compile(graph);
  using executable = await executor.prepare(plan);
  const prepared = performance.now();
  const out = await executable.run(inputs);
  const first = performance.now();

  const { ok, detail } = example.check(inputs, out);
  const times: number[] = [];
  const until = performance.now() + steadyRuns.budgetMs;
  while (
    times.length < steadyRuns.atLeast ||
    (times.length < steadyRuns.atMost && performance.now() < until)
  ) {
    const before = performance.now();
    await executable.run(inputs, { out });
    times.push(performance.now() - before);
  }
  const again = example.check(inputs, out);

  const { gridPoints, nodesBefore, nodesAfter, planKernels, gridLoops, peakBytes } = report(plan);
  const row: Row = {
    name,
    gridPoints,
    nodesBefore,
    nodesAfter,
    planKernels,
    gridLoops,
    compileMs: prepared - start,
    firstRunMs: first - prepared,
    runMs: median(times),
    planBytes: encodePlan(plan).byteLength,
    ok: ok && again.ok,
  };
  return { row, peakBytes, detail: ok && !again.ok ? `later run: ${again.detail}` : detail };
}

console.log(JSON.stringify(await measure(process.argv[2])));

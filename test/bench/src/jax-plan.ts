/**
 * One exported program as a plan: `node jax-plan.js PROGRAM` imports, compiles, saves, loads with trust, runs, and prints
 * the times as JSON. What a process that ships the plan pays is `load`, `prepare` and the runs.
 */
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, compileNative, cpuSync, importJaxpr, loadPlan, savePlan } from "gridfuse";

const file = process.argv[2];
if (file === undefined) throw new Error("node jax-plan.js PROGRAM");
const times: { [part: string]: number } = {};

async function timed<T>(part: string, work: () => T | Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  times[`${part}_ms`] = performance.now() - started;
  return result;
}

const program = readFileSync(file);
const imported = await timed("import", () => importJaxpr(program));
const plan = await timed("compile", () => compile(imported));
const native = [await timed("native", () => compileNative(plan))];
const path = join(tmpdir(), `gridfuse-jax-${process.pid}.plan`);
try {
  await savePlan(path, plan, { native });
  const loaded = await timed("load", () => loadPlan(path, { trust: "unsafe" }));
  const executable = await timed("prepare", () => cpuSync().prepareSync(loaded));
  const inputs = Object.fromEntries(
    loaded.inputs.map(({ name }) => [name, executable.tensor(name)]),
  );
  const out = Object.fromEntries(loaded.outputs.map(({ name }) => [name, executable.tensor(name)]));
  const run = () => executable.runSync(inputs, { out });
  await timed("first", run);
  const rounds: number[] = [];
  const until = performance.now() + 700;
  while (rounds.length < 5 || (performance.now() < until && rounds.length < 200)) {
    const started = performance.now();
    run();
    rounds.push(performance.now() - started);
  }
  rounds.sort((a, b) => a - b);
  times.warm_ms = rounds[rounds.length >> 1] as number;
  times.cold_ms = (times.load_ms ?? 0) + (times.prepare_ms ?? 0) + (times.first_ms ?? 0);
} finally {
  rmSync(path, { force: true });
}
console.log(JSON.stringify(times));

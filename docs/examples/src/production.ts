/**
 * The production side of the demo: sorts rows of float32 from a file with a plan from a file.
 *
 *   node production.js sort.plan rows.f32 [trusted] > sorted.f32
 *
 * It loads plan files and an executor, one module; no compiler and no graph library. With `trusted` it vouches for
 * the file and runs the native code in it; without, the plan is verified and code is made from it. Timings go
 * to stderr as JSON. Nothing awaits outside of a function, so that a bundler can make one CommonJS file of it.
 */
import { cpu, loadPlan } from "@gridfuse/exec-cpu/runtime";

// Not imported: every name of a built-in module is looked up for an import, and behind `ReadStream` and `promises`
// Node loads all of its streams, which takes longer than everything below.
const { readFileSync, writeSync } = process.getBuiltinModule("node:fs");

/** Milliseconds; reading `performance` for the first time would cost some of what is measured. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

async function sortRows([planFile, rowsFile, trusted]: readonly string[]): Promise<void> {
  const x = new Float32Array(new Uint8Array(readFileSync(rowsFile)).buffer);

  const start = now();
  const plan = await loadPlan(planFile, trusted === "trusted" ? { trust: "unsafe" } : {});
  const loaded = now();
  const sort = await (await cpu()).prepare(plan);
  const prepared = now();
  const { sorted } = await sort.run({ x });
  const done = now();

  writeSync(1, new Uint8Array(sorted.buffer, sorted.byteOffset, sorted.byteLength));
  const timings = {
    loadMs: loaded - start,
    prepareMs: prepared - loaded,
    firstRunMs: done - prepared,
  };
  writeSync(2, JSON.stringify(timings));
  sort.dispose();
}

void sortRows(process.argv.slice(2));

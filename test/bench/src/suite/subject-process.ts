/** The process of a subject that is written in JavaScript: `node subject-process.js NAME`. */
import { readFileSync, writeFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import {
  type Job,
  Missing,
  type Reply,
  type Request,
  type Running,
  type StartJob,
} from "./subject.ts";
import type { Data } from "./works.ts";

const modules: Readonly<Record<string, () => Promise<{ readonly start: StartJob }>>> = {
  gridfuse: () => import("./subjects/gridfuse.ts"),
  "gridfuse-wide": () => import("./subjects/gridfuse-wide.ts"),
  "gridfuse-native": () => import("./subjects/gridfuse-native.ts"),
  "ort-node": () => import("./subjects/ort-node.ts"),
  "ort-web": () => import("./subjects/ort-web.ts"),
  "jax-js": () => import("./subjects/jax-js.ts"),
  "tfjs-wasm": () => import("./subjects/tfjs-wasm.ts"),
  js: () => import("./subjects/js.ts"),
  copy: () => import("./subjects/copy.ts"),
};

const warmUpMs = 250;
const reply = (message: Reply): void => {
  writeSync(3, `${JSON.stringify(message)}\n`);
};

const readFloats = (file: string): Data =>
  new Float32Array(new Uint8Array(readFileSync(file)).buffer);

async function begin(start: StartJob, job: Job): Promise<Running> {
  const inputs = Object.fromEntries(job.inputs.map(({ name, file }) => [name, readFloats(file)]));
  const before = performance.now();
  const running = await start(job, inputs);
  await running.run();
  const firstUs = (performance.now() - before) * 1000;
  const result = await running.result();
  writeFileSync(
    job.resultFile,
    new Uint8Array(result.buffer, result.byteOffset, result.byteLength),
  );
  // Until the machine has settled on its best code for it.
  const from = performance.now();
  let calls = 0;
  while ((performance.now() - from < warmUpMs || calls < 8) && performance.now() - from < 2000) {
    await running.run();
    calls++;
  }
  reply({ ready: { firstUs, callUs: (await timed(running, 1)) * 1 } });
  return running;
}

/** Microseconds: of the wall, or of the processors where `--cpu` asks for it. */
function clock(): number {
  if (process.env.GRIDFUSE_BENCH_CLOCK !== "cpu") return performance.now() * 1000;
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Microseconds of one call. */
async function timed(running: Running, calls: number): Promise<number> {
  const from = clock();
  const first = running.run();
  if (first instanceof Promise) {
    await first;
    for (let i = 1; i < calls; i++) await running.run();
  } else {
    for (let i = 1; i < calls; i++) running.run();
  }
  return (clock() - from) / calls;
}

const [name] = process.argv.slice(2);
const { start } = await modules[name as string]();
let current: Running | undefined;
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as Request;
  try {
    if ("start" in request) {
      current = undefined;
      current = await begin(start, request.start);
    } else {
      reply({ us: await timed(current as Running, request.time) });
    }
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    reply({ missing: error instanceof Missing ? why : `failed: ${why}` });
  }
}
process.exit();

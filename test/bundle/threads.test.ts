/** Threads from the bundle, whose names are short: what is sent to workers is still complete, and nobody waits for them. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, f32, graph, savePlan, tensor } from "gridfuse";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundle } from "../../packages/exec-cpu/bundle.mjs";

const folder = mkdtempSync(join(tmpdir(), "gridfuse-threads-"));
afterAll(() => rmSync(folder, { recursive: true }));

const length = 1 << 18;

beforeAll(async () => {
  const files = await bundle("src/runtime.ts", { pieces: true, conditions: ["@gridfuse/source"] });
  for (const { fileName, code } of files) writeFileSync(join(folder, fileName), code);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const plan = compile(graph({ x: tensor(f32, [length]) }, ({ x }) => ({ y: x.mul(2).sin() })));
  await savePlan(join(folder, "sine.plan"), plan);
}, 60_000);

/** What a process prints that has the bundle and the plan. */
function inProcess(body: string): string {
  const script = join(folder, "script.js");
  writeFileSync(
    script,
    `import { cpu, loadPlan } from "./runtime.js";
    const sine = await (await cpu({ threads: 2 })).prepare(await loadPlan("sine.plan"));
    const x = new Float32Array(${length}).fill(0.25);
    const words = new Int32Array(sine.tensor("x").buffer);
    /** Until a worker has done something. */
    async function together() {
      for (let round = 0; round < 2000; round++) {
        const { y } = await sine.run({ x });
        if (words[16] > 0) return y;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    ${body}`,
  );
  const { stdout, stderr, status } = spawnSync(process.execPath, [script], {
    cwd: folder,
    encoding: "utf8",
    timeout: 30_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

it.each([
  ["after one run, before there are workers", "console.log((await sine.run({ x })).y[7]);"],
  ["while workers start", "sine.runSync({ x }); console.log(sine.runSync({ x }).y[7]);"],
  ["while workers wait for more", "console.log((await together())[7]);"],
  ["by itself", "console.log((await together())[7]); process.exit(0);"],
  ["after everything was disposed of", "console.log((await together())[7]); sine.dispose();"],
])("a process ends %s", { timeout: 60_000 }, (_, body) => {
  expect(Number(inProcess(body))).toBeCloseTo(Math.sin(0.5), 6);
});

/**
 * The small runtime, built from the sources as the release is: what a trusted start loads is one file within a budget,
 * what verifies plans and makes code is not in it, and it works without any of the workspace around it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, compileNative, constant, f32, graph, savePlan, tensor } from "gridfuse";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundle } from "../../packages/exec-cpu/bundle.mjs";

/** Bytes of what is loaded to start a trusted plan, minified but for names. One byte over fails. */
const budget = 35_100;

const folder = mkdtempSync(join(tmpdir(), "gridfuse-bundle-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files: Awaited<ReturnType<typeof bundle>>;
beforeAll(async () => {
  files = await bundle("src/runtime.ts", { pieces: true, conditions: ["@gridfuse/source"] });
  for (const { fileName, code } of files) writeFileSync(join(folder, fileName), code);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const plan = compile(
    graph({ x: tensor(f32, [4]) }, ({ x }) => ({
      y: x.mul(2).add(constant(Float32Array.of(3, 1, 4, 1))),
    })),
  );
  await savePlan(join(folder, "layer.plan"), plan, { native: [await compileNative(plan)] });
}, 60_000);

const entry = (): (typeof files)[number] =>
  files.find(({ fileName }) => fileName === "runtime.js")!;

/** What `body` prints as JSON, in a process that has the bundle and the plan, and the files it loaded. */
function inProcess(body: string): unknown {
  const script = join(folder, "script.js");
  writeFileSync(script, `import * as runtime from "./runtime.js";\n${body}`);
  const { stdout, stderr, status } = spawnSync(process.execPath, [script], {
    cwd: folder,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout);
}

it("starts from one file within its budget", () => {
  expect(entry().imports).toEqual([]);
  expect(entry().code.length).toBeLessThanOrEqual(budget);
});

it("has what reads strangers' plans and what makes code in files of their own", () => {
  const others = files.filter((file) => file !== entry());
  const holding = (text: string): readonly string[] =>
    files.filter(({ code }) => code.includes(text)).map(({ fileName }) => fileName);
  expect(others.length).toBeGreaterThan(1);
  // A sentence of the verifier, one of the decoder, an instruction of the code generator.
  for (const text of ["not an earlier", "not in its shortest form", "i32x4.add"]) {
    expect(holding(text), text).not.toContain("runtime.js");
    expect(holding(text), text).toHaveLength(1);
  }
});

it("imports nothing of the host and makes no code from text", () => {
  const known = files.map(({ fileName }) => fileName);
  for (const { fileName, imports, code } of files) {
    expect(known, fileName).toEqual(expect.arrayContaining([...imports]));
    const unwanted = /\beval\(|new Function\b|\brequire\(/.exec(code);
    expect(unwanted?.[0], fileName).toBeUndefined();
  }
});

it("starts a trusted plan with none of the other files there", () => {
  for (const { fileName } of files) {
    if (fileName !== "runtime.js") rmSync(join(folder, fileName));
  }
  const said = inProcess(`
    const plan = await runtime.loadPlan("layer.plan", { trust: "unsafe" });
    const executable = await (await runtime.cpu()).prepare(plan);
    let looked;
    try { plan.steps } catch ({ name, code }) { looked = { name, code } }
    const { y } = executable.runSync({ x: Float32Array.of(1, 2, 3, 4) });
    console.log(JSON.stringify({ y: [...y], notes: executable.report().notes, looked }));`);
  for (const { fileName, code } of files) writeFileSync(join(folder, fileName), code);
  expect(said).toEqual({
    y: [5, 5, 10, 9],
    notes: ["native code from the plan file"],
    looked: { name: "PlanUndecoded", code: "GF4016" },
  });
});

it("loads the rest when a plan is not trusted, or looked into", () => {
  expect(
    inProcess(`
    const trusted = await runtime.loadPlan("layer.plan", { trust: "unsafe" });
    const whole = await runtime.decoded(trusted);
    const results = [];
    for (const [plan, backend] of [[await runtime.loadPlan("layer.plan"), "auto"], [whole, "wasm"], [trusted, "js"]]) {
      const executable = await (await runtime.cpu({ backend })).prepare(plan);
      const { y } = await executable.run({ x: Float32Array.of(1, 2, 3, 4) });
      results.push([...y, executable.report().backend]);
    }
    console.log(JSON.stringify({ results, steps: trusted.steps.length === whole.steps.length }));`),
  ).toEqual({
    results: [
      [5, 5, 10, 9, "wasm-simd"],
      [5, 5, 10, 9, "wasm-simd"],
      [5, 5, 10, 9, "js"],
    ],
    steps: true,
  });
});

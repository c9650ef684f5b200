// What a host other than the tests' Node has to do: compile and run every example with the same bits, share work between
// threads, read plan files with the small runtime, and fail as it should. Runs on what `npm run build` made.
//
//   HOST test/hosts/smoke.mjs FILE     the first host writes the digests of its results to FILE, others compare theirs
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "@gridfuse/docs/examples/kernels";
import { loadPlan, cpu as runtimeCpu } from "@gridfuse/exec-cpu/runtime";
import { compile, compileNative, cpu, f32, GridfuseError, graph, savePlan, tensor } from "gridfuse";

const [file] = process.argv.slice(2);
assert(file !== undefined, "say where the digests are");

/** @param {ArrayBufferView} view */
async function digest({ buffer, byteOffset, byteLength }) {
  const bytes = Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength));
  return Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
}

async function examples() {
  const executor = await cpu();
  /** @type {Record<string, string[]>} */
  const digests = {};
  for (const { name, small } of suite) {
    const inputs = small.inputs();
    const executable = await executor.prepare(compile(small.graph()));
    const outputs = await executable.run(inputs);
    assert(small.check(inputs, outputs).ok, name);
    digests[name] = await Promise.all(Object.values(outputs).map(digest));
    executable.dispose();
  }
  if (existsSync(file)) assert.deepEqual(digests, JSON.parse(readFileSync(file, "utf8")));
  else writeFileSync(file, JSON.stringify(digests));
}

const rows = compile(
  graph({ x: tensor(f32, [512, 512]) }, ({ x }) => ({
    y: x.sin().div(x.sin().sum({ axis: 1, keepDims: true })),
  })),
);
const x = Float32Array.from({ length: 512 * 512 }, (_, i) => (i % 997) / 31);
const expected = await digest((await (await (await cpu()).prepare(rows)).run({ x })).y);

async function threads() {
  const shared = await (await cpu({ threads: 2 })).prepare(rows);
  // The words of the team lie at the start of the memory; the 16th counts the parts that workers took.
  const words = new Int32Array(shared.tensor("x").buffer);
  const end = Date.now() + 20_000;
  while (words[16] === 0 && Date.now() < end) {
    assert.equal(await digest((await shared.run({ x })).y), expected);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert(words[16] > 0, "no worker did anything");
  shared.dispose();
}

async function planFiles() {
  const folder = mkdtempSync(join(tmpdir(), "gridfuse-host-"));
  try {
    const path = join(folder, "rows.plan");
    await savePlan(path, rows, { native: [await compileNative(rows)] });
    for (const trust of /** @type {const} */ ([undefined, "unsafe"])) {
      const executable = await (await runtimeCpu()).prepare(
        await loadPlan(path, trust && { trust }),
      );
      assert.equal(await digest((await executable.run({ x })).y), expected);
    }
    const damaged = readFileSync(path);
    damaged[damaged.length - 40] ^= 1;
    await assert.rejects(loadPlan(damaged), { name: "PlanCorrupt" });
    await assert.rejects(loadPlan(join(folder, "none.plan")), { code: "GF4013" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function errors() {
  const executable = await (await cpu()).prepare(rows);
  await assert.rejects(executable.run({ z: x }), { code: "GF1002" });
  const broken = () =>
    graph({ x: tensor(f32, [2]), y: tensor(f32, [3]) }, (given) => ({
      // @ts-expect-error shapes that do not fit are an error of types, too
      z: given.x.add(given.y),
    }));
  assert.throws(broken, (error) => {
    assert(error instanceof GridfuseError);
    assert.match(error.message, /\[2\].*\[3\]/);
    assert.match(error.at?.file ?? "", /smoke\.mjs$/);
    return true;
  });
}

await examples();
await threads();
await planFiles();
await errors();
const { deno, bun, node } = process.versions;
const host = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}`;
console.log(`${host}: ${suite.length} examples, threads, plan files, errors`);

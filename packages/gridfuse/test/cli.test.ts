import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { f32, irVersion, type Plan } from "@gridfuse/plan";
import { encodePlan, planId } from "@gridfuse/plan/encode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { smallPlan } from "../../plan/test/sample-plans.ts";
import { commands, main } from "../src/main.ts";
import { encodeNpy, parseNpy, tensorOf } from "../src/npy.ts";
import { styleFor } from "../src/terminal.ts";
import { gridfuse, workFolder } from "./support/cli.ts";

const folder = workFolder();
afterAll(() => folder.remove());
const at = (name: string): string => join(folder.path, name);

/** Refused before the user's module is imported, which needs a process of its own. */
const isRefusedUnread = (code: string): boolean => code === "GF6001" || code === "GF6002";

/** Runs a command in this process. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const lines = { out: [] as string[], err: [] as string[] };
  const code = await main(args, {
    out: (line) => lines.out.push(line),
    err: (line) => lines.err.push(line),
    style: styleFor({}, false),
  });
  return { code, out: lines.out.join("\n"), err: lines.err.join("\n") };
}

const layer = `
import { f32, graph, tensor, type Tensor } from "gridfuse";
import { twice } from "./parts/twice.ts";
export default graph({ x: tensor(f32, [2, 3]) }, ({ x }) => ({ y: twice(x as Tensor) }), { name: "layer" });
export const named = graph({ x: tensor(f32, ["n"]) }, ({ x }) => ({ y: x.add(1) }), { name: "named" });
export const other = 1;
`;
const twice = `
import type { Tensor } from "gridfuse";
interface Unused { readonly a: number }
export function twice<T extends Tensor>(x: T): Tensor { return x.mul(2 satisfies number); }
`;

beforeAll(() => {
  mkdirSync(at("parts"));
  writeFileSync(at("layer.ts"), layer);
  writeFileSync(at("parts/twice.ts"), twice);
  writeFileSync(at("small.plan"), encodePlan(smallPlan()));
  writeFileSync(at("x.npy"), encodeNpy("float32", [2, 4], Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8)));
});

describe("gridfuse", () => {
  it("without a command, or with a wrong one, explains itself and exits with 2", async () => {
    expect(await run()).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("inspect"),
    });
    expect(await run("inspct")).toMatchObject({ code: 2, err: expect.stringContaining("GF6001") });
    expect(await run("--help")).toMatchObject({ code: 0, out: expect.stringContaining("doctor") });
    expect((await run("--version")).out).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it.each(commands.map(({ name }) => name))("%s --help lists its options", async (name) => {
    const { code, out } = await run(name, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`gridfuse ${name}`);
    expect(out).toContain("--json");
  });

  it.each([
    ["an unknown option", ["inspect", "--colour", "x"]],
    ["too many arguments", ["inspect", "a", "b"]],
    ["too few", ["run"]],
    ["a compile without output", ["compile", "layer.ts"]],
    ["an option without its value", ["compile", "layer.ts", "-o"]],
  ])("exits with 2 for %s", async (_name, args) => {
    expect(await run(...args)).toMatchObject({ code: 2, err: expect.stringContaining("GF6001") });
  });

  it("says what it was given too much of", async () => {
    const { err } = await run("run", "a.plan", "x=a.npy");
    expect(err).toContain("run takes PLAN, and was given a.plan x=a.npy");
  });

  it("runs as a process: output, errors and exit codes", async () => {
    const good = await gridfuse(["inspect", at("small.plan")]);
    expect(good).toMatchObject({ code: 0, stderr: "" });
    expect(good.stdout).toContain("double_add");
    const bad = await gridfuse(["inspect", at("missing.plan")], { env: { FORCE_COLOR: "1" } });
    expect(bad).toMatchObject({ code: 1, stdout: "" });
    expect(bad.stderr).toContain("\u001b[31m");
    const piped = await gridfuse(["inspect", "-", "--json"], {
      stdin: encodePlan(smallPlan()),
      env: { FORCE_COLOR: "1", NO_COLOR: "1" },
    });
    expect(JSON.parse(piped.stdout)).toMatchObject({ ok: true, name: "small" });
  });
});

describe("gridfuse compile", () => {
  it("compiles TypeScript with relative imports, in a process of its own", async () => {
    const done = await gridfuse(["compile", "layer.ts", "-o", "layer.plan", "--json"], {
      cwd: folder.path,
    });
    expect(done).toMatchObject({ code: 0 });
    expect(JSON.parse(done.stdout)).toMatchObject({ ok: true, report: { name: "layer" } });
    const x = encodeNpy("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    writeFileSync(at("layer.npy"), x);
    const ran = await run("run", at("layer.plan"), "-i", at("layer.npy"), "-o", at("y.npy"));
    expect(ran).toMatchObject({ code: 0, out: "y  float32[2, 3]  2, 4, 6, 8, 10, 12" });
    const y = tensorOf(parseNpy(readFileSync(at("y.npy")), "y"), "float32", "y");
    expect([...y.data]).toEqual([2, 4, 6, 8, 10, 12]);
  });

  it("adds native code, which run uses if it is told to trust the file", async () => {
    const done = await gridfuse(["compile", "layer.ts", "-o", "native.plan", "--native"], {
      cwd: folder.path,
    });
    expect(done).toMatchObject({ code: 0 });
    const x = encodeNpy("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    writeFileSync(at("layer.npy"), x);
    const line = ["run", at("native.plan"), "-i", at("layer.npy"), "--json"];
    const notes = async (...more: string[]): Promise<unknown> =>
      JSON.parse((await run(...line, ...more)).out).report.notes;
    expect(await notes("--trust", "unsafe")).toEqual(["native code from the plan file"]);
    expect(await notes()).toEqual([expect.stringContaining("without trust")]);
    expect(await run(...line, "--trust", "blind")).toMatchObject({
      err: expect.stringContaining("GF4015"),
    });
    const { out } = await run("inspect", at("native.plan"), "--json");
    expect(JSON.parse(out).file.sections).toContainEqual(
      expect.objectContaining({ name: "WASM", critical: false }),
    );
  });

  it("takes a named export, sizes of dims, and explains", async () => {
    const args = [
      "compile",
      "layer.ts",
      "-o",
      "named.plan",
      "--export",
      "named",
      "--dim",
      "n=5",
      "--explain",
    ];
    const done = await gridfuse(args, { cwd: folder.path });
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('plan "named"') });
    const { out } = await run("inspect", at("named.plan"), "--json");
    expect(JSON.parse(out).inputs).toEqual([
      { name: "x", dtype: f32, shape: [5], buffer: expect.any(Number) },
    ]);
  });

  it("compiles a kernel, prints its passes and writes a page about them", async () => {
    writeFileSync(
      at("kernel.ts"),
      `import { f32, kernel, tensor } from "gridfuse";
      const each = tensor(f32, [8]).blocks([2], ({ i }) => [i]);
      export const twice = kernel("twice", { grid: { i: 4 }, inputs: { x: each }, outputs: { y: each } },
        ({ x, y }) => y.set(x.get().mul(2)));`,
    );
    const page = at("twice.html");
    const args = ["compile", at("kernel.ts"), "-o", at("twice.plan"), "--explain", "--html", page];
    const { code, stdout } = await gridfuse(args, { cwd: folder.path });
    expect(code).toBe(0);
    expect(stdout).toMatch(/pass +time +before → after/);
    expect(stdout).toMatch(/vectorise-grid +\d+\.\d\d ms +\d+ → \d+ nodes?/);
    expect(stdout).toMatch(/fuse +\d+\.\d\d ms +\d+ nodes? → \d+ steps?/);
    expect(stdout).toContain("axis twice.i (4): parallel");
    expect(readFileSync(page, "utf8")).toContain("<h1>twice</h1>");
  });

  it.each([
    ["an export that is no graph", ["layer.ts", "--export", "other"], "GF6004", 1],
    ["a dim without its size", ["layer.ts", "--export", "named"], "GF3001", 1],
    ["a size that is none", ["layer.ts", "--dim", "n=many"], "GF6001", 2],
    ["a module that is not there", ["none.ts"], "GF6002", 1],
    ["a module with a syntax error", ["broken.ts"], "GF6003", 1],
    ["a module with an enum", ["enum.ts"], "GF6003", 1],
    ["a module that throws", ["throws.mjs"], "GF6003", 1],
  ])("says what is wrong with %s", async (_name, args, code, exit) => {
    writeFileSync(at("broken.ts"), "export default const;");
    writeFileSync(at("enum.ts"), "export enum A { B }");
    writeFileSync(at("throws.mjs"), "throw new Error('on purpose')");
    const line = ["compile", at(args[0]!), ...args.slice(1), "-o", at("x.plan")];
    const { stderr, ...done } = isRefusedUnread(code)
      ? await run(...line).then(({ err, ...rest }) => ({ ...rest, stderr: err }))
      : await gridfuse(line);
    expect(stderr).toContain(code);
    expect(done.code).toBe(exit);
  });

  it("says where a module threw", async () => {
    writeFileSync(at("throws.mjs"), "const shape = undefined;\nexport default shape.length;");
    const { stderr } = await gridfuse(["compile", at("throws.mjs"), "-o", at("x.plan")]);
    expect(stderr).toMatch(/it parsed, and then threw a TypeError at .*throws\.mjs:2:22/);
  });
});

describe("gridfuse inspect", () => {
  it("shows ports, memory, steps, sections and the id", async () => {
    const { code, out } = await run("inspect", at("small.plan"));
    expect(code).toBe(0);
    for (const part of [
      planId(smallPlan()),
      "float32[2, 4]",
      "exact",
      "PLAN",
      "CNST",
      "double_add",
    ]) {
      expect(out).toContain(part);
    }
  });

  it("exits with 3 for a damaged file", async () => {
    const bytes = encodePlan(smallPlan());
    bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
    writeFileSync(at("damaged.plan"), bytes);
    expect(await run("inspect", at("damaged.plan"))).toMatchObject({
      code: 3,
      err: expect.stringContaining("GF4003"),
    });
  });

  it("still shows the container of a plan that does not verify, as text and JSON", async () => {
    writeFileSync(at("unsound.plan"), unsoundPlan());
    const shown = await run("inspect", at("unsound.plan"));
    expect(shown).toMatchObject({ code: 3, err: expect.stringContaining("rule V14") });
    expect(shown.out).toContain("PLAN");
    const { out } = await run("inspect", at("unsound.plan"), "--json");
    expect(JSON.parse(out)).toMatchObject({ ok: false, error: { code: "GF4010", rule: "V14" } });
  });
});

describe("gridfuse run", () => {
  const expected = [3, 6, 9, 12, 15, 18, 21, 24];

  it("reads inputs, writes outputs and says how it ran", async () => {
    const done = await run(
      "run",
      at("small.plan"),
      "-i",
      `x=${at("x.npy")}`,
      "-o",
      `y=${at("out.npy")}`,
      "--json",
    );
    expect(done.code).toBe(0);
    expect(JSON.parse(done.out)).toMatchObject({ ok: true, report: { executor: "cpu" } });
    const y = tensorOf(parseNpy(readFileSync(at("out.npy")), "y"), "float32", "y");
    expect([...y.data]).toEqual(expected);
  });

  it.each([
    ["no input", [], "GF6001", 2],
    ["an input that the plan does not have", ["-i", "z=a.npy"], "GF6001", 2],
    ["an input without its name's file", ["-i", "x="], "GF6001", 2],
    ["an input given twice", ["-i", "x=a", "-i", "x=b"], "GF6001", 2],
    ["an executor that does not exist", ["-i", "x=X", "--executor", "abacus"], "GF6001", 2],
    ["a file that is not there", ["-i", "x=none.npy"], "GF6002", 1],
    ["a file that is no array", ["-i", "x=PLAN"], "GF6010", 1],
    ["another dtype", ["-i", "x=INTS"], "GF6012", 1],
    ["another shape", ["-i", "x=SHORT"], "GF1", 1],
    [
      "an output that cannot be written",
      ["-i", "x=X", "-o", "y=no/such/folder/y.npy"],
      "GF6002",
      1,
    ],
  ])("says what is wrong with %s", async (_name, args, code, exit) => {
    writeFileSync(at("ints.npy"), encodeNpy("int32", [2, 4], new Int32Array(8)));
    writeFileSync(at("short.npy"), encodeNpy("float32", [2, 3], new Float32Array(6)));
    const files: Record<string, string> = {
      X: "x.npy",
      PLAN: "small.plan",
      INTS: "ints.npy",
      SHORT: "short.npy",
    };
    const given = args.map((arg) =>
      arg.replace(/=([A-Z]+)$/, (_all, name) => `=${at(files[name]!)}`),
    );
    const done = await run("run", at("small.plan"), ...given);
    expect(done.err).toContain(code);
    expect(done.code).toBe(exit);
  });

  it("exits with 3 when the plan does not verify", async () => {
    writeFileSync(at("unsound.plan"), unsoundPlan());
    expect((await run("run", at("unsound.plan"), "-i", at("x.npy"))).code).toBe(3);
  });

  it("notes that NumPy has no bfloat16", async () => {
    writeFileSync(at("bf16.plan"), encodePlan(bf16Copy()));
    writeFileSync(at("bf16.npy"), encodeNpy("bfloat16", [2], Uint16Array.of(0x3f80, 0xc000)));
    const done = await run("run", at("bf16.plan"), "-i", at("bf16.npy"), "-o", at("bf16-out.npy"));
    expect(done).toMatchObject({
      code: 0,
      out: "y  bfloat16[2]  1, -2",
      err: expect.stringContaining("uint16"),
    });
    expect(readFileSync(at("bf16-out.npy"), "latin1")).toContain("'<u2'");
  });
});

describe("gridfuse doctor", () => {
  it("says what the machine offers", async () => {
    const { code, out } = await run("doctor", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      node: process.version,
      wasm: { simd: true, threads: true },
      cache: { mode: expect.any(String) },
    });
    expect((await run("doctor")).out).toContain(process.version);
  });

  it("lists what of a program from JAX does not import", async () => {
    const eqns = [
      { p: "io_callback", m: "core", i: [0], o: [[1, 0]], loc: 0 },
      { p: "neg", i: [1], o: [[2, 0]] },
    ];
    const jaxpr = { in: [[0, 0]], out: [2], eqns };
    const program = { format: "pallas-ir/1", main: 0, avals: [{ s: [4], d: "f32" }] };
    const text = JSON.stringify({ ...program, jaxprs: [jaxpr], locs: ["model.py:3:f"] });
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    writeFileSync(
      at("model.gfjx"),
      Buffer.concat([Buffer.from("GFJX"), length, Buffer.from(text)]),
    );
    const { code, out } = await run("doctor", "--jaxpr", at("model.gfjx"));
    expect(code).toBe(1);
    expect(out).toContain("1 unknown:");
    expect(out).toContain("core:io_callback (1 equation)");
    expect(out).toContain("at model.py:3:f");
  });
});

/** A file in good order whose plan never writes its output. */
function unsoundPlan(): Uint8Array {
  return encodePlan({ ...smallPlan(), steps: [] });
}

function bf16Copy(): Plan {
  const dtype = "bfloat16";
  const zero = { k: "const", value: 0, lo: 0, hi: 0, key: "0" } as const;
  return {
    ir: irVersion,
    name: "copy",
    requirements: { dtypes: [dtype], steps: ["copy"] },
    inputs: [{ name: "x", dtype, shape: [2], buffer: 0 }],
    outputs: [{ name: "y", dtype, shape: [2], buffer: 1, exact: true }],
    buffers: [
      { kind: "input", dtype, length: 2 },
      { kind: "output", dtype, length: 2 },
    ],
    constants: [],
    arenaBytes: 0,
    steps: [
      { kind: "copy", name: "c", dtype, length: 2, from: 0, fromIndex: zero, to: 1, toIndex: zero },
    ],
  };
}

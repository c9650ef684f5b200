import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as gridfuse from "gridfuse";
import { describe, expect, it } from "vitest";
import { codeTables } from "../src/codes.ts";

const packages = fileURLToPath(new URL("../../", import.meta.url));

const sources = readdirSync(packages).flatMap((name) => {
  const folder = join(packages, name, "src");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".ts")).map((file) => join(folder, file));
});

describe("the facade", () => {
  it("has the words that everybody uses", () => {
    const words = [
      "kernel",
      "graph",
      "vmap",
      "compile",
      "report",
      "savePlan",
      "loadPlan",
      "cpu",
      "webgpu",
      "tensor",
      "vmem",
      "when",
      "dot",
      "f32",
    ];
    for (const word of words) expect(gridfuse).toHaveProperty(word);
  });

  it("compiles, runs, saves and loads what it exports", async () => {
    const { compile, cpu, decodePlan, encodePlan, f32, graph, tensor } = gridfuse;
    const plan = compile(graph({ x: tensor(f32, [3]) }, ({ x }) => ({ y: x.add(x) })));
    using executable = await (await cpu()).prepare(decodePlan(encodePlan(plan)));
    const { y } = await executable.run({ x: Float32Array.of(1, 2, 3) });
    expect([...y!]).toEqual([2, 4, 6]);
  });
});

describe("error codes", () => {
  it("belong to one package each", () => {
    const all = codeTables.flatMap((table) => Object.keys(table));
    expect(all.filter((code, i) => all.indexOf(code) !== i)).toEqual([]);
  });

  it("say what happened, why, and what to do", () => {
    for (const [code, { title, cause, fix }] of Object.entries(gridfuse.codes)) {
      expect(code).toMatch(/^GF[1-69]\d{3}$/);
      for (const text of [title, cause, fix]) expect(text.length, code).toBeGreaterThan(5);
    }
  });

  it("are all in the table", () => {
    const missing = sources
      .filter((file) => !file.endsWith("error-codes.ts"))
      .flatMap((file) => {
        const used = readFileSync(file, "utf8").match(/(?<=")GF\d{4}(?=")/g) ?? [];
        return used
          .filter((code) => !(code in gridfuse.codes))
          .map((code) => `${code} ${file.slice(packages.length)}`);
      });
    expect(missing).toEqual([]);
  });
});

/**
 * `backend: "native"`: compiled C gives the bits of WebAssembly, alone or in a team, says what it lacks, and what it kept is
 * used again only while it is sound. Skipped where there is no C compiler.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Plan, StorageArray } from "@gridfuse/plan";
import { add, axis, constant, mul } from "@gridfuse/plan/index-expr";
import { math, type ScalarBuilder } from "@gridfuse/plan/scalar";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { CpuOptions } from "../src/index.ts";
import { cpu, cpuSync } from "../src/index.ts";
import { elements, randomWords } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

// Compilers take their time on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const [compiler = "cc"] = (process.env.CC ?? "cc").split(" ");
const isThere = spawnSync(compiler, ["--version"]).status === 0 && process.platform !== "win32";

const cache = mkdtempSync(join(tmpdir(), "gridfuse-native-"));
beforeEach(() => {
  vi.unstubAllEnvs();
  vi.stubEnv("GRIDFUSE_CACHE_DIR", cache);
  vi.stubEnv("GRIDFUSE_CACHE", "");
});
afterAll(() => rmSync(cache, { recursive: true }));

const numbers = (length: number, seed = 7): Float32Array<ArrayBuffer> => {
  const next = randomWords(seed);
  return Float32Array.from({ length }, () => ((next() | 0) / 2 ** 31) * 8);
};

/** Elementwise functions with slow sides, sums along and across rows, an extreme, a product and a sort. */
function everything(rows: number, columns: number): Plan {
  const p = new PlanBuilder();
  const length = rows * columns;
  const x = p.input("x", "float32", [length]);
  const at = axis(0, length);
  const y = p.output("y", "float32", [length]);
  p.map([length], (s) => {
    const value = s.load("float32", x, at, [], zeroBits);
    return [write(y, "float32", at, s.mul(math.exp(s, value), math.sin(s, value)))];
  });
  for (const [name, index, outer, inner] of [
    ["along", add(mul(axis(0, rows), columns), axis(1, columns)), rows, columns],
    ["across", add(mul(axis(1, rows), columns), axis(0, columns)), columns, rows],
  ] as const) {
    const sum = p.output(`sum ${name}`, "float32", [outer]);
    const place = p.output(`place ${name}`, "int32", [outer]);
    p.kernel(
      [outer],
      [
        stage([inner], (s) => {
          const value = s.load("float32", x, index, [], zeroBits);
          return {
            reductions: [
              { op: "add", dtype: "float32", value: s.mul(value, value) },
              { op: "argmax", dtype: "int32", value },
            ],
          };
        }),
        stage([], (s) => ({
          writes: [
            write(sum, "float32", axis(0, outer), s.reduced("float32", 0, 0)),
            write(place, "int32", axis(0, outer), s.reduced("int32", 0, 1)),
          ],
        })),
      ],
    );
  }
  const product = p.output("product", "float32", [rows * rows]);
  const zero = constant(0);
  p.step({
    ...{ kind: "dot", name: "dot", dtype: "float32", accumulate: "float32" },
    ...{ lhsDType: "float32", rhsDType: "float32", batch: [], m: [rows], n: [rows], k: [columns] },
    lhs: { buffer: x, base: zero, batch: [], free: [columns], contract: [1] },
    rhs: { buffer: x, base: zero, batch: [], free: [columns], contract: [1] },
    out: { buffer: product, base: zero, batch: [], free: [rows, 1], contract: [] },
  });
  const sorted = p.output("sorted", "float32", [length]);
  p.step({
    ...{ kind: "sort", name: "sort", outer: rows, extent: columns, inner: 1, keys: 1 },
    ...{ dtypes: ["float32"], inputs: [x], sources: [0], outputs: [sorted] },
  });
  return p.build("everything");
}

async function results(
  plan: Plan,
  x: StorageArray,
  options: CpuOptions,
): Promise<Record<string, readonly string[]>> {
  using executable = await (await cpu(options)).prepare(plan);
  executable.runSync({ x });
  const again = executable.runSync({ x });
  return Object.fromEntries(
    plan.outputs.map(({ name, dtype }) => [name, elements(dtype, again[name] as StorageArray)]),
  );
}

describe.skipIf(!isThere)(`with ${compiler}`, () => {
  test.each([
    [40, 700],
    [3, 256],
    [130, 31],
    [40, 9],
    [3, 16],
    [1, 1],
  ])(
    "a plan over %i × %i gives the bits of WebAssembly, on any number of threads",
    async (rows, columns) => {
      const plan = everything(rows, columns);
      const x = numbers(rows * columns);
      const expected = await results(plan, x, { backend: "wasm" });
      for (const threads of [1, 3]) {
        expect(await results(plan, x, { backend: "native", threads })).toEqual(expected);
      }
    },
  );

  test("prepare and run refuse options that there are not", async () => {
    const plan = everything(2, 8);
    const native = await cpu({ backend: "native" });
    await expect(native.prepare(plan, { onprogress: 1 } as never)).rejects.toThrow("GF1017");
    using executable = await native.prepare(plan);
    expect(() => executable.runSync({ x: numbers(16) }, { output: {} } as never)).toThrow("GF1017");
  });

  test("fast precision is close, and the same beside points that need a slow side", async () => {
    const plan = everything(4, 1000);
    const x = numbers(4000);
    const mixed = x.map((value, i) => (i % 700 === 300 ? 1e9 : value));
    const options = { backend: "native", precision: "fast" } as const;
    const [exact, alone, beside] = [
      await results(plan, x, { backend: "native" }),
      await results(plan, x, options),
      await results(plan, mixed, options),
    ];
    for (const [i, value] of (exact.y as string[]).entries()) {
      const error = Math.abs(Number(alone.y?.[i]) - Number(value));
      expect(error).toBeLessThanOrEqual(2 ** -20 * Math.abs(Number(value)) + 2 ** -22);
    }
    const kept = (y: readonly string[] | undefined) => y?.filter((_, i) => i % 700 !== 300);
    expect(kept(beside.y)).toEqual(kept(alone.y));
  });

  test("a product over nothing is zero", async () => {
    const p = new PlanBuilder();
    const [x, y] = [p.input("x", "float32", [2, 0]), p.output("y", "float32", [2, 2])];
    const operand = { buffer: x, base: constant(0), batch: [], free: [0], contract: [1] };
    p.step({
      ...{ kind: "dot", name: "dot", dtype: "float32", accumulate: "float32", batch: [] },
      ...{ lhsDType: "float32", rhsDType: "float32", m: [2], n: [2], k: [0] },
      ...{ lhs: operand, rhs: operand },
      out: { buffer: y, base: constant(0), batch: [], free: [2, 1], contract: [] },
    });
    const nothing = new Float32Array(0);
    const { y: sums } = await results(p.build(), nothing, { backend: "native" });
    expect(sums).toEqual(["0", "0", "0", "0"]);
  });

  test.each([
    [15, 5],
    [3, 300],
  ])(
    "exponentials that are summed and used again belong to their own row: %i × %i",
    async (rows, length) => {
      const p = new PlanBuilder();
      const [x, y] = [
        p.input("x", "float32", [rows, length]),
        p.output("y", "float32", [rows, length]),
      ];
      const at = rowMajor([rows, length]);
      const power = (s: ScalarBuilder) => math.exp(s, s.load("float32", x, at, [], zeroBits));
      p.kernel(
        [rows],
        [
          stage([length], (s) => ({
            reductions: [{ op: "add", dtype: "float32", value: power(s) }],
          })),
          stage([length], (s) => {
            const share = s.binary("div", power(s), s.reduced("float32", 0, 0));
            return { writes: [write(y, "float32", at, share)] };
          }),
        ],
      );
      const plan = p.build();
      const input = numbers(rows * length);
      expect(await results(plan, input, { backend: "native" })).toEqual(
        await results(plan, input, { backend: "wasm" }),
      );
    },
  );

  const doubling = (times = 1): Plan => {
    const p = new PlanBuilder();
    const [x, y] = [p.input("x", "float32", [3]), p.output("y", "float32", [3])];
    p.map([3], (s) => {
      let value = s.load("float32", x, axis(0, 3), [], zeroBits);
      for (let i = 0; i < times; i += 1) value = s.add(value, value);
      return [write(y, "float32", axis(0, 3), value)];
    });
    return p.build("doubling");
  };

  test("the report says what runs", async () => {
    const executable = await (await cpu({ backend: "native" })).prepare(doubling());
    expect(executable.report()).toMatchObject({
      executor: "cpu",
      backend: "native",
      threads: 1,
      steps: [{ name: "kernel", kind: "kernel", how: "C, lanes across points" }],
    });
  });

  test("lines are printed in order, and what a callback throws ends the run", async () => {
    const p = new PlanBuilder();
    const x = p.input("x", "int32", []);
    const print = { kind: "print", name: "print", format: "{}", batch: 1 } as const;
    p.step({ ...print, operands: [{ buffer: x, dtype: "int32", shape: [] }] });
    const lines: string[] = [];
    const executable = await (await cpu({ backend: "native" })).prepare(p.build(), {
      onPrint: (line) => {
        if (line === "13") throw new RangeError("unlucky");
        lines.push(line);
      },
    });
    executable.runSync({ x: 1 });
    expect(() => executable.runSync({ x: 13 })).toThrow("unlucky");
    executable.runSync({ x: 2 });
    expect(lines).toEqual(["1", "2"]);
  });

  test("a loop out of fuel fails the run and leaves the executable usable", async () => {
    const p = new PlanBuilder();
    const [go, y] = [p.input("go", "bool", []), p.output("y", "int32", [])];
    p.map([], (s) => [write(y, "int32", constant(0), s.const("int32", 5))]);
    p.step({
      ...{ kind: "while", name: "forever", predicate: go, condition: [], fuel: 1000 },
      body: [],
    });
    const executable = await (await cpu({ backend: "native", maxFuel: 10 })).prepare(p.build());
    expect(() => executable.runSync({ go: true })).toThrow(/GF5010.*10 iterations/);
    expect(executable.runSync({ go: false }).y).toEqual(Int32Array.of(5));
  });

  describe("what is kept", () => {
    /** As a process would that has loaded nothing yet. */
    async function afresh(plan: Plan): Promise<unknown> {
      vi.resetModules();
      const { nativeCpu } = await import("../src/c/executor.ts");
      const executable = await nativeCpu({}).prepare(plan);
      return executable.runSync({ x: Float32Array.of(1, 2, 3) }).y;
    }
    const kept = (): string[] => readdirSync(`${cache}/native-v1`);

    test("is loaded without a compiler where it is only read; what is damaged is made again", async () => {
      rmSync(`${cache}/native-v1`, { recursive: true, force: true });
      await afresh(doubling());
      expect(kept().map((name) => name.replace(/^.*\./, ""))).toEqual(["node", "sum"]);
      vi.stubEnv("PATH", "/nowhere");
      vi.stubEnv("GRIDFUSE_CACHE", "ro");
      expect(await afresh(doubling())).toEqual(Float32Array.of(2, 4, 6));
      const [code] = kept().filter((name) => name.endsWith(".node"));
      // Not the file that is loaded: another of that name.
      rmSync(`${cache}/native-v1/${code}`);
      writeFileSync(`${cache}/native-v1/${code}`, "damaged");
      await expect(afresh(doubling())).rejects.toMatchObject({ code: "GF5013" });
      vi.unstubAllEnvs();
      vi.stubEnv("GRIDFUSE_CACHE_DIR", cache);
      expect(await afresh(doubling())).toEqual(Float32Array.of(2, 4, 6));
    });

    test("does not grow beyond GRIDFUSE_CACHE_MAX_MB: what was used least recently goes, with its digest", async () => {
      rmSync(`${cache}/native-v1`, { recursive: true, force: true });
      await afresh(doubling());
      const [first] = kept() as [string];
      const long = new Date(Date.now() - 7_200_000);
      for (const name of kept()) utimesSync(`${cache}/native-v1/${name}`, long, long);
      writeFileSync(`${cache}/native-v1/left.1.tmp`, "by a process that was killed");
      utimesSync(`${cache}/native-v1/left.1.tmp`, long, long);
      await afresh(doubling(2));
      // Two programs with a digest each; nobody waits for the killed one any more.
      expect(kept()).toHaveLength(4);
      vi.stubEnv("GRIDFUSE_CACHE_MAX_MB", "0.02");
      await afresh(doubling(3));
      expect(kept()).not.toContain(first);
      expect(kept().filter((name) => name.endsWith(".node")).length).toBeLessThan(3);
      expect(kept().filter((name) => name.endsWith(".sum"))).toHaveLength(
        kept().filter((name) => name.endsWith(".node")).length,
      );
    });

    test("is nothing where GRIDFUSE_CACHE is off, or where the directory is anybody's", async () => {
      const before = kept();
      vi.stubEnv("GRIDFUSE_CACHE", "off");
      await afresh(doubling());
      expect(kept()).toEqual(before);
      const open = mkdtempSync(join(tmpdir(), "gridfuse-open-"));
      spawnSync("mkdir", ["-m", "777", `${open}/native-v1`]);
      vi.stubEnv("GRIDFUSE_CACHE", "");
      vi.stubEnv("GRIDFUSE_CACHE_DIR", open);
      vi.resetModules();
      const { nativeCpu } = await import("../src/c/executor.ts");
      const executable = await nativeCpu({}).prepare(doubling());
      expect(executable.report().notes).toEqual([expect.stringMatching(/others may write to it/)]);
      expect(readdirSync(`${open}/native-v1`)).toEqual([]);
      rmSync(open, { recursive: true });
    });

    test("a compiler that fails, or that there is not, is an error with its words", async () => {
      const fresh = everything(2, 3);
      vi.stubEnv("CC", "cc -no-such-option");
      await expect(afresh(fresh)).rejects.toMatchObject({
        code: "GF5014",
        notes: expect.arrayContaining([expect.stringMatching(/no-such-option/)]),
      });
      vi.stubEnv("CC", "no-such-compiler");
      await expect(afresh(fresh)).rejects.toMatchObject({
        code: "GF5013",
        received: "no-such-compiler",
      });
    });
  });
});

test("without a compiler cpu rejects at once, so that another backend can take its place", async () => {
  vi.stubEnv("PATH", "");
  await expect(cpu({ backend: "native" })).rejects.toMatchObject({
    code: "GF5013",
    received: "cc",
  });
  const executor = await cpu({ backend: "native" }).catch(() => cpu());
  const executable = await executor.prepare(everything(2, 3));
  expect(executable.report().backend).toBe("wasm-simd");
});

test("cpuSync refuses what would have to be loaded, and unknown options are refused as ever", async () => {
  expect(() => cpuSync({ backend: "native" })).toThrow(/GF5013.*await cpu/s);
  const options = { backend: "native", threads: 65 } as const;
  await expect(cpu(options)).rejects.toMatchObject({ code: "GF5007" });
});

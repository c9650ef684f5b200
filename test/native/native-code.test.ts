/**
 * Native code in plan files: who trusts a file runs the code in it and gets the same bits; who does not, or whose
 * gridfuse is another, gets them from the plan; what is not sound is refused and never run.
 */

import fc from "fast-check";
import {
  type CpuExecutable,
  compile,
  compileNative,
  constant,
  cpu,
  cpuSync,
  decoded,
  decodePlan,
  encodePlan,
  f32,
  graph,
  type Plan,
  PlanError,
  planId,
  tensor,
} from "gridfuse";
import { beforeAll, describe, expect, it } from "vitest";
import { type FunctionBuilder, ModuleBuilder } from "../../packages/exec-cpu/src/wasm/module.ts";
import { close, edited, type Opened, open, paired, withOtherPlan, withSection } from "./files.ts";

const scaled = (factor: number): Plan =>
  compile(
    graph({ x: tensor(f32, [3, 5]) }, ({ x }) => ({
      y: x.mul(factor).add(constant(Float32Array.of(7, 1, 2, 5, 4))),
    })),
  );

const x = Float32Array.from({ length: 15 }, (_, i) => i - 7);
const nativeFile = async (plan: Plan): Promise<Uint8Array> =>
  encodePlan(plan, { native: [await compileNative(plan)] });

const start = async (file: Uint8Array): Promise<CpuExecutable> =>
  (await cpu()).prepare(decodePlan(file, { trust: "unsafe" }));

let plan: Plan;
let file: Uint8Array;
let expected: Record<string, unknown>;
beforeAll(async () => {
  plan = scaled(2);
  file = await nativeFile(plan);
  expected = cpuSync().prepareSync(plan).runSync({ x });
});

describe("a trusted file", () => {
  it("of fast precision runs where that is asked for, and only there", async () => {
    const native = [await compileNative(plan, { precision: "fast" })];
    const bytes = encodePlan(plan, { native });
    const notesOf = (precision: "exact" | "fast"): readonly string[] => {
      const executable = cpuSync({ precision }).prepareSync(decodePlan(bytes, { trust: "unsafe" }));
      expect(executable.runSync({ x })).toEqual(
        cpuSync({ precision }).prepareSync(plan).runSync({ x }),
      );
      return executable.report().notes;
    };
    expect(notesOf("fast")).toContain("native code from the plan file");
    if (native[0]?.features.includes("relaxed-simd") === true)
      expect(notesOf("exact").join()).toContain('it needs "relaxed-simd"');
  });

  it("runs its code and says so", async () => {
    const executable = await start(file);
    expect(executable.runSync({ x })).toEqual(expected);
    expect(executable.report()).toMatchObject({
      backend: "wasm-simd",
      arenaBytes: plan.arenaBytes,
      steps: cpuSync().prepareSync(plan).report().steps,
      notes: ["native code from the plan file"],
    });
    expect(
      cpuSync()
        .prepareSync(decodePlan(file, { trust: "unsafe" }))
        .runSync({ x }),
    ).toEqual(expected);
  });

  it("runs the code, not what the plan says: that is what trust means", async () => {
    const forged = edited(file, (opened) => {
      opened.code = open(fileOf3).code;
    });
    expect((await start(forged)).runSync({ x })).toEqual(tripled);
    expect(cpuSync().prepareSync(decodePlan(forged)).runSync({ x })).toEqual(expected);
  });

  it("shows its ports at once and its steps when somebody looks", async () => {
    const trusted = decodePlan(file, { trust: "unsafe" });
    const { inputs, outputs, name, arenaBytes } = plan;
    expect(trusted).toMatchObject({ inputs, outputs, name, arenaBytes });
    expect(encodePlan(trusted)).toEqual(encodePlan(plan));
    expect(planId(await decoded(trusted))).toBe(planId(plan));
    expect(await decoded(plan)).toBe(plan);
  });

  it("is still verified when somebody looks", async () => {
    const trusted = decodePlan(unsoundFile(), { trust: "unsafe" });
    expect(trusted.name).toBe(plan.name);
    expect(() => trusted.steps).toThrow(PlanError);
  });

  it("gives a plan without code to whoever copies and changes it", () => {
    const copy = { ...decodePlan(file, { trust: "unsafe" }), name: "mine" };
    expect(cpuSync().prepareSync(copy).report().notes).toEqual([]);
  });

  it("keeps within the caller's limits", () => {
    expect(() => decodePlan(file, { trust: "unsafe", limits: { bytes: 100 } })).toThrow(
      expect.objectContaining({ code: "GF4012" }),
    );
    const trusted = decodePlan(file, { trust: "unsafe" });
    expect(() => cpuSync({ maxBytes: 500 }).prepareSync(trusted)).toThrow(
      expect.objectContaining({ code: "GF5001" }),
    );
  });

  it("has the id of its content, and its code that of the portable part", () => {
    decodePlan(file, { trust: "unsafe", checkId: true });
    expect(open(file).header.plan).toBe(planId(plan));
    const lying = edited(file, ({ header }) => {
      header.plan = header.plan.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    });
    expect(() => decodePlan(lying, { trust: "unsafe", checkId: true })).toThrow(/V21/);
  });
});

describe("native code is left alone, and the report says why,", () => {
  const unused = async (bytes: Uint8Array): Promise<string> => {
    const executable = await start(bytes);
    expect(executable.runSync({ x })).toEqual(expected);
    expect(executable.report().notes).toHaveLength(1);
    return executable.report().notes[0]!;
  };
  const onlyPart = ({ header }: Opened): Opened["header"]["parts"][number] => header.parts[0]!;

  it.each<[string, (opened: Opened) => void, RegExp]>([
    ["from another producer", ({ header }) => (header.producer = "gridfuse 0.0.9"), /0\.0\.9/],
    ["of another IR version", ({ header }) => header.ir++, /IR version/],
    ["of another code generator", (opened) => onlyPart(opened).codegen++, /code generator/],
    ["for another executor", (opened) => (onlyPart(opened).executor = "gpu"), /none is for cpu/],
    ["with other features", (opened) => onlyPart(opened).features.push("fp16"), /"fp16"/],
    ["of other bytes of PLAN", ({ header }) => header.sections[0]!.crc--, /another plan/],
    ["of a longer PLAN", ({ header }) => header.sections[0]!.bytes++, /another plan/],
    ["of a plan without constants", ({ header }) => header.sections.pop(), /another plan/],
  ])("%s", async (_name, change, reason) => {
    expect(await unused(edited(file, change))).toMatch(reason);
  });

  it("of another plan", async () => {
    expect(await unused(paired(file, fileOf3))).toMatch(/another plan/);
  });

  it("without trust, whatever is in the section", () => {
    for (const bytes of [file, withSection(file, new Uint8Array(7))]) {
      const executable = cpuSync().prepareSync(decodePlan(bytes));
      expect(executable.runSync({ x })).toEqual(expected);
      expect(executable.report().notes).toEqual([
        "native code was not used: the plan was loaded without trust",
      ]);
    }
  });

  it("on the JS backend, or where loops must end sooner", async () => {
    const trusted = decodePlan(file, { trust: "unsafe" });
    const js = await (await cpu({ backend: "js" })).prepare(trusted);
    expect(js.runSync({ x })).toEqual(expected);
    expect(js.report()).toMatchObject({ backend: "js", notes: [/js backend/] });
    const looping = edited(file, (opened) => {
      onlyPart(opened).detail.whiles.push({ name: "loop", fuel: 100 });
    });
    const hasty = cpuSync({ maxFuel: 99 }).prepareSync(decodePlan(looping, { trust: "unsafe" }));
    expect(hasty.report().notes).toEqual([expect.stringMatching(/maxFuel/)]);
  });
});

describe("code that is not sound is refused:", () => {
  /** A module that would do something if it ever started. */
  function moduleOf(build: (module: ModuleBuilder) => unknown, pages = 1): Uint8Array {
    const module = new ModuleBuilder();
    build(module);
    return module.encode(pages);
  }
  function plain(module: ModuleBuilder, imported?: string): FunctionBuilder {
    if (imported !== undefined) module.import(imported, [], []);
    const run = module.define([], []);
    module.export("run", run);
    return run;
  }
  const withSectionOf = (id: number, content: readonly number[], code: Uint8Array): Uint8Array =>
    Uint8Array.of(...code.subarray(0, 8), id, content.length, ...content, ...code.subarray(8));

  it.each<[string, Uint8Array]>([
    ["nothing", new Uint8Array(0)],
    ["what is no module", new Uint8Array(100).fill(7)],
    ["an import of its own", moduleOf((m) => plain(m, "fetch"))],
    ["a function in place of the memory", withoutMemory()],
    ["a larger memory", moduleOf((m) => plain(m), 2)],
    ["a smaller memory", moduleOf((m) => plain(m), 0)],
    ["no export", moduleOf((m) => m.define([], []))],
    ["another export", moduleOf((m) => m.export("main", m.define([], [])))],
    ["two exports", moduleOf((m) => m.export("more", plain(m)))],
    ["a table", tableModule()],
  ])("%s", async (_name, code) => {
    const bytes = edited(file, (opened) => {
      opened.code = code;
    });
    await expect(start(bytes)).rejects.toMatchObject({ name: "PlanInvalid", rule: "V21" });
    expect(() => cpuSync().prepareSync(decodePlan(bytes, { trust: "unsafe" }))).toThrow(/V21/);
    expect(cpuSync().prepareSync(decodePlan(bytes)).runSync({ x })).toEqual(expected);
  });

  it("cut off anywhere", async () => {
    const { length } = open(file).code;
    for (let kept = 0; kept < length; kept += 1 + Math.floor(length / 60)) {
      const cut = edited(file, (opened) => {
        opened.code = opened.code.subarray(0, kept);
      });
      await expect(start(cut), `${kept} of ${length}`).rejects.toMatchObject({ rule: "V21" });
    }
  });

  it("custom sections are nobody's business", async () => {
    const named = edited(file, (opened) => {
      opened.code = withSectionOf(0, [4, 110, 97, 109, 101], opened.code);
    });
    expect((await start(named)).runSync({ x })).toEqual(expected);
  });

  it.each<[string, (opened: Opened) => void]>([
    ["a port without a place", ({ header }) => header.parts[0]!.detail.places.shift()],
    [
      "a place beyond the memory",
      ({ header }) => (header.parts[0]!.detail.places[0]!.address = 65_504),
    ],
    ["a place that is not aligned", ({ header }) => header.parts[0]!.detail.places[0]!.address++],
    ["a place of another length", ({ header }) => header.parts[0]!.detail.places[0]!.length--],
    [
      "a constant that is not there",
      ({ header }) => (header.parts[0]!.detail.constants[0]!.index = 9),
    ],
    [
      "a constant beyond it",
      ({ header }) => (header.parts[0]!.detail.constants[0]!.address = 65_530),
    ],
    ["no parts", ({ header }) => ((header as { parts: unknown }).parts = {})],
    ["4 GiB and more", ({ header }) => (header.parts[0]!.detail.pages = 70_000)],
  ])("%s", async (_name, change) => {
    const bytes = changedHeader(change);
    await expect(start(bytes)).rejects.toMatchObject({ name: "PlanInvalid", rule: "V21" });
  });

  it("no header of any kind leads to anything but a typed error or a run", async () => {
    const { length } = close(open(file));
    const section = close(open(file));
    await fc.assert(
      fc.asyncProperty(fc.nat(length - open(file).code.length - 1), fc.nat(255), async (at, to) => {
        const damaged = section.slice();
        damaged[at] = to;
        try {
          (await start(withSection(file, damaged))).dispose();
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^GF/) });
        }
      }),
      { numRuns: 300 },
    );
  });

  function changedHeader(change: (opened: Opened) => void): Uint8Array {
    const opened = open(file);
    const { code } = opened;
    change(opened);
    const parts = opened.header.parts;
    if (Array.isArray(parts)) return withSection(file, close({ header: opened.header, code }));
    const text = new TextEncoder().encode(JSON.stringify(opened.header));
    const content = new Uint8Array(4 + text.length);
    new DataView(content.buffer).setUint32(0, text.length, true);
    content.set(text, 4);
    return withSection(file, content);
  }

  /** Imports a function named as the memory, so that the section looks right from a distance. */
  function withoutMemory(): Uint8Array {
    const name = (text: string): number[] => [text.length, ...new TextEncoder().encode(text)];
    const imported = [1, ...name("env"), ...name("memory"), 0, 0];
    return Uint8Array.of(
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[1, 4, 1, 0x60, 0, 0],
      ...[2, imported.length, ...imported],
      ...[7, 7, 1, ...name("run"), 0, 0],
    );
  }

  /** The code with a table between its functions and its exports. */
  function tableModule(): Uint8Array {
    const code = moduleOf((m) => plain(m));
    let at = 8;
    while (code[at]! < 4) at += 2 + code[at + 1]!;
    const table = [4, 4, 1, 0x70, 0, 1];
    return Uint8Array.of(...code.subarray(0, at), ...table, ...code.subarray(at));
  }
});

describe("trust", () => {
  it.each(["signed", "local-cache", "", "UNSAFE", true, {}])("%j is not had", (trust) => {
    expect(() => decodePlan(file, { trust: trust as never })).toThrow(
      expect.objectContaining({ name: "PlanUntrusted", code: "GF4015" }),
    );
    expect(() => decodePlan(encodePlan(plan), { trust: trust as never })).toThrow(/GF4015/);
  });

  it("of a file without code changes nothing", () => {
    const executable = cpuSync().prepareSync(decodePlan(encodePlan(plan), { trust: "unsafe" }));
    expect(executable.report().notes).toEqual([]);
  });
});

it("a plan cannot be saved with the code of another", async () => {
  const native = [await compileNative(scaled(3))];
  expect(() => encodePlan(plan, { native })).toThrow(expect.objectContaining({ code: "GF4017" }));
  const again = decodePlan(encodePlan(plan));
  expect(encodePlan(plan, { native: [await compileNative(again)] })).toEqual(file);
});

let fileOf3: Uint8Array;
let tripled: Record<string, unknown>;
beforeAll(async () => {
  fileOf3 = await nativeFile(scaled(3));
  tripled = cpuSync().prepareSync(scaled(3)).runSync({ x });
});

/** A file whose PLAN does not verify, with native code that says it belongs to exactly that. */
function unsoundFile(): Uint8Array {
  for (let at = 20; ; at++) {
    const bytes = withOtherPlan(file, at);
    try {
      decodePlan(bytes);
    } catch {
      return bytes;
    }
  }
}

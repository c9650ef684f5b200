import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { encodePlan, planId, savePlan } from "../src/encode.ts";
import type { FileSystem } from "../src/host.ts";
import {
  decodePlan,
  describePlanFile,
  f32,
  loadPlan,
  type Plan,
  PlanFileError,
  PlanInvalid,
} from "../src/index.ts";
import * as index from "../src/index-expr/expr.ts";
import { writeAtomically } from "../src/save.ts";
import { version } from "../src/version.ts";
import { planFromWire, planToWire } from "../src/wire/records.ts";
import { everythingPlan, largePlan, load, smallPlan } from "./sample-plans.ts";

const directory = mkdtempSync(join(tmpdir(), "gridfuse-save-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("encodePlan", () => {
  it.each([
    ["small", smallPlan()],
    ["everything", everythingPlan()],
    ["large", largePlan()],
  ])("is undone by decodePlan: %s", (_name, plan) => {
    expect(decodePlan(encodePlan(plan), { checkId: true })).toEqual(plan);
  });

  it("gives the same bytes for the same plan, whatever the order of its keys", () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
      const entries = Object.entries(value).reverse();
      return Object.fromEntries(entries.map(([key, item]) => [key, reversed(item)]));
    };
    const plan = everythingPlan();
    const { origins } = plan.debug!;
    const shuffled = reversed(plan) as Plan;
    const same = { ...shuffled, debug: { ...shuffled.debug!, origins } };
    expect(encodePlan(same)).toEqual(encodePlan(plan));
  });

  it("gives the same bytes however long the compiler took", () => {
    const plan = everythingPlan();
    const passes = [{ name: "fuse", ms: 3.25, nodes: 3 }];
    const slow = { ...plan, debug: { ...plan.debug!, compileMs: 12.5, passes } };
    expect(encodePlan(slow)).toEqual(encodePlan(plan));
  });

  it("writes each index expression once and no bounds", () => {
    const plan = largePlan(60);
    const nodes = plan.steps.reduce(
      (n, s) => n + (s.kind === "kernel" ? s.stages[0]!.nodes.length : 0),
      0,
    );
    expect(nodes).toBe(2400);
    expect(encodePlan(plan).length).toBeLessThan(nodes * 8);
  });

  it.each<[string, (plan: Plan) => unknown]>([
    ["a field that is not known", (plan) => ({ ...plan, colour: "red" })],
    ["a field that is missing", ({ name: _name, ...plan }) => plan],
    ["a step kind that is not known", (plan) => ({ ...plan, steps: [{ kind: "jump", name: "" }] })],
    [
      "a dtype that is not known",
      (plan) => ({ ...plan, requirements: { dtypes: ["f8"], steps: [] } }),
    ],
    ["a length that is no integer", (plan) => ({ ...plan, arenaBytes: 1.5 })],
    [
      "a constant without its bytes",
      (plan) => ({ ...plan, constants: [{ dtype: f32, length: 8 }] }),
    ],
  ])("refuses %s with a path", (_name, change) => {
    const plan = change(smallPlan()) as Plan;
    expect(() => encodePlan(plan)).toThrow(PlanInvalid);
  });
});

describe("describePlanFile", () => {
  it("lists the sections, in order, with who wrote them", () => {
    const bytes = encodePlan(everythingPlan());
    const { sections, producer, id, version: layout } = describePlanFile(bytes);
    expect(sections.map(({ name }) => name)).toEqual(["META", "PLAN", "CIDX", "CNST", "DBG"]);
    expect(sections.every(({ offset }) => offset % 256 === 0)).toBe(true);
    expect({ producer, id, layout }).toEqual({
      producer: `gridfuse ${version}`,
      id: planId(everythingPlan()),
      layout: "1.0",
    });
  });
});

describe("planId", () => {
  it("is what the file carries", () => {
    const bytes = encodePlan(everythingPlan());
    expect(planId(everythingPlan())).toBe(Buffer.from(bytes.subarray(32, 64)).toString("hex"));
  });

  it("leaves debug information out", () => {
    const { debug: _debug, ...bare } = everythingPlan();
    expect(planId(bare)).toBe(planId(everythingPlan()));
    expect(encodePlan(everythingPlan(), { debug: false })).toEqual(encodePlan(bare));
  });

  it("changes with a constant's last bit and with a name", () => {
    const plan = smallPlan();
    const data = plan.constants[0]!.data.slice();
    data[31] = data[31]! ^ 1;
    const ids = [
      plan,
      { ...plan, constants: [{ dtype: f32, length: 8, data }] },
      { ...plan, name: "n" },
    ];
    expect(new Set(ids.map(planId)).size).toBe(3);
  });
});

describe("savePlan", () => {
  it("writes what loadPlan reads, and leaves nothing else behind", async () => {
    const path = join(directory, "a.plan");
    await savePlan(path, everythingPlan());
    await savePlan(path, smallPlan());
    expect(await loadPlan(path)).toEqual(smallPlan());
    expect(readdirSync(directory)).toEqual(["a.plan"]);
    expect([...readFileSync(path)]).toEqual([...encodePlan(smallPlan())]);
  });

  it("says why it could not", async () => {
    await expect(savePlan(join(directory, "no/such/x.plan"), smallPlan())).rejects.toThrow(
      PlanFileError,
    );
  });

  it("does not write a plan that would not load", async () => {
    const broken = { ...smallPlan(), steps: [] };
    await expect(savePlan(join(directory, "b.plan"), broken)).rejects.toThrow(PlanInvalid);
    expect(readdirSync(directory)).not.toContain("b.plan");
  });

  it("never leaves a partial file under the name, wherever writing fails", () => {
    const calls = ["openSync", "writeSync", "fsyncSync", "closeSync", "renameSync"] as const;
    for (const failing of calls) {
      const log: string[] = [];
      const step =
        (name: string, result: unknown = undefined) =>
        () => {
          log.push(name);
          if (name === failing) throw Object.assign(new Error(name), { code: "ENOSPC" });
          return result;
        };
      const files = {
        openSync: step("openSync", 3),
        writeSync: step("writeSync", 4),
        fsyncSync: step("fsyncSync"),
        closeSync: step("closeSync"),
        renameSync: step("renameSync"),
        unlinkSync: step("unlinkSync"),
      } as unknown as FileSystem;
      expect(() => writeAtomically(files, "x", new Uint8Array(4), { durable: true })).toThrow(
        failing,
      );
      expect(log.at(-1), failing).toBe("unlinkSync");
      expect(log.indexOf("renameSync") === -1 || failing === "renameSync").toBe(true);
    }
  });
});

describe("index expressions in a file", () => {
  const axes = [7, 16, 3, 64];
  const leaf = fc.oneof(
    fc.nat(3).map((i) => index.axis(i, axes[i]!)),
    fc.integer({ min: -40, max: 200 }).map(index.constant),
    fc.nat(2).map((i) => index.loop(i, i + 4)),
  );
  const { expr } = fc.letrec<{ expr: index.IndexExpr }>((tie) => ({
    expr: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.tuple(tie("expr"), tie("expr")).map(([a, b]) => index.add(a, b)),
      fc.tuple(tie("expr"), fc.integer({ min: -9, max: 9 })).map(([a, f]) => index.mul(a, f)),
      fc.tuple(tie("expr"), fc.integer({ min: 1, max: 32 })).map(([a, d]) => index.floordiv(a, d)),
      fc.tuple(tie("expr"), fc.integer({ min: 1, max: 32 })).map(([a, d]) => index.mod(a, d)),
      fc.tuple(tie("expr"), tie("expr")).map(([a, b]) => index.min(a, b)),
      fc.tuple(tie("expr"), tie("expr")).map(([a, b]) => index.max(a, b)),
      fc
        .tuple(tie("expr"), tie("expr"))
        .filter(([a, b]) => a.lo >= 0 && b.lo >= 0)
        .map(([a, b]) => index.xor(a, b)),
      fc
        .tuple(tie("expr"), tie("expr"))
        .filter(([a, b]) => a.lo >= 0 && b.lo >= 0)
        .map(([a, b]) => index.and(a, b)),
    ),
  }));

  const planWith = (expressions: readonly index.IndexExpr[]): Plan => {
    const plan = smallPlan();
    const nodes = expressions.map((e) => load(f32, 0, e));
    const write = { buffer: 1, dtype: f32, index: index.zero, guard: [], value: 0 };
    const stage = { axes: [], nodes, reductions: [], writes: [write] };
    return { ...plan, steps: [{ kind: "kernel", name: "k", axes, stages: [stage] }] };
  };

  it("come back with the same bounds and keys, as the constructors would make them", () => {
    fc.assert(
      fc.property(fc.array(expr, { minLength: 1, maxLength: 6 }), (expressions) => {
        const plan = planWith(expressions);
        const { constants: _constants, ...body } = plan;
        const read = planFromWire(planToWire(plan));
        expect(read).toEqual(body);
        for (const e of expressions) {
          const rebuilt = index.substitute(e, (found) => found);
          expect(rebuilt.key).toBe(e.key);
        }
      }),
    );
  });

  it("are refused where a key would grow beyond all bounds", () => {
    let e: index.IndexExpr = index.axis(0, 7);
    for (let i = 0; i < 14; i++) {
      e = index.min(index.add(e, index.mul(index.floordiv(e, 3), 2)), index.constant(50 + i));
    }
    expect(() => planFromWire(planToWire(planWith([e])))).toThrow(
      expect.objectContaining({ code: "GF4012" }),
    );
  });
});

describe("the version", () => {
  it("is package.json's", () => {
    const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(version).toBe(manifest.version);
  });
});

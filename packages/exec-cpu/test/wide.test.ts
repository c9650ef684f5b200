/** `simd: "wide"`: the bits of narrow vectors, or a reason why not. V8 joins vectors only from Node 24 on. */
import type { Plan } from "@gridfuse/plan";
import { add, axis, constant, mul } from "@gridfuse/plan/index-expr";
import { math } from "@gridfuse/plan/scalar";
import { describe, expect, test } from "vitest";
import { compilePlan } from "../src/codegen/driver.ts";
import { cpu, cpuSync } from "../src/index.ts";
import { elements, randomWords } from "./compare.ts";
import { PlanBuilder, rowMajor, write, zeroBits } from "./plan-builder.ts";

const joins = process.arch === "x64" && Number.parseInt(process.versions.v8, 10) >= 13;

function functions(length: number): Plan {
  const p = new PlanBuilder();
  const [x, y] = [p.input("x", "float32", [length]), p.output("y", "float32", [length])];
  p.map([length], (s) => {
    const value = s.load("float32", x, axis(0, length), [], zeroBits);
    return [write(y, "float32", axis(0, length), s.mul(math.exp(s, value), math.sin(s, value)))];
  });
  return p.build();
}

function product(m: number, n: number, k: number): Plan {
  const p = new PlanBuilder();
  const [x, y] = [p.input("x", "float32", [m, k]), p.output("y", "float32", [m, n])];
  const b = p.temporary("float32", k * n);
  p.map([k, n], (s) => {
    const place = s.index("int32", add(mul(axis(0, k), 3), axis(1, n)));
    return [write(b, "float32", rowMajor([k, n]), s.convert(place, "float32"))];
  });
  p.step({
    ...{ kind: "dot", name: "dot", dtype: "float32", accumulate: "float32" },
    ...{ lhsDType: "float32", rhsDType: "float32", batch: [], m: [m], n: [n], k: [k] },
    lhs: { buffer: x, base: constant(0), batch: [], free: [k], contract: [1] },
    rhs: { buffer: b, base: constant(0), batch: [], free: [1], contract: [n] },
    out: { buffer: y, base: constant(0), batch: [], free: [n, 1], contract: [] },
  });
  return p.build();
}

const plans = [
  ["functions of 5000", functions(5000)],
  ["functions of 7", functions(7)],
  ["a product of 64 × 48 × 30", product(64, 48, 30)],
  ["a product of 37 × 51 × 9", product(37, 51, 9)],
] as const;

const inputFor = ({ inputs }: Plan): Float32Array<ArrayBuffer> => {
  const length = inputs[0]?.shape.reduce((a, b) => a * b, 1) ?? 0;
  const next = randomWords(5);
  return Float32Array.from({ length }, () => ((next() | 0) / 2 ** 31) * 8);
};

test.each(plans)("the code laid out for it gives the same bits by itself: %s", (_, plan) => {
  const memory = (simd?: "wide"): Uint8Array => {
    const { bytes, layout } = compilePlan(plan, { simd });
    const pages = Math.ceil(layout.bytes / 65536);
    const env = { memory: new WebAssembly.Memory({ initial: pages, maximum: pages }) };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
    const place = (buffer: number): number => layout.addresses[buffer] as number;
    new Float32Array(env.memory.buffer, place(plan.inputs[0]!.buffer)).set(inputFor(plan));
    (instance.exports.run as () => void)();
    const { buffer, shape } = plan.outputs[0]!;
    return new Uint8Array(env.memory.buffer, place(buffer), 4 * shape.reduce((a, b) => a * b, 1));
  };
  expect(memory("wide")).toEqual(memory());
});

describe.skipIf(!joins)("where V8 joins vectors", () => {
  test.each(plans)(
    "results are the same, and the report says that they were compared: %s",
    async (_, plan) => {
      const executable = await (await cpu({ simd: "wide" })).prepare(plan);
      expect(executable.report().notes).toEqual(["wide, with the same results"]);
      expect(executable.tensor("x").every((value) => value === 0)).toBe(true);
      const x = inputFor(plan);
      const expected = cpuSync().prepareSync(plan).runSync({ x }).y;
      for (let run = 0; run < 50; run++) {
        expect(elements("float32", executable.runSync({ x }).y!)).toEqual(
          elements("float32", expected!),
        );
      }
    },
  );

  test("what cannot be run on any numbers stays narrow", () => {
    const p = new PlanBuilder();
    const go = p.input("go", "bool", []);
    const loop = { kind: "while", name: "loop", predicate: go, condition: [], body: [] } as const;
    p.step({ ...loop, fuel: 10 });
    const executable = cpuSync({ simd: "wide" }).prepareSync(p.build());
    expect(executable.report().notes).toEqual([expect.stringMatching(/^not wide: /)]);
  });
});

test.skipIf(joins)("elsewhere it is refused", async () => {
  expect(() => cpuSync({ simd: "wide" })).toThrow(/GF5015/);
  await expect(cpu({ simd: "wide" })).rejects.toMatchObject({ code: "GF5015" });
});

test("only WebAssembly is wide", () => {
  expect(() => cpuSync({ simd: "wide", backend: "js" })).toThrow(/GF5015/);
});

/** Folds of everything, which are cut into parts that threads can share: the same bits as in one go. */
import { createHash } from "node:crypto";
import type { DType, Plan, ReduceOp, StorageArray } from "@gridfuse/plan";
import { axis, constant } from "@gridfuse/plan/index-expr";
import { expect, test } from "vitest";
import { cpu, cpuSync } from "../src/index.ts";
import { compareBackends, randomWords, runOn, sampleArray } from "./compare.ts";
import { PlanBuilder, stage, write, zeroBits } from "./plan-builder.ts";

/** Two folds of x, one of which needs the other's result, and x less the first of them. */
function folded(dtype: DType, length: number, ops: readonly [ReduceOp, ReduceOp]): Plan {
  const p = new PlanBuilder();
  const x = p.input("x", dtype, [length]);
  const [first, second] = [p.output("first", dtype, [1]), p.output("second", dtype, [1])];
  const rest = p.output("rest", dtype, [length]);
  const at = axis(0, length);
  p.kernel(
    [],
    [
      stage([length], (s) => ({
        reductions: [{ op: ops[0], dtype, value: s.load(dtype, x, at, [], zeroBits) }],
      })),
      stage([length], (s) => {
        const value = s.sub(s.load(dtype, x, at, [], zeroBits), s.reduced(dtype, 0, 0));
        return { reductions: [{ op: ops[1], dtype, value }] };
      }),
      stage([], (s) => ({
        writes: [
          write(first, dtype, constant(0), s.reduced(dtype, 0, 0)),
          write(second, dtype, constant(0), s.reduced(dtype, 1, 0)),
        ],
      })),
      stage([length], (s) => {
        const value = s.sub(s.load(dtype, x, at, [], zeroBits), s.reduced(dtype, 0, 0));
        return { writes: [write(rest, dtype, at, value)] };
      }),
    ],
  );
  return p.build();
}

const numbers = (length: number): Float32Array => {
  const next = randomWords(11);
  return Float32Array.from({ length }, () => (next() | 0) / 2 ** 31);
};

const digestOf = (results: Record<string, StorageArray>): readonly string[] =>
  Object.values(results).map((array) =>
    createHash("sha256").update(new Uint8Array(array.buffer)).digest("hex"),
  );

const cases = [
  ["float32", 131_072, ["add", "add"]],
  ["float32", 131_073, ["add", "max"]],
  ["float32", 333_333, ["max", "add"]],
  ["float16", 150_001, ["min", "add"]],
  ["int32", 200_000, ["add", "max"]],
  ["uint8", 140_000, ["max", "xor"]],
] as const;

test.each(cases)("%s, %i elements, %j", (dtype, length, ops) => {
  const plan = folded(dtype, length, ops);
  using executable = cpuSync({ backend: "wasm" }).prepareSync(plan);
  expect(executable.report().steps[0]?.how).toContain("in parts");
  const inputs = [sampleArray(dtype, length, randomWords(3))];
  if (dtype === "float32") inputs.push(numbers(length));
  for (const x of inputs) {
    for (const { wasm, js } of compareBackends(plan, { x })) {
      expect(wasm.findIndex((element, i) => element !== js[i])).toBe(-1);
    }
  }
});

test.each([3, 9, 16])("the last %i elements keep the order of the whole", (rest) => {
  const length = 131_072 + rest;
  const plan = folded("float32", length, ["add", "max"]);
  for (let seed = 0; seed < 4; seed++) {
    const next = randomWords(seed);
    const x = new Float32Array(length);
    // Alone, so few would go one after the other; here the others are zero and hide nothing.
    for (let i = 131_072; i < length; i++) x[i] = next() / 2 ** 32;
    expect(runOn("wasm", plan, { x }).first).toEqual(runOn("js", plan, { x }).first);
  }
});

test("two threads share them", async () => {
  const plan = folded("float32", 500_000, ["add", "add"]);
  const x = numbers(500_000);
  using one = cpuSync({ backend: "wasm" }).prepareSync(plan);
  using two = cpuSync({ backend: "wasm", threads: 2 }).prepareSync(plan);
  const expected = digestOf(one.runSync({ x }));
  for (let run = 0; run < 10; run++) {
    expect(digestOf(two.runSync({ x }))).toEqual(expected);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(two.report().steps[0]?.how).toContain("shared");
});

test("the native backend shares them, too", async () => {
  const executor = await cpu({ backend: "native", threads: 2 }).catch(() => undefined);
  // No C compiler.
  if (executor === undefined) return;
  const plan = folded("float32", 400_001, ["add", "max"]);
  const x = numbers(400_001);
  using native = await executor.prepare(plan);
  using wasm = cpuSync({ backend: "wasm" }).prepareSync(plan);
  expect(native.report().steps[0]?.how).toContain("in parts");
  expect(digestOf(native.runSync({ x }))).toEqual(digestOf(wasm.runSync({ x })));
}, 120_000);

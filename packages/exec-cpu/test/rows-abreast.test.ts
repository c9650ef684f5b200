/** Long rows are folded several at a time, a segment of each in turn: the same bits as one after the other. */
import type { Plan, StorageArray } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import { describe, expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { compareBackends, elements, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

const ops = ["add", "max", "argmin"] as const;

/** One result a row; with `slow`, of values some of which need a slow side. */
function folded(op: (typeof ops)[number], rows: number, length: number, slow: boolean): Plan {
  const p = new PlanBuilder();
  const x = p.input("x", "float32", [rows, length]);
  const dtype = op === "argmin" ? "int32" : "float32";
  const y = p.output("y", dtype, [rows]);
  p.kernel(
    [rows],
    [
      stage([length], (s) => {
        const loaded = s.load("float32", x, rowMajor([rows, length]), [], zeroBits);
        const isSmall = s.compare("lt", loaded, s.const("float32", -85));
        const value = slow ? s.rare(isSmall, s.neg(loaded), loaded) : loaded;
        return { reductions: [{ op, dtype, value }] };
      }),
      stage([], (s) => ({ writes: [write(y, dtype, axis(0, rows), s.reduced(dtype, 0, 0))] })),
    ],
  );
  return p.build();
}

const numbers = (length: number): Float32Array => {
  const next = randomWords(5);
  return Float32Array.from({ length }, () => ((next() | 0) / 2 ** 31) * 90);
};

describe.each(ops)("%s", (op) => {
  test.each([
    [19, 60_000],
    [131, 8_200],
  ])("%i rows of %i", (rows, length) => {
    const plan = folded(op, rows, length, false);
    using executable = cpuSync({ backend: "wasm" }).prepareSync(plan);
    expect(executable.report().steps[0]?.how).toContain("rows abreast");
    const inputs = [numbers(rows * length), sampleArray("float32", rows * length, randomWords(3))];
    for (const x of inputs) {
      const [{ wasm, js }] = compareBackends(plan, { x }) as [{ wasm: string[]; js: string[] }];
      expect(wasm).toEqual(js);
    }
  });
});

test("where some elements need a slow side, their rows are done again by themselves", () => {
  const plan = folded("add", 18, 60_000, true);
  using executable = cpuSync({ backend: "wasm" }).prepareSync(plan);
  expect(executable.report().steps[0]?.how).toContain("rows abreast");
  const x = numbers(18 * 60_000).map((value, i) => (i < 6 * 60_000 ? value : Math.abs(value)));
  const [{ wasm, js }] = compareBackends(plan, { x }) as [{ wasm: string[]; js: string[] }];
  expect(wasm).toEqual(js);
});

test("two threads share groups of rows", async () => {
  const plan = folded("add", 67, 20_000, false);
  const x = numbers(67 * 20_000);
  using one = cpuSync({ backend: "wasm" }).prepareSync(plan);
  using two = cpuSync({ backend: "wasm", threads: 2 }).prepareSync(plan);
  const expected = elements("float32", one.runSync({ x }).y as StorageArray);
  for (let run = 0; run < 20; run++) {
    expect(elements("float32", two.runSync({ x }).y as StorageArray)).toEqual(expected);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

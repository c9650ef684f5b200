/** Fast precision rounds products and sums once: results stay close, and do not depend on what lies around. */
import type { Plan } from "@gridfuse/plan";
import { axis, constant } from "@gridfuse/plan/index-expr";
import { math } from "@gridfuse/plan/scalar";
import { expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { randomWords } from "./compare.ts";
import { PlanBuilder, write, zeroBits } from "./plan-builder.ts";

const random = (length: number, scale: number, seed = 1): Float32Array<ArrayBuffer> => {
  const next = randomWords(seed);
  return Float32Array.from({ length }, () => ((next() | 0) / 2 ** 31) * scale);
};

function run(plan: Plan, inputs: Record<string, Float32Array<ArrayBuffer>>) {
  return (["exact", "fast"] as const).map((precision) => {
    using executable = cpuSync({ precision }).prepareSync(plan);
    const [name] = plan.outputs.map((output) => output.name) as [string];
    return executable.runSync(inputs)[name] as Float32Array;
  }) as [Float32Array, Float32Array];
}

function elementwise(length: number): Plan {
  const p = new PlanBuilder();
  const [x, y] = [p.input("x", "float32", [length]), p.output("y", "float32", [length])];
  p.map([length], (s) => {
    const element = s.load("float32", x, axis(0, length), [], zeroBits);
    return [
      write(y, "float32", axis(0, length), s.mul(math.exp(s, element), math.sin(s, element))),
    ];
  });
  return p.build();
}

test("functions stay within a few units in the last place", () => {
  const [exact, fast] = run(elementwise(5000), { x: random(5000, 5) });
  for (const [i, value] of exact.entries()) {
    expect(Math.abs((fast[i] as number) - value)).toBeLessThanOrEqual(
      2 ** -21 * Math.abs(value) + 2 ** -23,
    );
  }
});

test("a result is the same beside points that need a rare side, and beside none", () => {
  const x = random(5000, 5);
  const mixed = x.map((value, i) => (i % 700 === 300 ? 1e9 : value));
  const [, alone] = run(elementwise(5000), { x });
  const [, beside] = run(elementwise(5000), { x: mixed });
  const kept = (values: Float32Array): number[] => [...values].filter((_, i) => i % 700 !== 300);
  expect(kept(beside)).toEqual(kept(alone));
});

test("a dot stays within the bound of its sums", () => {
  const [m, n, k] = [9, 21, 300];
  const p = new PlanBuilder();
  const [a, b] = [p.input("a", "float32", [m, k]), p.input("b", "float32", [k, n])];
  const c = p.output("c", "float32", [m, n]);
  p.step({
    ...{ kind: "dot", name: "dot", dtype: "float32", accumulate: "float32" },
    ...{ lhsDType: "float32", rhsDType: "float32", batch: [], m: [m], n: [n], k: [k] },
    lhs: { buffer: a, base: constant(0), batch: [], free: [k], contract: [1] },
    rhs: { buffer: b, base: constant(0), batch: [], free: [1], contract: [n] },
    out: { buffer: c, base: constant(0), batch: [], free: [n, 1], contract: [] },
  });
  const [exact, fast] = run(p.build(), { a: random(m * k, 1), b: random(k * n, 1, 2) });
  // Each of k sums is off by half a unit of at most k.
  for (const [i, value] of exact.entries()) {
    expect(Math.abs((fast[i] as number) - value)).toBeLessThanOrEqual(k * k * 2 ** -24);
  }
});

test("there are two precisions", () => {
  const options = { precision: "faster" } as unknown as { precision: "fast" };
  expect(() => cpuSync(options)).toThrow(/GF5007|no precision/);
});

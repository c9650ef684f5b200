/** An output that is not given is a fresh array of every run, whatever was given before; what a run gave stays as it was. */
import { CapabilityError, type Plan, type StorageArray } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type CpuExecutor, type CpuOptions, cpu } from "../src/index.ts";
import { PlanBuilder, write, zeroBits } from "./plan-builder.ts";

const length = 5;
const outputs = ["twice", "square"] as const;

function twoResults(): Plan {
  const p = new PlanBuilder();
  const x = p.input("x", "float32", [length]);
  const [twice, square] = outputs.map((name) => p.output(name, "float32", [length]));
  p.map([length], (s) => {
    const value = s.load("float32", x, axis(0, length), [], zeroBits);
    return [
      write(twice as number, "float32", axis(0, length), s.add(value, value)),
      write(square as number, "float32", axis(0, length), s.mul(value, value)),
    ];
  });
  return p.build("two results");
}

const backends: Readonly<Record<string, CpuOptions>> = {
  wasm: { backend: "wasm" },
  js: { backend: "js" },
  "two threads": { threads: 2 },
  native: { backend: "native" },
  wide: { simd: "wide" },
};

test.each(Object.entries(backends))("%s", async (_, options) => {
  const executor = await cpu(options).catch((error: unknown): CpuExecutor | undefined => {
    if (error instanceof CapabilityError) return undefined;
    throw error;
  });
  // Without a C compiler, or before Node 24.
  if (executor === undefined) return;
  using executable = await executor.prepare(twoResults());
  const runs = fc.array(fc.subarray([...outputs]), { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(runs, (given) => {
      const seen: { array: StorageArray; expected: readonly number[] }[] = [];
      for (const [run, names] of given.entries()) {
        const x = Float32Array.from({ length }, (_, i) => i + 10 * run);
        const out = Object.fromEntries(names.map((name) => [name, new Float32Array(length)]));
        const results = executable.runSync({ x }, names.length > 0 ? { out } : {});
        for (const name of outputs) {
          const array = results[name] as StorageArray;
          if (out[name] !== undefined) expect(array).toBe(out[name]);
          for (const earlier of seen) expect(array.buffer).not.toBe(earlier.array.buffer);
          seen.push({ array, expected: [...x].map((v) => (name === "twice" ? 2 * v : v * v)) });
        }
      }
      for (const { array, expected } of seen) expect([...array]).toEqual(expected);
    }),
    { numRuns: 20 },
  );
});

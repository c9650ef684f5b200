/** Scans of every shape and dtype do on vectors what they do one element after the other. */
import type { DType } from "@gridfuse/plan";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, runOn, sampleArray } from "./compare.ts";
import { PlanBuilder } from "./plan-builder.ts";

const dtypes = [
  ...(["float32", "float64", "float16", "bfloat16"] as const),
  ...(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"] as const),
] satisfies DType[];

const shapes = fc.oneof(
  {
    weight: 8,
    // Rows of their own: squares of 4 × 4, tails, single rows.
    arbitrary: fc.tuple(
      fc.integer({ min: 1, max: 21 }),
      fc.integer({ min: 1, max: 39 }),
      fc.constant(1),
    ),
  },
  {
    weight: 1,
    // Rows of whole pages, of which two groups of four go in turn.
    arbitrary: fc.tuple(
      fc.integer({ min: 4, max: 21 }),
      fc.constantFrom(512, 1024, 1536, 2048, 4096),
      fc.constant(1),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 2, max: 11 }),
    ),
  },
);

test("maxima of bools stay 0 or 1 where rows are no whole vectors", () => {
  const p = new PlanBuilder();
  const shape = [5, 13, 1];
  const [x, y] = [p.input("x", "bool", shape), p.output("y", "bool", shape)];
  const [outer, extent, inner] = [5, 13, 1];
  p.step({
    ...({ kind: "scan", name: "scan", op: "max", reverse: false } as const),
    ...{ outer, extent, inner, dtype: "bool", input: x, output: y },
  });
  const xs = Uint8Array.from({ length: 65 }, (_, i) => (i % 13 === 0 || i % 13 === 12 ? 1 : 0));
  const { y: ys } = runOn("wasm", p.build(), { x: xs });
  expect(ys).toEqual(new Uint8Array(65).fill(1));
});

test("any scan gives the same on both backends, also in place", () => {
  fc.assert(
    fc.property(
      shapes,
      fc.constantFrom(...dtypes),
      fc.constantFrom("add", "mul", "max", "min"),
      fc.boolean(),
      fc.boolean(),
      fc.integer(),
      ([outer, extent, inner], dtype, op, reverse, inPlace, seed) => {
        const p = new PlanBuilder();
        const shape = [outer, extent, inner];
        const length = outer * extent * inner;
        const x = p.input("x", dtype, shape);
        const y = p.output("y", dtype, shape);
        const scan = {
          kind: "scan",
          name: "scan",
          op,
          reverse,
          outer,
          extent,
          inner,
          dtype,
        } as const;
        p.step({ ...scan, input: x, output: y });
        if (inPlace) p.step({ ...scan, input: y, output: y });
        const [{ wasm, js }] = compareBackends(p.build(), {
          x: sampleArray(dtype, length, randomWords(seed)),
        }) as [{ wasm: string[]; js: string[] }];
        expect(wasm).toEqual(js);
      },
    ),
    { numRuns: 300 },
  );
});

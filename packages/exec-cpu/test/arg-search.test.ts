/** Places of extremes along rows and columns of every dtype, with ties and NaNs, against plain comparisons one after the other. */
import type { DType, Reduction } from "@gridfuse/plan";
import { add, axis, mul } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

const dtypes = [
  ...(["float32", "float64", "float16", "bfloat16", "bool"] as const),
  ...(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"] as const),
] satisfies DType[];

interface Case {
  readonly rows: number;
  readonly length: number;
  readonly dtype: DType;
  readonly place: DType;
  /** Whether the reduced index strides over the others. */
  readonly isDown: boolean;
  /** What is added up beside the search, so that vectors have as many lanes as fit both. */
  readonly beside: DType | undefined;
}

function placesPlan({ rows, length, dtype, place, isDown, beside }: Case): PlanBuilder {
  const p = new PlanBuilder();
  const x = p.input("x", dtype, [rows, length]);
  const [most, least] = [p.output("most", place, [rows]), p.output("least", place, [rows])];
  const total = beside === undefined ? undefined : p.output("total", beside, [rows]);
  const index = isDown ? add(mul(axis(1, length), rows), axis(0, rows)) : rowMajor([rows, length]);
  p.kernel(
    [rows],
    [
      stage([length], (s) => {
        const value = s.load(dtype, x, index, [], zeroBits);
        const reductions: Reduction[] = [
          { op: "argmax", dtype: place, value },
          { op: "argmin", dtype: place, value },
        ];
        if (beside !== undefined) {
          reductions.push({ op: "add", dtype: beside, value: s.convert(value, beside) });
        }
        return { reductions };
      }),
      stage([], (s) => ({
        writes: [
          write(most, place, axis(0, rows), s.reduced(place, 0, 0)),
          write(least, place, axis(0, rows), s.reduced(place, 0, 1)),
          ...(beside === undefined || total === undefined
            ? []
            : [write(total, beside, axis(0, rows), s.reduced(beside, 0, 2))]),
        ],
      })),
    ],
  );
  return p;
}

const cases = fc.record({
  rows: fc.integer({ min: 1, max: 19 }),
  // Up to some segments of 256.
  length: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 200, max: 1100 })),
  dtype: fc.constantFrom(...dtypes),
  place: fc.constantFrom<DType>("int32", "int64", "uint32", "uint64"),
  isDown: fc.boolean(),
  beside: fc.constantFrom(undefined, "float64" as const, "float32" as const, "int64" as const),
});

test("the first extreme of every row, whatever its length", () => {
  fc.assert(
    fc.property(
      cases,
      // How many of the elements are others than the first few: small numbers make ties.
      fc.integer({ min: 1, max: 300 }),
      fc.integer(),
      (given, different, seed) => {
        const { rows, length, dtype } = given;
        const next = randomWords(seed);
        const few = sampleArray(dtype, different, next);
        const values = sampleArray(dtype, rows * length, next);
        for (let i = 0; i < values.length; i++) values[i] = few[next() % different] as never;
        for (const { wasm, js } of compareBackends(placesPlan(given).build(), { x: values })) {
          expect(wasm).toEqual(js);
        }
      },
    ),
    { numRuns: 250 },
  );
});

test.each([
  { dtype: "float64", place: "int32", isDown: false },
  { dtype: "float64", place: "int64", isDown: true },
  { dtype: "uint64", place: "int64", isDown: false },
  { dtype: "float32", place: "int64", isDown: false },
] as const)("places of $dtype as $place are looked for on vectors", (of) => {
  const plan = placesPlan({ rows: 8, length: 300, beside: undefined, ...of }).build();
  using executable = cpuSync({ backend: "wasm" }).prepareSync(plan);
  expect(executable.report().steps[0]?.how).toMatch(/^simd/);
});

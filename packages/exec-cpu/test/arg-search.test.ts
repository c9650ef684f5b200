/** Places of extremes along rows of every dtype, with ties and NaNs, against plain comparisons one after the other. */
import type { DType } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

const dtypes = [
  ...(["float32", "float16", "bfloat16", "bool"] as const),
  ...(["int8", "uint8", "int16", "uint16", "int32", "uint32"] as const),
] satisfies DType[];

test("the first extreme of every row, whatever its length", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      // Up to some segments of 256.
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 200, max: 1100 })),
      fc.constantFrom(...dtypes),
      // How many of the elements are others than the first few: small numbers make ties.
      fc.integer({ min: 1, max: 300 }),
      fc.integer(),
      (rows, length, dtype, different, seed) => {
        const p = new PlanBuilder();
        const x = p.input("x", dtype, [rows, length]);
        const [most, least] = [
          p.output("most", "int32", [rows]),
          p.output("least", "int32", [rows]),
        ];
        p.kernel(
          [rows],
          [
            stage([length], (s) => {
              const value = s.load(dtype, x, rowMajor([rows, length]), [], zeroBits);
              return {
                reductions: [
                  { op: "argmax", dtype: "int32", value },
                  { op: "argmin", dtype: "int32", value },
                ],
              };
            }),
            stage([], (s) => ({
              writes: [
                write(most, "int32", axis(0, rows), s.reduced("int32", 0, 0)),
                write(least, "int32", axis(0, rows), s.reduced("int32", 0, 1)),
              ],
            })),
          ],
        );
        const next = randomWords(seed);
        const few = sampleArray(dtype, different, next);
        const values = sampleArray(dtype, rows * length, next);
        for (let i = 0; i < values.length; i++) values[i] = few[next() % different] as never;
        for (const { wasm, js } of compareBackends(p.build(), { x: values })) {
          expect(wasm).toEqual(js);
        }
      },
    ),
    { numRuns: 200 },
  );
});

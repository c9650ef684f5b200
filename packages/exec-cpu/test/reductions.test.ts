/** The order of float reductions, against a literal transcription of what plan.ts says. */
import type { StorageArray } from "@gridfuse/plan";
import { add, axis, mul } from "@gridfuse/plan/index-expr";
import { describe, expect, test } from "vitest";
import { elements, randomWords, runOn } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

type Combine = (x: number, y: number) => number;

function fold(values: readonly number[], identity: number, combine: Combine): number {
  if (values.length <= 16) return values.reduce(combine, identity);
  const segments: number[] = [];
  for (let start = 0; start < values.length; start += 256) {
    const accumulators = new Array<number>(16).fill(identity);
    for (const [i, x] of values.slice(start, start + 256).entries()) {
      accumulators[i % 16] = combine(accumulators[i % 16] as number, x);
    }
    for (const distance of [8, 4, 2, 1]) {
      for (let j = 0; j < distance; j++) {
        accumulators[j] = combine(accumulators[j] as number, accumulators[j + distance] as number);
      }
    }
    segments.push(accumulators[0] as number);
  }
  let level = segments;
  while (level.length > 1) {
    const next: number[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [x, y] = [level[i] as number, level[i + 1]];
      next.push(y === undefined ? x : combine(x, y));
    }
    level = next;
  }
  return level[0] ?? identity;
}

type Float = "float32" | "float64";
const rounded = (dtype: Float, x: number): number => (dtype === "float32" ? Math.fround(x) : x);
const sum =
  (dtype: Float): Combine =>
  (x, y) =>
    rounded(dtype, x + y);
const product =
  (dtype: Float): Combine =>
  (x, y) =>
    rounded(dtype, x * y);

function reducePlan(dtype: Float, rows: number, length: number, acrossRows: boolean) {
  const p = new PlanBuilder();
  const x = p.input("x", dtype, [rows, length]);
  const [sums, products] = [p.output("sum", dtype, [rows]), p.output("product", dtype, [rows])];
  // Either rows are contiguous, or the reduced index strides over them.
  const index = acrossRows
    ? add(mul(axis(1, length), rows), axis(0, rows))
    : rowMajor([rows, length]);
  p.kernel(
    [rows],
    [
      stage([length], (s) => {
        const value = s.load(dtype, x, index, [], zeroBits);
        return {
          reductions: [
            { op: "add", dtype: dtype, value },
            { op: "mul", dtype: dtype, value },
          ],
        };
      }),
      stage([], (s) => ({
        writes: [
          write(sums, dtype, axis(0, rows), s.reduced(dtype, 0, 0)),
          write(products, dtype, axis(0, rows), s.reduced(dtype, 0, 1)),
        ],
      })),
    ],
  );
  return p.build();
}

const lengths = [
  0,
  1,
  2,
  3,
  4,
  5,
  8,
  15,
  16,
  17,
  31,
  100,
  255,
  256,
  257,
  300,
  512,
  1000,
  2048 + 19,
  7 * 256,
  11 * 256 + 5,
];

describe.each(["wasm", "js"] as const)("%s", (backend) => {
  test.each(
    lengths.flatMap((length) => [[length, "float32"] as const, [length, "float64"] as const]),
  )("folds %i values of %s in the order of the specification", (length, dtype) => {
    for (const [rows, acrossRows] of [
      [1, false],
      [3, false],
      [7, true],
      [18, true],
    ] as const) {
      const next = randomWords(length + rows);
      const at = (row: number, i: number): number =>
        acrossRows ? i * rows + row : row * length + i;
      const numbers = Array.from({ length: rows * length }, () => 0.5 + next() / 2 ** 32);
      const x = dtype === "float32" ? Float32Array.from(numbers) : Float64Array.from(numbers);
      const results = runOn(backend, reducePlan(dtype, rows, length, acrossRows), { x });
      for (let row = 0; row < rows; row++) {
        const values = Array.from({ length }, (_, i) => x[at(row, i)] as number);
        expect(results.sum?.[row]).toBe(fold(values, 0, sum(dtype)));
        expect(results.product?.[row]).toBe(fold(values, 1, product(dtype)));
      }
    }
  });

  test("a sum of negative zeros is positive zero, as accumulators start there", () => {
    const x = Float32Array.of(-0, -0, -0);
    const results = runOn(backend, reducePlan("float32", 1, 3, false), { x });
    expect(results.sum?.[0]).toBe(0);
  });

  test("argmax takes the first of equals, and NaN before everything", () => {
    const rows = [
      [1, 3, 3, 2, 3],
      [1, Number.NaN, 9, Number.NaN, 3],
      [
        Number.NEGATIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
      ],
      [-0, 0, -0, 0, 0],
    ];
    const p = new PlanBuilder();
    const x = p.input("x", "float32", [4, 5]);
    const [most, least] = [p.output("most", "int32", [4]), p.output("least", "int32", [4])];
    p.kernel(
      [4],
      [
        stage([5], (s) => {
          const value = s.load("float32", x, rowMajor([4, 5]), [], zeroBits);
          return {
            reductions: [
              { op: "argmax", dtype: "int32", value },
              { op: "argmin", dtype: "int32", value },
            ],
          };
        }),
        stage([], (s) => ({
          writes: [
            write(most, "int32", axis(0, 4), s.reduced("int32", 0, 0)),
            write(least, "int32", axis(0, 4), s.reduced("int32", 0, 1)),
          ],
        })),
      ],
    );
    const results = runOn(backend, p.build(), { x: Float32Array.from(rows.flat()) });
    expect(elements("int32", results.most as StorageArray)).toEqual(["1", "1", "0", "0"]);
    expect(elements("int32", results.least as StorageArray)).toEqual(["0", "1", "0", "0"]);
  });
});

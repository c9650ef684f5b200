/** Extrema of floats, of rows and with immediates, where NaNs and zeros of both signs are frequent. */
import type { Reduction } from "@gridfuse/plan";
import { add, axis, mul } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

const nan = 0x7fc00000;
const words = [
  ...[0, 0x3f800000, 0x7f800000, 1, 0x7f7fffff, nan],
  ...[0x80000000, 0xbf800000, 0xff800000, 0x80000001, 0xff7fffff, nan | 0x80000000],
].map((word) => word >>> 0);

/** Rows each of which has only some of the words, so that none, some and all have a sign. */
const rowsOf = (rows: number, length: number) =>
  fc
    .array(fc.subarray(words, { minLength: 1, maxLength: 4 }), { minLength: rows, maxLength: rows })
    .chain((few) =>
      fc
        .array(fc.nat(2 ** 20), { minLength: rows * length, maxLength: rows * length })
        .map((picks) => {
          const bits = picks.map((pick, i) => {
            const known = few[Math.floor(i / length)] as number[];
            return known[pick % known.length] as number;
          });
          return new Float32Array(Uint32Array.from(bits).buffer);
        }),
    );

/** The same as float64; a NaN keeps its sign. */
const doubled = (x: Float32Array): Float64Array => {
  const wide = Float64Array.from(x);
  const [from, to] = [new Uint32Array(x.buffer), new Uint32Array(wide.buffer)];
  for (const [i, value] of x.entries()) {
    if (Number.isNaN(value)) to[2 * i + 1] = (0x7ff80000 | ((from[i] as number) & (1 << 31))) >>> 0;
  }
  return wide;
};

test("the extrema of every row, whatever its length", () => {
  const shape = fc.record({ rows: fc.nat(18), length: fc.integer({ min: 1, max: 40 }) });
  const cases = shape.chain(({ rows, length }) =>
    rowsOf(rows + 1, length).map((x) => ({ rows: rows + 1, length, x })),
  );
  // With a sum of float64 beside them, float32 has two lanes of a vector.
  const ways = fc.record({
    dtype: fc.constantFrom("float32" as const, "float64" as const),
    isDown: fc.boolean(),
    beside: fc.constantFrom(undefined, "float64" as const),
  });
  fc.assert(
    fc.property(cases, ways, ({ rows, length, x: words }, { dtype, isDown, beside }) => {
      const p = new PlanBuilder();
      const from = p.input("x", dtype, [rows, length]);
      const ops = ["max", "min"] as const;
      const results = ops.map((op) => p.output(op, dtype, [rows]));
      const total = beside && p.output("total", beside, [rows]);
      const index = isDown
        ? add(mul(axis(1, length), rows), axis(0, rows))
        : rowMajor([rows, length]);
      p.kernel(
        [rows],
        [
          stage([length], (s) => {
            const value = s.load(dtype, from, index, [], zeroBits);
            const reductions: Reduction[] = ops.map((op) => ({ op, dtype, value }));
            if (beside !== undefined) {
              reductions.push({ op: "add", dtype: beside, value: s.convert(value, beside) });
            }
            return { reductions };
          }),
          stage([], (s) => {
            const writes = results.map((to, i) =>
              write(to, dtype, axis(0, rows), s.reduced(dtype, 0, i)),
            );
            if (beside !== undefined && total !== undefined) {
              writes.push(write(total, beside, axis(0, rows), s.reduced(beside, 0, 2)));
            }
            return { writes };
          }),
        ],
      );
      const x = dtype === "float32" ? words : doubled(words);
      for (const { wasm, js } of compareBackends(p.build(), { x })) expect(wasm).toEqual(js);
    }),
    { numRuns: 500 },
  );
});

test("the extrema of integers, along rows and down columns", () => {
  const integers = ["uint64", "int64", "uint32", "int32", "uint16", "int8", "bool"] as const;
  const cases = fc.record({
    dtype: fc.constantFrom(...integers),
    rows: fc.integer({ min: 1, max: 19 }),
    length: fc.integer({ min: 1, max: 40 }),
    isDown: fc.boolean(),
    seed: fc.integer(),
  });
  fc.assert(
    fc.property(cases, ({ dtype, rows, length, isDown, seed }) => {
      const p = new PlanBuilder();
      const x = p.input("x", dtype, [rows, length]);
      const ops = ["max", "min"] as const;
      const results = ops.map((op) => p.output(op, dtype, [rows]));
      const index = isDown
        ? add(mul(axis(1, length), rows), axis(0, rows))
        : rowMajor([rows, length]);
      p.kernel(
        [rows],
        [
          stage([length], (s) => {
            const value = s.load(dtype, x, index, [], zeroBits);
            return { reductions: ops.map((op) => ({ op, dtype, value })) };
          }),
          stage([], (s) => ({
            writes: results.map((to, i) => write(to, dtype, axis(0, rows), s.reduced(dtype, 0, i))),
          })),
        ],
      );
      const values = sampleArray(dtype, rows * length, randomWords(seed));
      for (const { wasm, js } of compareBackends(p.build(), { x: values })) {
        expect(wasm).toEqual(js);
      }
    }),
    { numRuns: 300 },
  );
});

test.each(words)("min and max beside an immediate, %i, on either side", (bits) => {
  const p = new PlanBuilder();
  const n = words.length;
  const from = p.input("x", "float32", [n]);
  const names = ["min", "max"].flatMap((op) => [`x ${op} c`, `c ${op} x`]);
  const results = names.map((name) => p.output(name, "float32", [n]));
  p.map([n], (s) => {
    const x = s.load("float32", from, axis(0, n), [], zeroBits);
    const c = s.constBits("float32", { lo: bits, hi: 0 });
    const values = (["min", "max"] as const).flatMap((op) => [
      s.binary(op, x, c),
      s.binary(op, c, x),
    ]);
    return results.map((to, i) => write(to, "float32", axis(0, n), values[i] as number));
  });
  const x = new Float32Array(Uint32Array.from(words).buffer);
  for (const { wasm, js } of compareBackends(p.build(), { x })) expect(wasm).toEqual(js);
});

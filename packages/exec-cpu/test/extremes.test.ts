/** Extrema of floats, of rows and with immediates, where NaNs and zeros of both signs are frequent. */
import { axis } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends } from "./compare.ts";
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

test("the extrema of every row, whatever its length", () => {
  const shape = fc.record({ rows: fc.nat(4), length: fc.integer({ min: 1, max: 40 }) });
  const cases = shape.chain(({ rows, length }) =>
    rowsOf(rows + 1, length).map((x) => ({ rows: rows + 1, length, x })),
  );
  fc.assert(
    fc.property(cases, ({ rows, length, x }) => {
      const p = new PlanBuilder();
      const from = p.input("x", "float32", [rows, length]);
      const ops = ["max", "min"] as const;
      const results = ops.map((op) => p.output(op, "float32", [rows]));
      p.kernel(
        [rows],
        [
          stage([length], (s) => {
            const value = s.load("float32", from, rowMajor([rows, length]), [], zeroBits);
            return { reductions: ops.map((op) => ({ op, dtype: "float32", value })) };
          }),
          stage([], (s) => ({
            writes: results.map((to, i) =>
              write(to, "float32", axis(0, rows), s.reduced("float32", 0, i)),
            ),
          })),
        ],
      );
      for (const { wasm, js } of compareBackends(p.build(), { x })) expect(wasm).toEqual(js);
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

/**
 * Slow sides that stand in a function of their own: however many points need them and wherever these lie, results
 * are those of the whole kernel, also of sums, of kernels that read what they keep, and where results lie over operands.
 */
import { axis, value } from "@gridfuse/plan/index-expr";
import { math } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords } from "./compare.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

/** Values of which one in `period` needs the slow side of an exponential, in stretches. */
function values(length: number, period: number, seed: number): Float32Array {
  const next = randomWords(seed);
  const odd = [100, -95, Number.NEGATIVE_INFINITY, Number.NaN, Number.POSITIVE_INFINITY];
  return Float32Array.from({ length }, (_, i) =>
    Math.floor(i / 64) % period === 1 && next() % 8 === 0
      ? (odd[next() % odd.length] as number)
      : ((next() | 0) / 2 ** 31) * 4,
  );
}
const periods = fc.constantFrom(1_000_000, 40, 9, 2);

function expectSame(p: PlanBuilder, x: Float32Array): void {
  for (const { wasm, js } of compareBackends(p.build(), { x })) expect(wasm).toEqual(js);
}

test("elementwise, in place or not", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12_000 }),
      periods,
      fc.boolean(),
      fc.integer(),
      (length, period, inPlace, seed) => {
        const p = new PlanBuilder();
        const x = p.input("x", "float32", [length]);
        const y = p.output("y", "float32", [length]);
        const map = (from: number, to: number): void => {
          p.map([length], (s) => {
            const value = s.load("float32", from, axis(0, length), [], zeroBits);
            return [write(to, "float32", axis(0, length), math.exp(s, value))];
          });
        };
        const between = p.temporary("float32", length);
        map(x, between);
        map(between, inPlace ? between : y);
        if (inPlace) map(between, y);
        expectSame(p, values(length, period, seed));
      },
    ),
    { numRuns: 60 },
  );
});

test("rows whose exponentials are summed and used again", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 700 }),
      periods,
      fc.integer(),
      (rows, length, period, seed) => {
        const p = new PlanBuilder();
        const x = p.input("x", "float32", [rows, length]);
        const y = p.output("y", "float32", [rows, length]);
        const at = rowMajor([rows, length]);
        p.kernel(
          [rows],
          [
            stage([length], (s) => ({
              reductions: [
                {
                  op: "add",
                  dtype: "float32",
                  value: math.exp(s, s.load("float32", x, at, [], zeroBits)),
                },
              ],
            })),
            stage([length], (s) => {
              const power = math.exp(s, s.load("float32", x, at, [], zeroBits));
              const share = s.binary("div", power, s.reduced("float32", 0, 0));
              return { writes: [write(y, "float32", at, s.binary("add", share, power))] };
            }),
          ],
        );
        expectSame(p, values(rows * length, period, seed));
      },
    ),
    { numRuns: 60 },
  );
});

test("a point without lanes, beside a sum that has them", () => {
  const [rows, length] = [3, 8];
  const p = new PlanBuilder();
  const x = p.input("x", "float32", [rows, length]);
  const y = p.output("y", "float32", [rows]);
  const at = rowMajor([rows, length]);
  p.kernel(
    [rows],
    [
      stage([length], (s) => ({
        reductions: [
          { op: "add", dtype: "float32", value: s.load("float32", x, at, [], zeroBits) },
        ],
      })),
      stage([], (s) => ({
        writes: [write(y, "float32", axis(0, rows), math.exp(s, s.reduced("float32", 0, 0)))],
      })),
    ],
  );
  expectSame(
    p,
    Float32Array.from({ length: rows * length }, (_, i) => (i < length ? -12.5 : 1)),
  );
});

test("a gather by a place that a rare side decides stays within bounds", () => {
  const length = 3000;
  const p = new PlanBuilder();
  const x = p.input("x", "float32", [length]);
  const y = p.output("y", "float32", [length]);
  p.map([length], (s) => {
    const element = s.load("float32", x, axis(0, length), [], zeroBits);
    const isBig = s.compare("gt", element, s.const("float32", 50));
    const seven = s.const("int32", 7);
    const place = s.rare(isBig, seven, s.convert(s.mul(element, element), "int32"));
    const gathered = s.load("float32", x, value(place, 0, length - 1), [], zeroBits);
    return [write(y, "float32", axis(0, length), gathered)];
  });
  const bounded = values(length, 9, 3).map((v) => (Number.isNaN(v) ? 1e9 : Math.abs(v)));
  expectSame(p, bounded);
});

/** Loads and stores of neighbouring places (orbits, pairs, rows of a small axis): vectors against plain JS. */
import type { DType } from "@gridfuse/plan";
import {
  add,
  axis,
  constant,
  floordiv,
  type IndexExpr,
  mod,
  mul,
  sub,
  xor,
} from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { kernel, PlanBuilder, write } from "./plan-builder.ts";

interface Orbit {
  readonly dtype: DType;
  readonly rows: number;
  readonly extent: number;
  readonly stride: number;
  readonly start: number;
  /** Which members are read, and for each of them which is written with it. */
  readonly members: readonly number[];
  readonly reversed: boolean;
  readonly inner: boolean;
  readonly seed: number;
}

/** o[base + c] = x[base + c] + x[base + next c], where base = start + stride·i along the lanes. */
function runOrbit({ dtype, rows, extent, stride, start, members, reversed, inner, seed }: Orbit) {
  const p = new PlanBuilder();
  const row = start + stride * extent;
  const x = p.input("x", dtype, [rows * row]);
  const o = p.output("o", dtype, [rows * row]);
  const s = new ScalarBuilder();
  const along = axis(1, extent);
  const i = reversed ? sub(constant(extent - 1), along) : along;
  const base = add(mul(axis(0, rows), row), mul(i, stride), constant(start));
  const at = (c: number): IndexExpr => add(base, constant(c));
  const loads = members.map((c) => s.load(dtype, x, at(c), [], { lo: 0, hi: 0 }));
  const writes = members.map((c, j) => {
    const partner = loads[(j + 1) % loads.length] as number;
    return write(o, dtype, at(c), dtype === "bool" ? partner : s.add(loads[j] as number, partner));
  });
  const stage = { axes: inner ? [extent] : [], nodes: s.nodes, reductions: [], writes };
  p.step(kernel(inner ? [rows] : [rows, extent], [stage]));
  const data = { x: sampleArray(dtype, rows * row, randomWords(seed)) };
  for (const { wasm, js } of compareBackends(p.build(), data)) expect(wasm).toEqual(js);
}

const orbits: fc.Arbitrary<Orbit> = fc.constantFrom(2, 3, 4, 5, 8, 16).chain((stride) =>
  fc.record({
    dtype: fc.constantFrom<DType>("float32", "int32", "uint32", "uint8", "float16", "float64"),
    rows: fc.integer({ min: 1, max: 3 }),
    extent: fc.integer({ min: 1, max: 37 }),
    stride: fc.constant(stride),
    start: fc.integer({ min: 0, max: 5 }),
    members: fc.oneof(
      fc.constant(Array.from({ length: stride }, (_, c) => c)),
      fc.shuffledSubarray(
        Array.from({ length: stride }, (_, c) => c),
        { minLength: 1 },
      ),
    ),
    reversed: fc.boolean(),
    inner: fc.boolean(),
    seed: fc.integer(),
  }),
);

test("members of an orbit are read and written as their meaning says", () => {
  fc.assert(fc.property(orbits, runOrbit), { numRuns: 250 });
});

test.each([1, 2, 3, 4, 7])("the partner i ^ %d is read as its meaning says", (mask) => {
  const extent = 64;
  const p = new PlanBuilder();
  const x = p.input("x", "float32", [extent]);
  const o = p.output("o", "float32", [extent]);
  const s = new ScalarBuilder();
  const i = axis(0, extent);
  const partner = s.load("float32", x, xor(i, constant(mask)), [], { lo: 0, hi: 0 });
  p.step(
    kernel(
      [extent],
      [{ axes: [], nodes: s.nodes, reductions: [], writes: [write(o, "float32", i, partner)] }],
    ),
  );
  const data = { x: sampleArray("float32", extent, randomWords(mask)) };
  for (const { wasm, js } of compareBackends(p.build(), data)) expect(wasm).toEqual(js);
});

test("members counted from both ends of a block are written as their meaning says", () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 });
  fc.assert(
    // Counted from both ends, or all upwards, where intervals do not tell that no point meets itself.
    fc.property(
      fc.constantFrom(1, 2, 4),
      fc.integer({ min: 1, max: 9 }),
      order,
      fc.boolean(),
      fc.integer(),
      (points, blocks, places, fromBothEnds, seed) => {
        const p = new PlanBuilder();
        const length = 8 * points * blocks;
        const [x, o] = [p.input("x", "int32", [length]), p.output("o", "int32", [length])];
        const extent = points * blocks;
        const [block, point] = [floordiv(axis(0, extent), points), mod(axis(0, extent), points)];
        const at = (c: number): IndexExpr => {
          const start = add(mul(block, 8 * points), constant(c % 4));
          if (c < 4) return add(start, mul(point, fromBothEnds ? 4 : 8));
          const end = constant(8 * points - 4);
          return fromBothEnds
            ? sub(add(start, end), mul(point, 4))
            : add(start, mul(point, 8), constant(4));
        };
        p.map([extent], (s) => {
          const loads = places.map((c) => s.load("int32", x, at(c), [], { lo: 0, hi: 0 }));
          return places.map((c, j) => write(o, "int32", at(c), loads[(j + 1) % 8] as number));
        });
        const data = { x: sampleArray("int32", length, randomWords(seed)) };
        for (const { wasm, js } of compareBackends(p.build(), data)) expect(wasm).toEqual(js);
      },
    ),
    { numRuns: 60 },
  );
});

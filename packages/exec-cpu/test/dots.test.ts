/** Dots of every size and layout on tiles, against sums one after the other. */
import type { DotStep, DType } from "@gridfuse/plan";
import { constant } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder } from "./plan-builder.ts";

/** Strides of a row-major array whose axes are kept in the order that `order` says. */
function strides(extents: readonly number[], order: readonly number[]): number[] {
  const result = extents.map(() => 0);
  let stride = 1;
  for (const axis of order.toReversed()) {
    result[axis] = stride;
    stride *= extents[axis] as number;
  }
  return result;
}

const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [2, 1, 0],
];
const extent = (max: number) => fc.integer({ min: 1, max });
/** Operands, and what is summed in; the result has that dtype, or another. */
const kinds = fc.constantFrom<readonly [DType, DType, DType, DType?]>(
  ["float32", "float32", "float32"],
  ["int32", "int32", "int32"],
  ["int8", "int8", "int32"],
  ["int16", "int16", "int32"],
  ["uint8", "int8", "int32"],
  ["uint8", "uint8", "uint32"],
  ["int16", "bool", "int32", "int16"],
  ["uint16", "int8", "int32"],
  ["int8", "int8", "int8"],
  ["int16", "int16", "uint8"],
  ["int8", "int8", "int8", "int32"],
  ["int32", "int8", "int16", "uint8"],
  ["bfloat16", "bfloat16", "float32"],
  ["float16", "float16", "float32"],
  ["bfloat16", "bfloat16", "bfloat16"],
  ["float16", "float16", "float16"],
  ["bfloat16", "bfloat16", "bfloat16", "float32"],
  ["float16", "float16", "float16", "int16"],
  ["float32", "float16", "float16", "bfloat16"],
  ["int8", "float32", "bfloat16"],
  ["float64", "bfloat16", "bfloat16"],
  ["int64", "int64", "int32"],
  ["int64", "int64", "int64"],
  ["uint64", "int8", "uint64", "float32"],
  ["float64", "float64", "float64"],
  ["float32", "float16", "float64", "bfloat16"],
);

test("batches, few rows, odd columns, operands the other way round", () => {
  fc.assert(
    fc.property(
      fc.tuple(extent(11), extent(13), extent(37), extent(20)),
      fc.constantFrom(...orders),
      fc.constantFrom(...orders),
      kinds,
      fc.integer(),
      ([b, m, n, k], left, right, [lhs, rhs, accumulate, dtype = accumulate], seed) => {
        const p = new PlanBuilder();
        const [x, y] = [p.input("x", lhs, [b, m, k]), p.input("y", rhs, [b, n, k])];
        const out = p.output("z", dtype, [b, m, n]);
        const [lb, lm, lk] = strides([b, m, k], left) as [number, number, number];
        const [rb, rn, rk] = strides([b, n, k], right) as [number, number, number];
        p.step({
          ...{ kind: "dot", name: "dot", dtype, accumulate },
          ...{ lhsDType: lhs, rhsDType: rhs, batch: [b], m: [m], n: [n], k: [k] },
          lhs: { buffer: x, base: constant(0), batch: [lb], free: [lm], contract: [lk] },
          rhs: { buffer: y, base: constant(0), batch: [rb], free: [rn], contract: [rk] },
          out: { buffer: out, base: constant(0), batch: [m * n], free: [n, 1], contract: [] },
        });
        const next = randomWords(seed);
        const inputs = {
          x: sampleArray(lhs, b * m * k, next),
          y: sampleArray(rhs, b * n * k, next),
        };
        for (const { wasm, js } of compareBackends(p.build(), inputs)) expect(wasm).toEqual(js);
      },
    ),
    { numRuns: Number(process.env.DOT_RUNS ?? 350) },
  );
});

test.each(["float16", "bfloat16"] as const)("%s of every size, summed in itself", (dtype) => {
  const shape = [16, 24, 40] as const;
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 0xffff }), (seed, mask) => {
      const [m, n, k] = shape;
      const p = new PlanBuilder();
      const [x, y] = [p.input("x", dtype, [m, k]), p.input("y", dtype, [k, n])];
      const out = p.output("z", dtype, [m, n]);
      p.step({
        ...{ kind: "dot", name: "dot", dtype, accumulate: dtype, lhsDType: dtype, rhsDType: dtype },
        ...{ batch: [], m: [m], n: [n], k: [k] },
        lhs: { buffer: x, base: constant(0), batch: [], free: [k], contract: [1] },
        rhs: { buffer: y, base: constant(0), batch: [], free: [1], contract: [n] },
        out: { buffer: out, base: constant(0), batch: [], free: [n, 1], contract: [] },
      });
      // Exponents that few bits choose: products overflow, vanish, or are of a size.
      const next = randomWords(seed);
      const bits = (length: number): Uint16Array<ArrayBuffer> =>
        Uint16Array.from({ length }, () => (next() & mask) | (next() & 0x83ff));
      const inputs = { x: bits(m * k), y: bits(k * n) };
      for (const { wasm, js } of compareBackends(p.build(), inputs)) expect(wasm).toEqual(js);
    }),
    { numRuns: 100 },
  );
});

test("sums that go on from what the result holds are those of one dot, cut anywhere", () => {
  const sizes = fc.tuple(extent(9), extent(13), extent(37), extent(20), extent(20));
  const accumulate = fc.constantFrom<DType>(
    ...([
      "float32",
      "float64",
      "bfloat16",
      "float16",
      "int32",
      "uint64",
      "int8",
      "uint16",
    ] as const),
  );
  fc.assert(
    fc.property(sizes, accumulate, fc.integer(), ([b, m, n, first, rest], dtype, seed) => {
      const k = first + rest;
      const p = new PlanBuilder();
      const [x, y] = [p.input("x", dtype, [b, m, k]), p.input("y", dtype, [b, k, n])];
      const [whole, parts] = [p.output("z", dtype, [b, m, n]), p.output("w", dtype, [b, m, n])];
      const part = (to: number, from: number, count: number): DotStep => ({
        ...{ kind: "dot", name: `dot ${to} ${from}`, dtype, accumulate: dtype },
        ...{ lhsDType: dtype, rhsDType: dtype, batch: [b], m: [m], n: [n], k: [count] },
        lhs: { buffer: x, base: constant(from), batch: [m * k], free: [k], contract: [1] },
        rhs: { buffer: y, base: constant(from * n), batch: [k * n], free: [1], contract: [n] },
        out: { buffer: to, base: constant(0), batch: [m * n], free: [n, 1], contract: [] },
        ...(from === 0 ? {} : { onto: true }),
      });
      p.step(part(whole, 0, k), part(parts, 0, first), part(parts, first, rest));
      const next = randomWords(seed);
      const inputs = {
        x: sampleArray(dtype, b * m * k, next),
        y: sampleArray(dtype, b * k * n, next),
      };
      const [once, cut] = compareBackends(p.build(), inputs);
      expect(once?.wasm).toEqual(once?.js);
      expect(cut).toEqual(once);
    }),
    { numRuns: 150 },
  );
});

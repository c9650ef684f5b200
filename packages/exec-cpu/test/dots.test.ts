/** Dots of every size and layout on tiles, against sums one after the other. */
import type { DType } from "@gridfuse/plan";
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
const kinds = fc.constantFrom<[DType, DType]>(
  ["float32", "float32"],
  ["int32", "int32"],
  ["int8", "int32"],
  ["bfloat16", "float32"],
  ["float16", "float32"],
  ["int64", "int32"],
  ["float64", "float64"],
);

test("batches, few rows, odd columns, operands the other way round", () => {
  fc.assert(
    fc.property(
      fc.tuple(extent(11), extent(13), extent(37), extent(20)),
      fc.constantFrom(...orders),
      fc.constantFrom(...orders),
      kinds,
      fc.integer(),
      ([b, m, n, k], left, right, [dtype, accumulate], seed) => {
        const p = new PlanBuilder();
        const [x, y] = [p.input("x", dtype, [b, m, k]), p.input("y", dtype, [b, n, k])];
        const out = p.output("z", accumulate, [b, m, n]);
        const [lb, lm, lk] = strides([b, m, k], left) as [number, number, number];
        const [rb, rn, rk] = strides([b, n, k], right) as [number, number, number];
        p.step({
          ...{ kind: "dot", name: "dot", dtype: accumulate, accumulate },
          ...{ lhsDType: dtype, rhsDType: dtype, batch: [b], m: [m], n: [n], k: [k] },
          lhs: { buffer: x, base: constant(0), batch: [lb], free: [lm], contract: [lk] },
          rhs: { buffer: y, base: constant(0), batch: [rb], free: [rn], contract: [rk] },
          out: { buffer: out, base: constant(0), batch: [m * n], free: [n, 1], contract: [] },
        });
        const next = randomWords(seed);
        const inputs = {
          x: sampleArray(dtype, b * m * k, next),
          y: sampleArray(dtype, b * n * k, next),
        };
        for (const { wasm, js } of compareBackends(p.build(), inputs)) expect(wasm).toEqual(js);
      },
    ),
    { numRuns: 250 },
  );
});

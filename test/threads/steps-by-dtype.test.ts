/**
 * Reductions, searches, scans, products and sorts of every kind of elements, whose code differs by it (64 bits: vectors of
 * two; 16 bits: sums that are rounded one by one; long rows: digits): the same bits from one, two and three members.
 */
import { compile } from "@gridfuse/passes";
import type { DType } from "@gridfuse/plan";
import fc from "fast-check";
import { type Graph, graph, type Tensor, tensor } from "gridfuse";
import { expect, it } from "vitest";
import { randomWords, sampleArray } from "../../packages/exec-cpu/test/compare.ts";
import { compareMembers } from "./tame-crews.ts";

const wide = ["float64", "int64", "uint64"] as const;
const all = ["float32", "int32", "float16", "bfloat16", "int8", "uint16", ...wide] as const;

type Shape = readonly [number, number];
type Work = (x: Tensor) => Readonly<Record<string, Tensor>>;

const along = (axis: number): Readonly<Record<string, Work>> => ({
  [`extrema along ${axis}`]: (x) => ({ a: x.max({ axis }), b: x.min({ axis }) }),
  [`places of extrema along ${axis}`]: (x) => ({ a: x.argmax({ axis }), b: x.argmin({ axis }) }),
  [`sums along ${axis}`]: (x) => ({ a: x.sum({ axis }) }),
  [`scans along ${axis}`]: (x) => ({
    a: x.cumsum({ axis }),
    b: x.cummax({ axis }),
    c: x.cummin({ axis, reverse: true }),
  }),
});
const works: Readonly<Record<string, Work>> = { ...along(0), ...along(1) };

/** How many pieces of work were shared. */
function compareOn(made: Graph, inputs: Readonly<Record<string, readonly [DType, Shape]>>): number {
  const next = randomWords(7);
  const given = Object.entries(inputs).map(([name, [dtype, [rows, columns]]]) => [
    name,
    sampleArray(dtype, rows * columns, next),
  ]);
  return compareMembers(compile(made), Object.fromEntries(given)).opened;
}

it.each(Object.entries(works))("%s", (_, work) => {
  let opened = 0;
  const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
  // Sections that lie side by side are cut where they are long.
  const shapes = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(upTo(41), upTo(70)) },
    { weight: 1, arbitrary: fc.tuple(upTo(4), upTo(9000)) },
  );
  fc.assert(
    fc.property(fc.constantFrom<DType>(...all), shapes, (dtype, shape) => {
      opened += compareOn(
        graph({ x: tensor(dtype, shape) }, ({ x }) => work(x as Tensor)),
        { x: [dtype, shape] },
      );
    }),
    { numRuns: 20, examples: [["float32", [3, 9000]]] },
  );
  expect(opened).toBeGreaterThan(0);
});

const products: readonly (readonly [of: DType, into: DType])[] = [
  ["float16", "float16"],
  ["bfloat16", "bfloat16"],
  ["bfloat16", "float32"],
  ["int8", "int32"],
  ["int16", "int16"],
  ["float64", "float64"],
  ["int64", "int64"],
];
it.each(products)("products of %s into %s", (dtype, into) => {
  const [m, k, n] = [37, 70, 45];
  const made = graph({ a: tensor(dtype, [m, k]), b: tensor(dtype, [k, n]) }, ({ a, b }) => ({
    c: a.dot(b, { dtype: into }),
  }));
  expect(compareOn(made, { a: [dtype, [m, k]], b: [dtype, [k, n]] })).toBeGreaterThan(0);
});

it.each(["float32", "float64", "int64", "uint16"] as const)("sorts of long rows, %s", (dtype) => {
  const shape: Shape = [2, 5001];
  const made = graph({ x: tensor(dtype, shape) }, ({ x }) => ({
    places: x.argsort({ axis: 1 }),
    values: x.sort({ axis: 1 }),
  }));
  expect(compareOn(made, { x: [dtype, shape] })).toBeGreaterThan(0);
});

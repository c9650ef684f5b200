/**
 * Rows are sorted in several ways: elements alone, with their places, by their digits. All must leave the
 * bits of the stable order of keys, zeros of both signs and NaNs of any payload as they came.
 */
import type { DType, StorageArray } from "@gridfuse/plan";
import { constant } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runOn } from "./compare.ts";
import { PlanBuilder } from "./plan-builder.ts";

type Shape = readonly [outer: number, extent: number, inner: number];

const bitsOf = (array: StorageArray): Uint32Array =>
  new Uint32Array(array.buffer, array.byteOffset, array.byteLength / 4).slice();

function sortPlan(dtype: DType, [outer, extent, inner]: Shape, carried: boolean, inPlace: boolean) {
  const p = new PlanBuilder();
  const shape = [outer, extent, inner];
  const length = outer * extent * inner;
  const x = p.input("x", dtype, shape);
  const places = carried ? [p.input("i", "int32", shape)] : [];
  const y = p.output("y", dtype, shape);
  const sorted = inPlace ? p.temporary(dtype, length) : y;
  const zero = constant(0);
  const copy = {
    kind: "copy",
    name: "copy",
    dtype,
    length,
    fromIndex: zero,
    toIndex: zero,
  } as const;
  if (inPlace) p.step({ ...copy, from: x, to: sorted });
  p.step({
    ...{ kind: "sort", name: "sort", outer, extent, inner, keys: 1 },
    dtypes: [dtype, ...(carried ? (["int32"] as const) : [])],
    inputs: [inPlace ? sorted : x, ...places],
    sources: carried ? [0, 1] : [0],
    outputs: [sorted, ...(carried ? [p.output("j", "int32", shape)] : [])],
  });
  if (inPlace) p.step({ ...copy, from: sorted, to: y });
  return p.build();
}

/** Words among which signed zeros, NaNs of several payloads, infinities and equal numbers are frequent. */
const words = (length: number, seed: number): Uint32Array => {
  const few = [
    0, 0x80000000, 0x7fc00001, 0xffc00002, 0x7f800001, 0x7f800000, 0xff800000, 1, 0x80000001,
  ];
  let state = seed | 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const special = seed % 3 === 0 ? 0 : seed % 3 === 1 ? 4 : 40;
  return Uint32Array.from({ length }, () =>
    next() % 64 < special ? (few[next() % few.length] as number) : next(),
  );
};

const arrays = { float32: Float32Array, int32: Int32Array, uint32: Uint32Array } as const;
type Word = keyof typeof arrays;

function expectSame(dtype: Word, shape: Shape, seed: number, inPlace: boolean): void {
  const length = shape[0] * shape[1] * shape[2];
  const x = new arrays[dtype](words(length, seed).buffer as ArrayBuffer);
  const i = Int32Array.from({ length }, (_, at) => at);
  const carried = runOn("js", sortPlan(dtype, shape, true, false), { x, i });
  const alone = runOn("wasm", sortPlan(dtype, shape, false, inPlace), { x });
  expect(bitsOf(alone.y as StorageArray)).toEqual(bitsOf(carried.y as StorageArray));
  const both = runOn("wasm", sortPlan(dtype, shape, true, false), { x, i });
  expect(bitsOf(both.y as StorageArray)).toEqual(bitsOf(carried.y as StorageArray));
  expect(both.j).toEqual(carried.j);
}

describe("every way to sort", () => {
  test("leaves the same bits", () => {
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(127, 128, 129, 300, 513)),
      fc.constantFrom(1, 1, 1, 2, 3, 4, 8),
    );
    const dtype = fc.constantFrom<Word>("float32", "int32", "uint32");
    fc.assert(fc.property(dtype, shape, fc.nat(2 ** 30), fc.boolean(), expectSame), {
      numRuns: 60,
    });
  });

  test.each<Shape>([
    [2, 4096, 1],
    [2, 8192, 1],
    [2, 5000, 1],
    [1, 9000, 1],
    [3, 20000, 1],
    [1, 6000, 3],
  ])("also where rows are long: %s × %s × %s", (...shape) => {
    for (const [at, dtype] of (["float32", "int32", "uint32"] as const).entries()) {
      expectSame(dtype, shape, 9 + at, false);
      expectSame(dtype, shape, 31 + at, true);
    }
  });
});

/** The places of each row in order, alone or with the row itself. */
function argsortPlan(dtype: DType, [outer, extent, inner]: Shape, withValues: boolean) {
  const p = new PlanBuilder();
  const shape = [outer, extent, inner];
  const x = p.input("x", dtype, shape);
  const values = withValues ? [p.output("y", dtype, shape)] : [];
  p.step({
    ...{ kind: "sort", name: "argsort", outer, extent, inner, keys: 1 },
    dtypes: [dtype],
    inputs: [x],
    sources: withValues ? [0, 1] : [1],
    outputs: [...values, p.output("i", "int32", shape)],
  });
  return p.build();
}

/** The `k` greatest of each row, with their places. */
function topkPlan(dtype: DType, [outer, extent]: Shape, k: number) {
  const p = new PlanBuilder();
  p.step({
    ...{ kind: "topk", name: "topk", outer, extent, k, dtype },
    input: p.input("x", dtype, [outer, extent]),
    values: p.output("y", dtype, [outer, k]),
    indices: p.output("i", "int32", [outer, k]),
  });
  return p.build();
}

/** Ways to fill words so that digits at either end, or in the middle, or all, are those of everybody. */
const fills: Readonly<Record<string, (word: number, at: number) => number>> = {
  any: (word) => word,
  same: () => 0x40490fdb,
  rising: (_, at) => at,
  "low digits": (word) => 0x41000000 | (word & 0x7ff),
  "middle digits": (word) => 0x41000000 | (word & 0x003ff800),
  "high digits": (word) => word & 0xff800000,
  "outer digits": (word) => word & 0xff8007ff,
  // All but one agree in what of a key fits beside a place.
  "close to each other, but for one": (word, at) => (at === 5 ? 0x7f000000 : word & 0x3ff),
  "two numbers": (word) => (word & 1 ? 0x3f800000 : 0xbf800000),
};
const narrow = {
  int8: Int8Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
};
const keyArrays = { ...arrays, ...narrow } as const;
type Key = keyof typeof keyArrays;

function expectSamePlaces(dtype: Key, shape: Shape, fill: string, seed: number): void {
  const length = shape[0] * shape[1] * shape[2];
  const random = words(length, seed);
  const filled = random.map((word, at) => (fills[fill] as (typeof fills)[string])(word, at));
  const x =
    dtype === "float32"
      ? new Float32Array(filled.buffer as ArrayBuffer)
      : keyArrays[dtype].from(filled);
  const plans = [argsortPlan(dtype, shape, false), argsortPlan(dtype, shape, true)];
  if (shape[2] === 1) plans.push(topkPlan(dtype, shape, Math.ceil(shape[1] / 3)));
  for (const plan of plans)
    expect(runOn("wasm", plan, { x }).i).toEqual(runOn("js", plan, { x }).i);
}

describe("every way to find places", () => {
  test("finds the same", () => {
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.oneof(
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(255, 256, 257, 500, 1023, 1024, 1025, 2047, 2050),
      ),
      fc.constantFrom(1, 1, 1, 2, 3),
    );
    const dtype = fc.constantFrom(...(Object.keys(keyArrays) as Key[]));
    const fill = fc.constantFrom(...Object.keys(fills));
    fc.assert(fc.property(dtype, shape, fill, fc.nat(2 ** 30), expectSamePlaces), { numRuns: 60 });
  });

  test.each(Object.keys(fills))("also in long rows: %s", (fill) => {
    expectSamePlaces("float32", [3, 1500, 1], fill, 6);
    expectSamePlaces("float32", [1, 5001, 1], fill, 7);
    expectSamePlaces("int32", [2, 4100, 2], fill, 8);
  });
});

import {
  type DType,
  type KernelStep,
  type ReduceOp,
  type StorageArray,
  storageArray,
} from "@gridfuse/plan";
import { add, axis, mul } from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { planOf } from "./plans.ts";
import { comparable, words } from "./values.ts";

type Combine = (a: number, b: number) => number;

/** The order of plan.ts, spelled out: up to 16 in order, else segments of 256, sixteen accumulators, neighbours pairwise. */
function folded(values: ArrayLike<number>, start: number, combine: Combine): number {
  if (values.length <= 16) return Array.from(values).reduce(combine, start);
  const segments: number[] = [];
  for (let from = 0; from < values.length; from += 256) {
    const accumulators = new Array<number>(16).fill(start);
    for (let i = from; i < Math.min(from + 256, values.length); i++) {
      accumulators[i % 16] = combine(accumulators[i % 16] as number, values[i] as number);
    }
    for (const half of [8, 4, 2, 1]) {
      for (let j = 0; j < half; j++) {
        accumulators[j] = combine(accumulators[j] as number, accumulators[j + half] as number);
      }
    }
    segments.push(accumulators[0] as number);
  }
  let level = segments;
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
      2 * i + 1 < level.length
        ? combine(level[2 * i] as number, level[2 * i + 1] as number)
        : (level[2 * i] as number),
    );
  }
  return level[0] ?? start;
}

function firstExtreme(
  values: ArrayLike<number>,
  better: (a: number, b: number) => boolean,
): number {
  let best = 0;
  for (let i = 0; i < values.length; i++) {
    const [value, held] = [values[i] as number, values[best] as number];
    if (Number.isNaN(held)) break;
    if (Number.isNaN(value) || better(value, held)) best = i;
  }
  return best;
}

/** x[outer, length] reduced over its second axis, as a plan of two stages. */
function reducePlan(op: ReduceOp, dtype: DType, result: DType, outer: number, length: number) {
  const load = new ScalarBuilder();
  const index = add(mul(axis(0, outer), length), axis(1, length));
  const value = load.load(dtype, 0, index, [], { lo: 0, hi: 0 });
  const store = new ScalarBuilder();
  const write = {
    buffer: 1,
    dtype: result,
    index: axis(0, outer),
    guard: [],
    value: store.reduced(result, 0, 0),
  };
  const kernel: KernelStep = {
    kind: "kernel",
    name: op,
    axes: [outer],
    stages: [
      { axes: [length], nodes: load.nodes, reductions: [{ op, dtype: result, value }], writes: [] },
      { axes: [], nodes: store.nodes, reductions: [], writes: [write] },
    ],
  };
  return planOf(
    [{ name: "x", dtype, length: outer * length }],
    [{ name: "y", dtype: result, length: outer }],
    [kernel],
  );
}

async function reduceOnDevice(
  op: ReduceOp,
  dtype: DType,
  result: DType,
  outer: number,
  x: StorageArray,
): Promise<StorageArray> {
  const executor = await gpuExecutor();
  using executable = await executor.prepare(reducePlan(op, dtype, result, outer, x.length / outer));
  return (await executable.run({ x })).y as StorageArray;
}

const rowsOf = (x: StorageArray, outer: number): Float32Array[] =>
  Array.from({ length: outer }, (_, i) =>
    (x as Float32Array).subarray((i * x.length) / outer, ((i + 1) * x.length) / outer),
  );

function randomFloats(length: number): Float32Array {
  const next = words(length);
  return Float32Array.from({ length }, () => (next() / 2 ** 31 - 1) * 2 ** (next() % 20));
}

/** Outer points and elements: one invocation, one row, several segments, several rows, two trees. */
const shapes = [
  [5, 16],
  [70, 32],
  [3, 33],
  [7, 256],
  [5, 257],
  [3, 1000],
  [2, 4097],
  [1, 16_000],
] as const;

describe("a float sum is folded in the order of the plan", () => {
  test.each(shapes)("%i × %i", async (outer, length) => {
    const x = randomFloats(outer * length);
    const sum: Combine = (a, b) => Math.fround(a + b);
    const expected = rowsOf(x, outer).map((row) => folded(row, 0, sum));
    const found = await reduceOnDevice("add", "float32", "float32", outer, x);
    expect(found).toEqual(Float32Array.from(expected));
  });

  test("over more segments than one tree shader takes", async () => {
    const x = randomFloats(1_100_000);
    const expected = folded(x, 0, (a, b) => Math.fround(a + b));
    expect(await reduceOnDevice("add", "float32", "float32", 1, x)).toEqual(
      Float32Array.of(expected),
    );
  });

  test("a product too, and −0 + −0 is +0 because accumulators start at +0", async () => {
    const x = randomFloats(600).map((value) => 1 + value * 1e-7);
    const expected = folded(x, 1, (a, b) => Math.fround(a * b));
    expect(await reduceOnDevice("mul", "float32", "float32", 1, x)).toEqual(
      Float32Array.of(expected),
    );
    const zeros = new Float32Array(300).fill(-0);
    expect(await reduceOnDevice("add", "float32", "float32", 1, zeros)).toEqual(Float32Array.of(0));
  });
});

describe("ops that do not depend on order", () => {
  test.each(["add", "mul", "max", "min", "and", "or", "xor"] as const)("int32 %s", async (op) => {
    const next = words(99);
    const x = Int32Array.from({ length: 3 * 700 }, next);
    const combine: Record<typeof op, Combine> = {
      add: (a, b) => (a + b) | 0,
      mul: Math.imul,
      max: Math.max,
      min: Math.min,
      and: (a, b) => a & b,
      or: (a, b) => a | b,
      xor: (a, b) => a ^ b,
    };
    const expected = rowsOf(x, 3).map((row) => Array.from(row).reduce((a, b) => combine[op](a, b)));
    expect(await reduceOnDevice(op, "int32", "int32", 3, x)).toEqual(Int32Array.from(expected));
  });

  test.each(["max", "min"] as const)("float32 %s puts −0 before +0 and keeps NaN", async (op) => {
    const zeros = Float32Array.of(0, -0, 0, -0, -0, 0, 5, 5, 5, Number.NaN, 5, 5);
    const found = await reduceOnDevice(op, "float32", "float32", 3, zeros);
    const expected = rowsOf(zeros, 3).map((row) => Math[op](...row));
    expect(comparable("float32", found)).toEqual(
      comparable("float32", Float32Array.from(expected)),
    );
  });

  test.each([
    ["argmax", 20],
    ["argmin", 9000],
  ] as const)("%s of %i values is the first extreme", async (op, length) => {
    const next = words(length);
    const better = (a: number, b: number): boolean => (op === "argmax" ? a > b : a < b);
    const x = Float32Array.from({ length: 4 * length }, () => (next() % 50) - 25);
    x[length + 7] = Number.NaN;
    x[length + 11] = Number.NaN;
    x.fill(0, 2 * length, 3 * length).fill(-0, 2 * length, 2 * length + 5);
    const expected = rowsOf(x, 4).map((row) => firstExtreme(row, better));
    const found = await reduceOnDevice(op, "float32", "int32", 4, x);
    expect(found).toEqual(Int32Array.from(expected));
  });

  test("an argmax of uint32 does not take them for signed", async () => {
    const x = Uint32Array.of(1, 0x80000000, 3, 0x7fffffff);
    expect(await reduceOnDevice("argmax", "uint32", "int32", 1, x)).toEqual(Int32Array.of(1));
  });
});

test.each([
  ["add", "float32", 0],
  ["mul", "float32", 1],
  ["max", "float32", Number.NEGATIVE_INFINITY],
  ["min", "float32", Number.POSITIVE_INFINITY],
  ["max", "int32", -(2 ** 31)],
  ["min", "uint8", 255],
  ["and", "int16", -1],
  ["argmax", "int32", 0],
] as const)("%s of no %s is %d", async (op, dtype, identity) => {
  const expected = storageArray(dtype, 2);
  expected.fill(identity as never);
  const found = await reduceOnDevice(op, dtype, dtype, 2, storageArray(dtype, 0));
  expect(found).toEqual(expected);
});

test("stages after a reduction read it: rows divided by their sums, in place of the maximum", async () => {
  const [rows, length] = [5, 300];
  const at = add(mul(axis(0, rows), length), axis(1, length));
  const first = new ScalarBuilder();
  const x = first.load("float32", 0, at, [], { lo: 0, hi: 0 });
  const second = new ScalarBuilder();
  const again = second.load("float32", 0, at, [], { lo: 0, hi: 0 });
  const shifted = second.sub(again, second.reduced("float32", 0, 0));
  const third = new ScalarBuilder();
  const value = third.sub(
    third.load("float32", 0, at, [], { lo: 0, hi: 0 }),
    third.reduced("float32", 0, 0),
  );
  const quotient = third.div(value, third.reduced("float32", 1, 0));
  const kernel: KernelStep = {
    kind: "kernel",
    name: "normalise",
    axes: [rows],
    stages: [
      {
        axes: [length],
        nodes: first.nodes,
        reductions: [{ op: "max", dtype: "float32", value: x }],
        writes: [],
      },
      {
        axes: [length],
        nodes: second.nodes,
        reductions: [{ op: "add", dtype: "float32", value: shifted }],
        writes: [],
      },
      {
        axes: [length],
        nodes: third.nodes,
        reductions: [],
        writes: [{ buffer: 1, dtype: "float32", index: at, guard: [], value: quotient }],
      },
    ],
  };
  const port = { dtype: "float32", length: rows * length } as const;
  const plan = planOf([{ name: "x", ...port }], [{ name: "y", ...port }], [kernel]);
  const data = randomFloats(rows * length);
  const executor = await gpuExecutor();
  using executable = await executor.prepare(plan);
  const expected = rowsOf(data, rows).flatMap((row) => {
    const most = Math.max(...row);
    const below = row.map((value) => value - most);
    const total = folded(below, 0, (a, b) => Math.fround(a + b));
    return Array.from(below, (value) => Math.fround(value / total));
  });
  expect((await executable.run({ x: data })).y).toEqual(Float32Array.from(expected));
});

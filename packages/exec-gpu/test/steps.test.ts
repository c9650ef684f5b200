import type { ScanStep, ScatterStep, SortStep, StorageArray, TopKStep } from "@gridfuse/plan";
import { axis, value } from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { planOf } from "./plans.ts";
import { words } from "./values.ts";

async function run(
  plan: ReturnType<typeof planOf>,
  inputs: Record<string, StorageArray>,
): Promise<Record<string, StorageArray>> {
  using executable = await (await gpuExecutor()).prepare(plan);
  return executable.run(inputs);
}

/** Few different values, so that ties and both zeros are common, and some NaNs. */
function ties(length: number): Float32Array {
  const next = words(length);
  const values = [-2, -1, -0, 0, 1, 2, Number.NaN, Number.POSITIVE_INFINITY];
  return Float32Array.from({ length }, () => values[next() % values.length] as number);
}

/** Ascending, zeros equal, NaN last. */
const before = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a - b;

/** The positions of one line of [outer, extent, inner]. */
const lineAt = (line: number, extent: number, inner: number): number[] =>
  Array.from(
    { length: extent },
    (_, i) => Math.floor(line / inner) * extent * inner + i * inner + (line % inner),
  );

describe.each([
  [2, 37, 3],
  [1, 1, 5],
  [3, 64, 1],
] as const)("sort of [%i, %i, %i]", (outer, extent, inner) => {
  const length = outer * extent * inner;
  const step = (keys: number): SortStep => ({
    kind: "sort",
    name: "sort",
    ...{ outer, extent, inner, keys },
    dtypes: ["float32", "uint8", "int32"],
    inputs: [0, 1, 2],
    sources: [0, 1, 2],
    outputs: [3, 4, 5],
  });
  const port = (name: string, dtype: "float32" | "uint8" | "int32") => ({ name, dtype, length });
  const x = ties(length);
  const y = Uint8Array.from({ length }, (_, i) => (i * 5) % 3);
  const z = Int32Array.from({ length }, (_, i) => i);

  test.each([1, 2])("by %i keys is stable and carries the rest", async (keys) => {
    const inputs = [port("x", "float32"), port("y", "uint8"), port("z", "int32")];
    const outputs = [port("a", "float32"), port("b", "uint8"), port("c", "int32")];
    const found = await run(planOf(inputs, outputs, [step(keys)]), { x, y, z });
    const order = new Int32Array(length);
    for (let line = 0; line < outer * inner; line++) {
      const places = lineAt(line, extent, inner);
      const sorted = [...places].sort(
        (p, q) =>
          before(x[p] as number, x[q] as number) ||
          (keys === 2 ? (y[p] as number) - (y[q] as number) : 0),
      );
      for (const [i, place] of places.entries()) order[place] = sorted[i] as number;
    }
    expect(found.c).toEqual(order);
    expect(found.a).toEqual(Float32Array.from(order, (i) => x[i] as number));
    expect(found.b).toEqual(Uint8Array.from(order, (i) => y[i] as number));
  });

  test("in place", async () => {
    const temporary = (dtype: "float32" | "uint8" | "int32", offset: number) =>
      ({ kind: "temporary", dtype, length, offset }) as const;
    const sources = [port("x", "float32"), port("y", "uint8"), port("z", "int32")];
    const result = { name: "c", dtype: "int32", length } as const;
    const move = (from: number, to: number, dtype: "float32" | "uint8" | "int32") =>
      ({
        kind: "copy",
        name: `move ${from}`,
        ...{ dtype, length, from, to },
        fromIndex: axis(0, 1),
        toIndex: axis(0, 1),
      }) as const;
    const plan = planOf(
      sources,
      [result],
      [
        move(0, 4, "float32"),
        move(1, 5, "uint8"),
        move(2, 6, "int32"),
        { ...step(1), inputs: [4, 5, 6], outputs: [4, 5, 6] },
        move(6, 3, "int32"),
      ],
      [temporary("float32", 0), temporary("uint8", 1024), temporary("int32", 1536)],
    );
    const separate = planOf(
      sources,
      [port("a", "float32"), port("b", "uint8"), port("c", "int32")],
      [step(1)],
    );
    expect((await run(plan, { x, y, z })).c).toEqual((await run(separate, { x, y, z })).c);
  });
});

test("topk takes the greatest, NaN first, the lower index on ties", async () => {
  const [outer, extent, k] = [4, 50, 7];
  const step: TopKStep = {
    kind: "topk",
    name: "topk",
    ...{ outer, extent, k, dtype: "float32", input: 0, values: 1, indices: 2 },
  };
  const x = ties(outer * extent);
  const plan = planOf(
    [{ name: "x", dtype: "float32", length: x.length }],
    [
      { name: "values", dtype: "float32", length: outer * k },
      { name: "indices", dtype: "int32", length: outer * k },
    ],
    [step],
  );
  const expected = Array.from({ length: outer }, (_, row) => {
    const order = lineAt(row, extent, 1).sort((p, q) => before(x[q] as number, x[p] as number));
    return order.slice(0, k);
  }).flat();
  const { values, indices } = await run(plan, { x });
  expect(indices).toEqual(Int32Array.from(expected, (place) => place % extent));
  expect(values).toEqual(Float32Array.from(expected, (place) => x[place] as number));
});

test.each([
  ["add", false],
  ["add", true],
  ["mul", false],
  ["max", true],
] as const)("a scan by %s, reversed: %s, goes along the middle axis", async (op, reverse) => {
  const [outer, extent, inner] = [2, 33, 3];
  const length = outer * extent * inner;
  const next = words(8);
  const x = Float32Array.from({ length }, () => 1 + (next() % 1000) / 4096);
  const port = { dtype: "float32", length } as const;
  const step: ScanStep = {
    kind: "scan",
    name: "scan",
    ...{ op, reverse, outer, extent, inner, dtype: "float32", input: 0, output: 1 },
  };
  const expected = new Float32Array(length);
  const combine = {
    add: (a: number, b: number) => a + b,
    mul: (a: number, b: number) => a * b,
    max: Math.max,
  }[op];
  for (let line = 0; line < outer * inner; line++) {
    const places = lineAt(line, extent, inner);
    if (reverse) places.reverse();
    let folded: number | undefined;
    for (const place of places) {
      const own = x[place] as number;
      folded = folded === undefined ? own : Math.fround(combine(folded, own));
      expected[place] = folded;
    }
  }
  const plan = planOf([{ name: "x", ...port }], [{ name: "y", ...port }], [step]);
  expect((await run(plan, { x })).y).toEqual(expected);
});

describe("a scatter goes through its points in order", () => {
  const points = 40;
  const targets = 7;
  const next = words(12);
  const at = Int32Array.from({ length: points }, () => (next() % (targets + 2)) - 1);
  const x = Float32Array.from({ length: points }, () => (next() / 2 ** 32) * 2 ** (next() % 20));

  test.each(["set", "add", "max"] as const)(
    "%s, dropping what its guard drops",
    async (combine) => {
      const builder = new ScalarBuilder();
      const place = builder.load("int32", 0, axis(0, points), [], { lo: 0, hi: 0 });
      const node = builder.load("float32", 1, axis(0, points), [], { lo: 0, hi: 0 });
      const index = value(place, -1, targets);
      const step: ScatterStep = {
        kind: "scatter",
        name: "scatter",
        axes: [points],
        nodes: builder.nodes,
        combine,
        write: {
          buffer: 2,
          dtype: "float32",
          index,
          guard: [{ index, lo: 0, hi: targets }],
          value: node,
        },
      };
      const plan = planOf(
        [
          { name: "at", dtype: "int32", length: points },
          { name: "x", dtype: "float32", length: points },
        ],
        [{ name: "y", dtype: "float32", length: targets }],
        [step],
      );
      const expected = new Float32Array(targets);
      const rules = {
        set: (_: number, b: number) => b,
        add: (a: number, b: number) => a + b,
        max: Math.max,
      };
      for (const [i, target] of at.entries()) {
        if (target < 0 || target >= targets) continue;
        expected[target] = rules[combine](expected[target] as number, x[i] as number);
      }
      expect((await run(plan, { at, x })).y).toEqual(expected);
    },
  );
});

import {
  bool,
  type CopyStep,
  type DType,
  type KernelStep,
  type LoopStep,
  type Stage,
  type StorageArray,
  storageArray,
} from "@gridfuse/plan";
import {
  add,
  and,
  axis,
  constant,
  evaluate,
  floordiv,
  type IndexExpr,
  loop,
  max,
  min,
  mod,
  mul,
  sub,
  value,
  xor,
} from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { planOf } from "./plans.ts";
import { words } from "./values.ts";

const nothing = { lo: 0, hi: 0 };

function kernelOf(axes: readonly number[], ...stages: readonly Partial<Stage>[]): KernelStep {
  const none = { axes: [], nodes: [], reductions: [], writes: [] };
  return {
    kind: "kernel",
    name: "k",
    axes,
    stages: stages.map((stage) => ({ ...none, ...stage })),
  };
}

async function run(
  plan: ReturnType<typeof planOf>,
  inputs: Record<string, StorageArray>,
): Promise<Record<string, StorageArray>> {
  const executor = await gpuExecutor();
  using executable = await executor.prepare(plan);
  return executable.run(inputs);
}

const indexExprs = (extents: readonly number[]): fc.Arbitrary<IndexExpr> =>
  fc.letrec<{ e: IndexExpr }>((tie) => ({
    e: fc.oneof(
      { maxDepth: 4 },
      fc.nat({ max: extents.length - 1 }).map((i) => axis(i, extents[i] as number)),
      fc.tuple(tie("e"), fc.integer({ min: -9, max: 9 })).map(([e, by]) => mul(e, by)),
      fc.tuple(tie("e"), tie("e")).map(([a, b]) => add(a, b)),
      fc.tuple(tie("e"), fc.integer({ min: -50, max: 50 })).map(([e, c]) => add(e, constant(c))),
      fc.tuple(tie("e"), fc.integer({ min: 1, max: 20 })).map(([e, by]) => floordiv(e, by)),
      fc.tuple(tie("e"), fc.integer({ min: 1, max: 20 })).map(([e, by]) => mod(e, by)),
      fc.tuple(tie("e"), tie("e")).map(([a, b]) => min(a, b)),
      fc.tuple(tie("e"), tie("e")).map(([a, b]) => max(a, b)),
      fc
        .tuple(tie("e"), tie("e"), fc.boolean())
        .map(([a, b, either]) =>
          either ? xor(mod(a, 64), mod(b, 64)) : and(mod(a, 64), mod(b, 64)),
        ),
    ),
  })).e;

test("index expressions mean in a shader what they mean in JS", async () => {
  const extents = [3, 4, 5];
  const points = 60;
  const samples = fc.sample(indexExprs(extents), { numRuns: 60, seed: 7 });
  const builder = new ScalarBuilder();
  const nodes = samples.map((e) => builder.index("int32", e));
  const at = add(mul(axis(0, 3), 20), mul(axis(1, 4), 5), axis(2, 5));
  const writes = nodes.map((node, i) => ({
    buffer: 0,
    dtype: "int32" as const,
    index: add(at, constant(i * points)),
    guard: [],
    value: node,
  }));
  const length = samples.length * points;
  const plan = planOf(
    [],
    [{ name: "y", dtype: "int32", length }],
    [kernelOf(extents, { nodes: builder.nodes, writes })],
  );
  const { y } = await run(plan, {});
  const expected = samples.flatMap((e) =>
    Array.from({ length: points }, (_, point) => {
      const coordinates = [Math.floor(point / 20), Math.floor(point / 5) % 4, point % 5];
      return evaluate(e, { axis: (i) => coordinates[i] as number });
    }),
  );
  expect(y).toEqual(Int32Array.from(expected));
});

describe("elements narrower than a word", () => {
  test.each(["uint8", "int8", "uint16", "bool", "float16"] as const)(
    "%s: neighbours in a word do not disturb each other, reversed and with a hole",
    async (dtype: DType) => {
      const length = 1003;
      const next = words(5);
      const x = storageArray(dtype, length);
      for (let i = 0; i < length; i++) x[i] = next() % (dtype === bool ? 2 : 0x7c00);
      const builder = new ScalarBuilder();
      const at = axis(0, length);
      const mirrored = sub(constant(length - 1), at);
      const value = builder.load(dtype, 0, at, [], nothing);
      const guard = [{ index: at, lo: 3, hi: length }];
      const writes = [{ buffer: 1, dtype, index: mirrored, guard, value }];
      const port = { dtype, length };
      const plan = planOf(
        [{ name: "x", ...port }],
        [{ name: "y", ...port }],
        [kernelOf([length], { nodes: builder.nodes, writes })],
      );
      const { y } = await run(plan, { x });
      const expected = x.slice().reverse() as Uint8Array;
      expected.fill(0, length - 3);
      expect(y).toEqual(expected);
    },
  );
});

test("a guarded load reads nothing outside and yields its fill: a shift by two with an edge", async () => {
  const length = 100;
  const builder = new ScalarBuilder();
  const index = add(axis(0, length), constant(-2));
  const fill = { lo: 0xc0e00000, hi: 0 }; // −7
  const value = builder.load("float32", 0, index, [{ index, lo: 0, hi: length }], fill);
  const writes = [
    { buffer: 1, dtype: "float32" as const, index: axis(0, length), guard: [], value },
  ];
  const port = { dtype: "float32", length } as const;
  const plan = planOf(
    [{ name: "x", ...port }],
    [{ name: "y", ...port }],
    [kernelOf([length], { nodes: builder.nodes, writes })],
  );
  const x = Float32Array.from({ length }, (_, i) => i + 0.5);
  expect((await run(plan, { x })).y).toEqual(Float32Array.of(-7, -7, ...x.subarray(0, -2)));
});

test("a gather reads where another input says", async () => {
  const builder = new ScalarBuilder();
  const where = builder.load("int32", 1, axis(0, 8), [], nothing);
  const value8 = builder.load("float32", 0, value(where, 0, 4), [], nothing);
  const writes = [
    { buffer: 2, dtype: "float32" as const, index: axis(0, 8), guard: [], value: value8 },
  ];
  const plan = planOf(
    [
      { name: "x", dtype: "float32", length: 5 },
      { name: "at", dtype: "int32", length: 8 },
    ],
    [{ name: "y", dtype: "float32", length: 8 }],
    [kernelOf([8], { nodes: builder.nodes, writes })],
  );
  const x = Float32Array.of(10, 11, 12, 13, 14);
  const { y } = await run(plan, { x, at: Int32Array.of(4, 0, 0, 3, 2, 2, 1, 4) });
  expect(y).toEqual(Float32Array.of(14, 10, 10, 13, 12, 12, 11, 14));
});

test("moved floats keep every bit of a NaN and of a subnormal", async () => {
  const bits = Uint32Array.of(0x7f800001, 0xffc12345, 0x00000001, 0x80000000, 0x807fffff);
  const builder = new ScalarBuilder();
  const x = builder.load("float32", 0, axis(0, 5), [], nothing);
  const value = builder.select(builder.compare("eq", x, x), x, x);
  const writes = [{ buffer: 1, dtype: "float32" as const, index: axis(0, 5), guard: [], value }];
  const port = { dtype: "float32", length: 5 } as const;
  const plan = planOf(
    [{ name: "x", ...port }],
    [{ name: "y", ...port }],
    [kernelOf([5], { nodes: builder.nodes, writes })],
  );
  const { y } = await run(plan, { x: new Float32Array(bits.buffer) });
  expect(new Uint32Array((y as Float32Array).buffer)).toEqual(bits);
});

test("what only the slow side of `rare` needs, loads included, stays correct in its branch", async () => {
  const length = 64;
  const at = axis(0, length);
  const builder = new ScalarBuilder();
  const x = builder.load("float32", 0, at, [], nothing);
  const big = builder.compare("gt", x, builder.const("float32", 40));
  const far = builder.load("float32", 0, sub(constant(length - 1), at), [], nothing);
  const inner = builder.rare(builder.compare("gt", far, builder.const("float32", 10)), far, x);
  const slow = builder.unary("sqrt", builder.add(inner, builder.const("float32", 2)));
  const result = builder.add(builder.rare(big, slow, x), builder.neg(far));
  const writes = [{ buffer: 1, dtype: "float32" as const, index: at, guard: [], value: result }];
  const port = { dtype: "float32", length } as const;
  const plan = planOf(
    [{ name: "x", ...port }],
    [{ name: "y", ...port }],
    [kernelOf([length], { nodes: builder.nodes, writes })],
  );
  const data = Float32Array.from({ length }, (_, i) => i);
  const expected = data.map((own, i) => {
    const other = data[length - 1 - i] as number;
    const taken = own > 40 ? Math.fround(Math.sqrt((other > 10 ? other : own) + 2)) : own;
    return taken - other;
  });
  expect((await run(plan, { x: data })).y).toEqual(expected);
});

describe("steps beside kernels", () => {
  test.each(["float64", "int64", "float32", "uint16", "bool"] as const)(
    "a copy moves %s untouched, between offsets",
    async (dtype) => {
      const copy: CopyStep = {
        kind: "copy",
        name: "move",
        dtype,
        length: 21,
        from: 0,
        fromIndex: constant(3),
        to: 1,
        toIndex: constant(1),
      };
      const port = { dtype, length: 24 } as const;
      const x = storageArray(dtype, 24);
      const bytes = new Uint8Array(x.buffer);
      bytes.forEach((_, i) => {
        bytes[i] = dtype === bool ? i % 2 : (i * 37) % 251;
      });
      const { y } = await run(planOf([{ name: "x", ...port }], [{ name: "y", ...port }], [copy]), {
        x,
      });
      expect(y?.slice(1, 22)).toEqual(x.slice(3, 24));
    },
  );

  test("loops are unrolled, with their counters in index expressions and an arena in between", async () => {
    // t = x; 3 × (for each j: t[j] += x[loop]) through a temporary; y = t
    const length = 4;
    const port = { dtype: "float32", length } as const;
    const temporary = { kind: "temporary", ...port, offset: 256 } as const;
    const move = (name: string, from: number, to: number): CopyStep => ({
      kind: "copy",
      name,
      dtype: "float32",
      length,
      from,
      fromIndex: constant(0),
      to,
      toIndex: constant(0),
    });
    const builder = new ScalarBuilder();
    const own = builder.load("float32", 2, axis(0, length), [], nothing);
    const step = builder.load("float32", 0, add(loop(0, 3), loop(1, 2)), [], nothing);
    const writes = [
      {
        buffer: 2,
        dtype: "float32" as const,
        index: axis(0, length),
        guard: [],
        value: builder.add(own, step),
      },
    ];
    const inner: LoopStep = {
      kind: "loop",
      name: "inner",
      loop: 1,
      trips: 2,
      grid: false,
      body: [kernelOf([length], { nodes: builder.nodes, writes })],
    };
    const outer: LoopStep = { ...inner, name: "outer", loop: 0, trips: 3, body: [inner] };
    const plan = planOf(
      [{ name: "x", ...port }],
      [{ name: "y", ...port }],
      [move("in", 0, 2), outer, move("out", 2, 1)],
      [temporary],
    );
    const { y } = await run(plan, { x: Float32Array.of(1, 10, 100, 1000) });
    // x[0] + x[1] + x[1] + x[2] + x[2] + x[3]
    expect(y).toEqual(Float32Array.of(1222, 1231, 1321, 2221));
  });
});

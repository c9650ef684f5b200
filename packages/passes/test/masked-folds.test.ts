/**
 * Updates under a condition: what a point does not add, it adds as nothing, and the axis is a reduction. Against
 * the interpreter on values that are hard to add and to compare; to the bit but for sums and products whose order changes.
 */

import { interpret } from "@gridfuse/interpret";
import fc from "fast-check";
import {
  cpu,
  f32,
  type Graph,
  graph,
  i32,
  kernel,
  type RunInputs,
  squeezed,
  type Tensor,
  tensor,
  vmem,
  when,
  where,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile, report } from "../src/index.ts";

const [n, width] = [7, 3];
const executor = await cpu();

const rows = tensor(f32, [n, width]).blocks([squeezed, width], ({ i }) => [i, 0]);
const integers = tensor(i32, [n, width]).blocks([squeezed, width], ({ i }) => [i, 0]);
const flags = tensor(i32, [n]);
const total = tensor(f32, [width]).blocks([width], () => [0]);
const count = tensor(i32, [width]).blocks([width], () => [0]);

const verdictOf = (g: Graph, reassociate = true): string => {
  const [axis] = report(compile(g, { reassociate })).axes;
  return `${axis?.verdict}: ${axis?.reason}`;
};

async function expectSame(g: Graph, inputs: RunInputs, reassociate = true): Promise<void> {
  const executable = await executor.prepare(compile(g, { reassociate }));
  const compiled = await executable.run(inputs);
  for (const [name, { data }] of Object.entries(interpret(g.program, inputs as never))) {
    expect([...compiled[name]!], name).toEqual([...data]);
  }
}

const awkward = fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1e-42, 3e38, 1, -1);
const floats = fc
  .array(fc.oneof(awkward, fc.float()), { minLength: n * width, maxLength: n * width })
  .map((values) => Float32Array.from(values));
/** Sums of which no order rounds. */
const wholes = fc
  .array(fc.integer({ min: -99, max: 99 }), { minLength: n * width, maxLength: n * width })
  .map((values) => Float32Array.from(values));
const choices = fc
  .array(fc.integer({ min: 0, max: 2 }), { minLength: n, maxLength: n })
  .map((values) => Int32Array.from(values));

type Update = (before: Tensor, x: Tensor) => Tensor;

const underFlag = (update: Update, first: number) => {
  const made = kernel(
    "masked",
    { grid: { i: n }, prefetch: { flags }, inputs: { x: rows }, outputs: { s: total } },
    ({ flags, x, s }, { i }) => {
      when(i.isFirst, () => s.set(first));
      when(flags.get(i).gt(0), () => s.set(update(s.get(), x.get()) as Tensor<"float32">));
    },
  );
  return graph(made.inputs, made);
};

describe("an update under a condition of the point", () => {
  it.each([
    ["max", underFlag((s, x) => s.maximum(x) as Tensor, -0)],
    ["min", underFlag((s, x) => x.minimum(s) as Tensor, 3)],
  ])("is a reduction by %s, to the bit", async (op, g) => {
    expect(verdictOf(g, false)).toBe(`reduction: "s" accumulates by ${op}`);
    await fc.assert(
      fc.asyncProperty(choices, floats, (flags, x) => expectSame(g, { flags, x }, false)),
      { numRuns: 30 },
    );
  });

  it("is a sum, whatever stands where nothing is added", async () => {
    const g = underFlag((s, x) => s.add(x) as Tensor, 0.5);
    expect(verdictOf(g)).toBe('reduction: "s" accumulates by add');
    expect(verdictOf(g, false)).toContain("sequential");
    await fc.assert(
      fc.asyncProperty(choices, wholes, awkward, (flags, x, unseen) => {
        const masked = x.map((value, at) => (flags[Math.floor(at / width)] === 0 ? unseen : value));
        return expectSame(g, { flags, x: masked });
      }),
      { numRuns: 30 },
    );
  });

  it("keeps a negative zero where nothing is added", async () => {
    const made = kernel(
      "before",
      {
        grid: { i: n },
        prefetch: { flags },
        inputs: { x: rows },
        outputs: { found: rows },
        scratch: { s: vmem(f32, [width]) },
      },
      ({ flags, x, found, s }, { i }) => {
        when(i.isFirst, () => s.set(-0));
        when(flags.get(i).gt(0), () => s.add(x.get()));
        found.set(s.get());
      },
    );
    const g = graph(made.inputs, made);
    expect(verdictOf(g, false)).toBe('reduction: "s" accumulates by add, read at every point');
    await expectSame(g, { flags: new Int32Array(n), x: new Float32Array(n * width) }, false);
    await fc.assert(
      fc.asyncProperty(choices, floats, (flags, x) => expectSame(g, { flags, x }, false)),
      { numRuns: 30 },
    );
  });

  it("may be one condition in another, and another update besides", async () => {
    const made = kernel(
      "nested",
      {
        grid: { i: n },
        prefetch: { flags },
        inputs: { x: integers },
        outputs: { s: count, most: count },
      },
      ({ flags, x, s, most }, { i }) => {
        when(i.isFirst, () => {
          s.set(1);
          most.set(-(2 ** 31));
        });
        when(flags.get(i).gt(0), () => {
          s.add(x.get());
          when(i.rem(2).eq(0), () => {
            s.add(7);
            most.set(most.get().maximum(x.get()) as Tensor<"int32">);
          });
        });
        s.add(where(x.get().lt(0), x.get(), 3) as Tensor<"int32">);
      },
    );
    const g = graph(made.inputs, made);
    expect(verdictOf(g, false)).toBe(
      'reduction: "s" accumulates by add; "most" accumulates by max',
    );
    await fc.assert(
      fc.asyncProperty(choices, wholes, (flags, x) =>
        expectSame(g, { flags, x: Int32Array.from(x) }, false),
      ),
      { numRuns: 30 },
    );
  });

  it("may be an element's own condition", async () => {
    const made = kernel(
      "positive",
      { grid: { i: n }, inputs: { x: integers }, outputs: { s: count } },
      ({ x, s }, { i }) => {
        when(i.isFirst, () => s.set(-1));
        s.set(where(x.get().gt(0), s.get().xor(x.get()), s.get()) as Tensor<"int32">);
      },
    );
    const g = graph(made.inputs, made);
    expect(verdictOf(g)).toBe('reduction: "s" accumulates by xor');
    await fc.assert(
      fc.asyncProperty(wholes, (x) => expectSame(g, { x: Int32Array.from(x) })),
      { numRuns: 20 },
    );
  });
});

describe("a product under a condition", () => {
  const masked = (blocks: number, size: number) => {
    const made = kernel(
      "lower_triangle",
      {
        grid: { i: blocks, j: blocks },
        inputs: {
          a: tensor(f32, [blocks * 2, blocks * 2]).blocks([2, 2], ({ i, j }) => [i, j]),
          b: tensor(f32, [blocks * 2, size]).blocks([2, size], ({ j }) => [j, 0]),
        },
        outputs: { c: tensor(f32, [blocks * 2, size]).blocks([2, size], ({ i }) => [i, 0]) },
      },
      ({ a, b, c }, { i, j }) => {
        when(j.isFirst, () => c.set(0));
        when(j.le(i), () => c.add(a.get().dot(b.get())));
      },
    );
    return graph(made.inputs, made);
  };

  it("is summed at once where all products fit beside the arrays", async () => {
    const g = masked(3, 4);
    expect(report(compile(g)).gridLoops).toBe(0);
    const a = Float32Array.from({ length: 36 }, (_, at) => (at % 5) - 2);
    const b = Float32Array.from({ length: 24 }, (_, at) => (at % 7) - 3);
    await expectSame(g, { a, b });
  });

  it("stays a loop where they would take many times the space", () => {
    expect(report(compile(masked(64, 1024))).axes.at(-1)?.reason).toBe(
      'what all points contribute to "c" would dwarf the arrays of the kernel',
    );
  });
});

describe("what is no fold", () => {
  it.each([
    ["by different operations", (s: Tensor, x: Tensor) => where(x.gt(0), s.add(x), s.maximum(x))],
    ["by a condition on the state", (s: Tensor, x: Tensor) => where(s.gt(0), s.add(x), s.sub(x))],
    ["by what it was", (s: Tensor, x: Tensor) => where(x.gt(0), s.add(s), s)],
  ])("stays in order: updates %s", async (_, update) => {
    const g = underFlag(update as Update, 1);
    expect(verdictOf(g)).toContain("sequential");
    await fc.assert(
      fc.asyncProperty(choices, floats, (flags, x) => expectSame(g, { flags, x })),
      { numRuns: 10 },
    );
  });
});

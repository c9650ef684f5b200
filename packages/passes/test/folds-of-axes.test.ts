/**
 * Axes that fold: what all points contribute is joined at once, and comes out as if the points had been
 * visited one after the other. Every kind of fold against the interpreter, to the bit, on values that are
 * hard to add and to compare.
 */

import { interpret } from "@gridfuse/interpret";
import fc from "fast-check";
import {
  cpu,
  debugPrint,
  f32,
  type Graph,
  graph,
  i32,
  kernel,
  type Ref,
  type RunInputs,
  type Tensor,
  tensor,
  vmem,
  when,
  where,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile, report } from "../src/index.ts";

const [n, width] = [5, 3];
const awkward = fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1e-42, 3e38, 1, -1, 0.1);
const floats = (count: number) =>
  fc
    .array(fc.oneof(awkward, fc.float()), { minLength: count, maxLength: count })
    .map((values) => Float32Array.from(values));
const ints = (count: number, least: number, most: number) =>
  fc
    .array(fc.integer({ min: least, max: most }), { minLength: count, maxLength: count })
    .map((values) => Int32Array.from(values));

const executor = await cpu();

type Comparison = (inputs: RunInputs) => Promise<void>;

/** The plan has no grid loop; what it gives is compared with what the interpreter gives. */
async function comparison(g: Graph): Promise<Comparison> {
  const plan = compile(g, { reassociate: false });
  expect(report(plan).gridLoops).toBe(0);
  const executable = await executor.prepare(plan);
  return async (inputs) => {
    const compiled = await executable.run(inputs);
    const interpreted = interpret(g.program, inputs as never);
    for (const [name, { data }] of Object.entries(interpreted)) {
      expect([...compiled[name]!], name).toEqual([...data]);
    }
  };
}

const blocks = tensor(f32, [n, width]).blocks([1, width], ({ i }) => [i, 0]);
const whole = tensor(f32, [1, width]);

describe("a state that is read at every point", () => {
  const running = (update: (before: Tensor, x: Tensor) => Tensor, first: number) => {
    const made = kernel(
      "running",
      {
        grid: { i: n },
        inputs: { x: blocks },
        outputs: { before: blocks, after: blocks, last: whole },
        scratch: { state: vmem(f32, [1, width]) },
      },
      ({ x, before, after, last, state }, { i }) => {
        when(i.isFirst, () => state.set(first));
        before.set(state.get());
        state.set(update(state.get(), x.get()) as Tensor<"float32">);
        after.set(state.get());
        when(i.isLast, () => last.set(state.get()));
      },
    );
    return graph(made.inputs, made);
  };

  it.each([
    ["a sum", running((a, b) => a.add(b) as Tensor, 0.5)],
    ["a product", running((a, b) => b.mul(a) as Tensor, -1)],
    ["a maximum", running((a, b) => a.maximum(b) as Tensor, -0)],
    ["a minimum", running((a, b) => b.minimum(a) as Tensor, Infinity)],
  ])("is the prefix of %s", async (_, g) => {
    const compare = await comparison(g);
    await fc.assert(
      fc.asyncProperty(floats(n * width), (x) => compare({ x })),
      { numRuns: 30 },
    );
  });

  it("may be an input block that every point changes", async () => {
    const made = kernel(
      "mutated",
      { grid: { i: n }, inputs: { x: whole }, outputs: { y: blocks } },
      ({ x, y }) => {
        x.add(1.5);
        y.set(x.get());
      },
    );
    const compare = await comparison(graph(made.inputs, made));
    await compare({ x: Float32Array.of(1, -0, 1e8) });
  });

  it("leaves the axes around it parallel", () => {
    const made = kernel(
      "rows",
      {
        grid: { i: 2, j: 4 },
        inputs: { x: tensor(f32, [2, 8]).blocks([1, 2], ({ i, j }) => [i, j]) },
        outputs: { y: tensor(f32, [2, 8]).blocks([1, 2], ({ i, j }) => [i, j]) },
        scratch: { sum: vmem(f32, [1, 2]) },
      },
      ({ x, y, sum }, { j }) => {
        when(j.isFirst, () => sum.set(0));
        sum.add(x.get());
        y.set(sum.get());
      },
    );
    const { axes } = report(compile(graph(made.inputs, made)));
    expect(axes.map(({ verdict }) => verdict)).toEqual(["parallel", "reduction"]);
  });
});

describe("a state that is read and printed", () => {
  it("keeps its order, and prints once", () => {
    const made = kernel(
      "told",
      {
        grid: { i: n },
        inputs: { x: blocks },
        outputs: { y: blocks },
        scratch: { sum: vmem(f32, [1, width]) },
      },
      ({ x, y, sum }, { i }) => {
        when(i.isFirst, () => sum.set(0));
        debugPrint("point {}", i);
        sum.add(x.get());
        y.set(sum.get());
      },
    );
    expect(report(compile(graph(made.inputs, made))).axes[0]?.verdict).toBe("sequential");
  });
});

describe("a state that collects scatters", () => {
  const bins = 4;
  const places = tensor(i32, [n, width]).blocks([1, width], ({ i }) => [i, 0]);
  const collecting = (combine: "set" | "add" | "mul" | "min" | "max", start: "zero" | "given") => {
    const made = kernel(
      "collect",
      {
        grid: { i: n },
        inputs: { given: tensor(f32, [bins]), x: blocks, at: places },
        outputs: { y: tensor(f32, [bins]) },
        ...(start === "given" ? { aliases: { given: "y" } } : {}),
      },
      ({ x, at, y }, { i }) => {
        if (start === "zero") when(i.isFirst, () => y.set(0));
        const updated = (y as Ref).get().at(at.get().reshape([width]));
        y.set(updated[combine](x.get().reshape([width])) as Tensor<"float32">);
      },
    );
    return graph(made.inputs, made);
  };

  it.each(["set", "add", "mul", "min", "max"] as const)(
    "is one scatter by %s, in the order of the points",
    async (combine) => {
      const either = [
        await comparison(collecting(combine, "zero")),
        await comparison(collecting(combine, "given")),
      ];
      await fc.assert(
        fc.asyncProperty(
          floats(bins),
          floats(n * width),
          ints(n * width, -1, bins),
          fc.constantFrom(...either),
          (given, x, at, compare) => compare({ given, x, at }),
        ),
        { numRuns: 30 },
      );
    },
  );

  it("may be blocks whose places are looked up: the last one stays", async () => {
    const made = kernel(
      "placed",
      {
        grid: { i: n },
        prefetch: { table: tensor(i32, [n]) },
        inputs: { x: blocks },
        outputs: {
          y: tensor(f32, [n, width]).blocks([1, width], ({ i }, { table }) => [table.get(i), 0]),
        },
        fill: "zero",
      },
      ({ x, y }) => y.set(x.get()),
    );
    const compare = await comparison(graph(made.inputs, made));
    await fc.assert(
      fc.asyncProperty(ints(n, 0, n - 1), floats(n * width), (table, x) => compare({ table, x })),
      { numRuns: 20 },
    );
  });
});

describe("states of which one picks for all", () => {
  const picking = (order: "gt" | "lt", shape: readonly [number, number], first: number) => {
    const values = tensor(f32, [n, shape[1]]).blocks([1, shape[1]], ({ i }) => [i, 0]);
    const made = kernel(
      "pick",
      {
        grid: { i: n },
        inputs: { x: values, row: blocks },
        outputs: {
          place: tensor(i32, shape),
          taken: shape[1] === width ? whole : tensor(f32, shape),
        },
        scratch: { best: vmem(f32, shape) },
      },
      ({ x, row, place, taken, best }, { i }) => {
        when(i.isFirst, () => {
          best.set(first);
          place.set(-1);
          taken.set(7);
        });
        const better = x.get()[order](best.get());
        const carried = shape[1] === width ? row.get() : x.get().mul(2);
        taken.set(where(better, carried, taken.get()) as Tensor<"float32">);
        place.set(where(better, i, place.get()) as Tensor<"int32">);
        best.set(where(better, x.get(), best.get()) as Tensor<"float32">);
      },
    );
    return graph(made.inputs, made);
  };

  it.each([
    ["greatest", width, picking("gt", [1, width], -Infinity)],
    ["least", width, picking("lt", [1, width], Infinity)],
    ["greatest above a bound", 1, picking("gt", [1, 1], 0)],
    ["least below a bound", 1, picking("lt", [1, 1], -0)],
  ])("take what goes with the %s", async (_, columns, g) => {
    const compare = await comparison(g);
    await fc.assert(
      fc.asyncProperty(floats(n * columns), floats(n * width), (x, row) => compare({ x, row })),
      { numRuns: 40 },
    );
  });

  it("are kept in order where the later of equals wins", () => {
    const made = kernel(
      "later",
      {
        grid: { i: n },
        inputs: { x: blocks },
        outputs: { place: tensor(i32, [1, width]) },
        scratch: { best: vmem(f32, [1, width]) },
      },
      ({ x, place, best }, { i }) => {
        when(i.isFirst, () => {
          best.set(-Infinity);
          place.set(0);
        });
        const better = x.get().ge(best.get());
        place.set(where(better, i, place.get()) as Tensor<"int32">);
        best.set(where(better, x.get(), best.get()) as Tensor<"float32">);
      },
    );
    expect(report(compile(graph(made.inputs, made))).axes[0]?.verdict).toBe("sequential");
  });
});

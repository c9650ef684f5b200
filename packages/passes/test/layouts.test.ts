/**
 * Temporaries whose rows come to lie side by side: where, where not, and that nothing else changes. Results are
 * compared three ways: the interpreter, JS and WebAssembly.
 */
import { tensorOf } from "@gridfuse/interpret";
import type { KernelStep, Plan } from "@gridfuse/plan";
import { evaluate } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { f32, type Graph, graph, i32, stack, type Tensor, tensor } from "gridfuse";
import { describe, expect, it } from "vitest";
import { expectNoFaults, runsOf } from "../../../test/differential/support/property.ts";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile, report } from "../src/index.ts";

/** Keeps the smaller of elements i and i ^ delta at the lower place. */
function exchange(x: Tensor, delta: number): Tensor {
  const [rows, n] = x.shape as [number, number];
  const pairs = x.reshape([rows, n / (2 * delta), 2, delta]);
  const [low, high] = [pairs.index(":", ":", 0), pairs.index(":", ":", 1)] as [Tensor, Tensor];
  return stack([low.minimum(high), low.maximum(high)], { axis: 2 }).reshape([rows, n]);
}

const network = (deltas: readonly number[], shape: readonly number[], dtype = f32): Graph =>
  graph({ x: tensor(dtype, shape) }, ({ x }) => ({
    y: deltas.reduce<Tensor>((y, delta) => exchange(y, delta), x as Tensor),
  }));

const layoutsOf = (plan: Plan): readonly string[] =>
  report(plan).notes.filter((note) => note.startsWith("layout"));

const inputOf = (shape: readonly number[], dtype: "float32" | "int32") => ({
  x: tensorOf(
    dtype,
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => (i * 37) % 101),
  ),
});

/** Neighbours within a row are compared again and again: six kernels or more. */
const near = [1, 2, 4, 8, 16, 32, 1, 2, 4, 8, 16, 32];

describe("a network over rows", () => {
  const plan = compile(network(near, [8, 64]));

  it("has its rows side by side in every temporary", () => {
    expect(layoutsOf(plan)).toEqual([
      `layout: 8 rows side by side in ${plan.steps.length - 1} temporaries`,
    ]);
  });

  it("reads and writes them a vector of rows at a time", () => {
    const inner = plan.steps.slice(1, -1) as KernelStep[];
    const places = inner.flatMap(({ stages }) =>
      stages.flatMap(({ nodes, writes }) => [
        ...nodes.flatMap((node) => (node.op === "load" ? [node.index] : [])),
        ...writes.map(({ index }) => index),
      ]),
    );
    expect(places.length).toBeGreaterThan(0);
    for (const place of places) {
      const rows = [0, 1, 2, 3, 4, 5, 6, 7].map((row) => evaluate(place, { axis: () => row }));
      expect(rows).toEqual(rows.map((_, row) => (rows[0] as number) + row));
    }
  });

  it("gives the bits of the interpreter", () => {
    expect(disagreements(network(near, [8, 64]).program, inputOf([8, 64], "float32"))).toEqual([]);
  });
});

describe("rows stay as they are", () => {
  it.each([
    ["where there are three", [3, 64]],
    ["where there is one", [1, 64]],
  ] as const)("%s", (_, shape) => {
    expect(layoutsOf(compile(network(near, shape)))).toEqual([]);
  });

  it("where no kernel compares neighbours", () => {
    expect(layoutsOf(compile(network([8, 16, 32, 64, 8, 16], [8, 128])))).toEqual([]);
  });

  it("where rows meet", () => {
    const meeting = graph({ x: tensor(f32, [8, 64]) }, ({ x }) => {
      const half = near.slice(0, 6).reduce<Tensor>((y, delta) => exchange(y, delta), x as Tensor);
      const turned = half.transpose([1, 0]).reshape([8, 64]);
      return { y: near.slice(0, 6).reduce<Tensor>((y, delta) => exchange(y, delta), turned) };
    });
    expect(layoutsOf(compile(meeting))).toEqual([]);
    expect(disagreements(meeting.program, inputOf([8, 64], "float32"))).toEqual([]);
  });
});

describe("any network", () => {
  it("means the same", () => {
    const deltas = fc.array(fc.constantFrom(1, 2, 4, 8, 16), { minLength: 4, maxLength: 14 });
    const rows = fc.constantFrom(2, 4, 8, 12, 16, 20);
    const dtypes = fc.constantFrom(f32, i32);
    let turned = 0;
    const runs = runsOf("GRIDFUSE_RANDOM_LAYOUTS", 30);
    expectNoFaults(fc.tuple(deltas, rows, dtypes), runs, ([chosen, count, dtype]) => {
      const built = network(chosen, [count, 32], dtype as typeof f32);
      if (layoutsOf(compile(built)).length > 0) turned += 1;
      return disagreements(built.program, inputOf([count, 32], dtype as "float32"));
    });
    expect(turned).toBeGreaterThan(runs / 10);
  });
});

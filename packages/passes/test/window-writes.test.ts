/**
 * Loops that replace a window of what they carry: the window is written where it is, the rest stays. Whatever the new
 * window is computed from, the result is the interpreter's.
 */

import { tensorOf } from "@gridfuse/interpret";
import type { KernelStep, Plan, Step } from "@gridfuse/plan";
import fc from "fast-check";
import { f32, fori, type Graph, graph, i32, type Tensor, tensor, whileLoop } from "gridfuse";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile } from "../src/index.ts";

const [rows, columns] = [6, 8];
type Body = (i: Tensor, s: Tensor, p: Tensor) => Tensor;

const looped = (body: Body): Graph =>
  graph({ x: tensor(f32, [rows, columns]), p: tensor(i32, []) }, ({ x, p }) => ({
    y: fori(0, 5, x, (i, s) => body(i as Tensor, s as Tensor, p)) as Tensor,
  }));
const row = (s: Tensor, i: Tensor): Tensor => s.dynamicSlice([i, 0], [1, columns]) as Tensor;
const put = (s: Tensor, update: Tensor, at: Tensor, column: Tensor | number = 0): Tensor =>
  s.dynamicUpdateSlice(update, [at, column] as never) as Tensor;

function insideLoops(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) =>
    step.kind === "loop" || step.kind === "while" ? step.body : insideLoops([]),
  );
}

/** Most elements that a step inside a loop writes. */
function mostWritten(plan: Plan): number {
  const points = (axes: readonly number[]): number => axes.reduce((n, extent) => n * extent, 1);
  return Math.max(
    ...insideLoops(plan.steps).map((step) => {
      if (step.kind === "copy") return step.length;
      const { axes, stages } = step as KernelStep;
      return points(axes) * points(stages.at(-1)!.axes);
    }),
  );
}

function expectSame(built: Graph, p: number): void {
  const values = Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 23) - 11);
  const inputs = { x: tensorOf(f32, [rows, columns], values), p: tensorOf(i32, [], [p]) };
  const { program } = built;
  const given = Object.fromEntries(
    program.inputs.map((name) => [name, inputs[name as keyof typeof inputs]]),
  );
  expect(disagreements(program, given)).toEqual([]);
}

describe("a window of a carry", () => {
  it("is all that an iteration writes", () => {
    const built = looped((i, s) => put(s, row(s, i).add(1) as Tensor, i));
    expect(mostWritten(compile(built))).toBe(columns);
    expectSame(built, 0);
  });

  it("may be computed from where it will be, and from elsewhere", () => {
    const built = looped((i, s, p) =>
      put(s, row(s, i.add(1) as Tensor).add(row(s, p)) as Tensor, p),
    );
    expect(mostWritten(compile(built))).toBe(columns);
    for (const p of [-3, 0, 2, 5, 100]) expectSame(built, p);
  });

  it("may begin where the carry says", () => {
    const built = looped((i, s) => {
      const start = s.dynamicSlice([i, 0], [1, 1]).reshape([]).astype(i32).rem(rows) as Tensor;
      return put(s, row(s, i).neg() as Tensor, start);
    });
    expect(mostWritten(compile(built))).toBe(columns);
    expectSame(built, 0);
  });

  it("may be followed by another", () => {
    const built = looped((i, s, p) =>
      put(put(s, row(s, p).add(1) as Tensor, i), row(s, i).sub(1) as Tensor, p),
    );
    expect(mostWritten(compile(built))).toBe(columns);
    for (const p of [0, 3]) expectSame(built, p);
  });

  it("is written with all the rest where the rest is read on the way", () => {
    const built = looped((i, s) => {
      const next = put(s, row(s, i).add(1) as Tensor, i);
      return put(next, next.sum({ axis: 0, keepDims: true }) as Tensor, i);
    });
    expectSame(built, 0);
  });

  it("is written in place in a while, too", () => {
    const built = graph({ x: tensor(f32, [rows, columns]), p: tensor(i32, []) }, ({ x, p }) => {
      const [, y] = whileLoop(
        ([i]) => i.lt(4),
        ([i, s]) => [i.add(1), put(s as Tensor, row(s as Tensor, i).mul(2) as Tensor, i)],
        [p, x],
      ) as unknown as [Tensor, Tensor];
      return { y };
    });
    expect(mostWritten(compile(built))).toBe(columns);
    expectSame(built, 1);
  });
});

it("any loop of windows is the interpreter's", { timeout: 30_000 }, () => {
  const place = fc.constantFrom("i", "p", "i+1", "constant", "carried");
  const write = fc.record({
    at: place,
    column: fc.constantFrom(0, 3, 7),
    from: place,
    width: fc.constantFrom(1, 4, 8),
    both: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(write, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: -2, max: 8 }),
      (writes, p) => {
        const built = looped((i, s, p) => {
          const at = (name: string, s: Tensor): Tensor => {
            switch (name) {
              case "i":
                return i;
              case "p":
                return p;
              case "i+1":
                return i.add(1) as Tensor;
              case "constant":
                return i.mul(0).add(2) as Tensor;
              default:
                return s.slice([1, 1], [2, 2]).reshape([]).astype(i32) as Tensor;
            }
          };
          let next = s;
          for (const { at: to, column, from, width, both } of writes) {
            const source = both ? next : s;
            const part = source
              .dynamicSlice([at(from, source), 1], [1, width])
              .mul(2)
              .add(1);
            next = put(next, part as Tensor, at(to, source), column);
          }
          return next;
        });
        expectSame(built, p);
      },
    ),
    { numRuns: 60, seed: 20261121 },
  );
});

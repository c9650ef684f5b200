/**
 * Folds of a few elements inside of other folds: computed where they are wanted, in the plan's own order, so that
 * the array of all of them is never there. Against the interpreter, to the bit, on values that are hard to add.
 */
import { interpret } from "@gridfuse/interpret";
import fc from "fast-check";
import { bf16, cpu, f16, f32, type Graph, graph, type Tensor, tensor } from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile, report } from "../src/index.ts";

const executor = await cpu();
const awkward = fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1e-42, 3e38, 1, -1, 0.1);
const floats = (count: number) =>
  fc
    .array(fc.oneof(awkward, fc.float()), { minLength: count, maxLength: count })
    .map((values) => Float32Array.from(values));

/** For each of n points, something of its distances to m others in `size` dimensions. */
const distances = (
  n: number,
  m: number,
  size: number,
  fold: (terms: Tensor) => Tensor,
  dtype = f32 as typeof f32 | typeof f16 | typeof bf16,
): Graph =>
  graph({ x: tensor(f32, [n, size]), y: tensor(f32, [m, size]) }, ({ x, y }) => {
    const to = (t: Tensor): Tensor => t.astype(dtype) as Tensor;
    const away = to(x.reshape([n, 1, size]) as Tensor).sub(to(y.reshape([1, m, size]) as Tensor));
    const each = fold(away as Tensor);
    return { least: each.min({ axis: 1 }).astype(f32), all: each.sum({ axis: 1 }).astype(f32) };
  });

const folds: readonly (readonly [string, (terms: Tensor) => Tensor])[] = [
  ["sum", (terms) => terms.sum({ axis: 2 }) as Tensor],
  ["product", (terms) => terms.prod({ axis: 2 }) as Tensor],
  ["maximum", (terms) => terms.max({ axis: 2 }) as Tensor],
  ["minimum", (terms) => terms.min({ axis: 2 }) as Tensor],
];

describe("a fold of a few elements inside of another", () => {
  it("leaves no array of all of them", () => {
    const near = distances(512, 512, 3, (away) => away.square().sum({ axis: 2 }) as Tensor);
    expect(report(compile(near)).peakBytes).toBe(0);
    expect(report(compile(near)).planKernels).toBe(1);
  });

  it.each(folds)("is the same %s", async (_, fold) => {
    for (const [size, dtype] of [
      [1, f32],
      [3, f32],
      [4, f16],
      [2, bf16],
    ] as const) {
      const g = distances(3, 5, size, fold, dtype);
      const executable = await executor.prepare(compile(g));
      await fc.assert(
        fc.asyncProperty(floats(3 * size), floats(5 * size), async (x, y) => {
          const compiled = await executable.run({ x, y });
          for (const [name, { data }] of Object.entries(interpret(g.program, { x, y } as never))) {
            expect([...compiled[name]!], name).toEqual([...data]);
          }
        }),
        { numRuns: 25 },
      );
    }
  });
});

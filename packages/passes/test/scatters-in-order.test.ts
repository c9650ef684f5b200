/**
 * Scatters: cheap indices and updates are computed by the scatter itself, and a scatter of many updates runs in
 * parts, one after the other, so that what it reads need not be there at once. Against the interpreter, to the bit.
 */
import { interpret } from "@gridfuse/interpret";
import fc from "fast-check";
import { cpu, f32, fori, type Graph, graph, i32, type Tensor, tensor, where } from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile, report } from "../src/index.ts";
import type { TileBudget } from "../src/tile/trips.ts";

const executor = await cpu();
const tiny: TileBudget = { bytes: 32, laneBytes: 16, leastBytes: 1, smallElements: 2 };

async function expectSame(g: Graph, inputs: Record<string, Float32Array | Int32Array>) {
  for (const tiles of [undefined, tiny]) {
    const executable = await executor.prepare(compile(g, tiles === undefined ? {} : { tiles }));
    const compiled = await executable.run(inputs);
    for (const [name, { data }] of Object.entries(interpret(g.program, inputs as never))) {
      expect([...compiled[name]!], name).toEqual([...data]);
    }
  }
}

/** Sums of roots by remainder: a histogram whose updates are dear and whose indices are computed. */
const collected = (n: number, bins: number): Graph =>
  graph({ x: tensor(f32, [n]), at: tensor(i32, [n]) }, ({ x, at }) => {
    const dear = x.exp().add(x.tanh()).mul(0.01) as Tensor;
    const zeros = x.slice([0], [bins]).mul(0) as Tensor;
    return { y: zeros.at(at.rem(bins) as Tensor).add(dear) };
  });

describe("a scatter of many dear updates", () => {
  it("holds a tile of them at a time", () => {
    const told = report(compile(collected(2 ** 18, 64)));
    expect(told.peakBytes).toBeLessThanOrEqual(256 * 1024);
    expect(told.steps.map(({ kind, depth }) => `${depth} ${kind}`)).toEqual([
      "0 kernel",
      "0 loop",
      "1 kernel",
      "1 kernel",
      "1 scatter",
    ]);
    expect(told.gridLoops).toBe(0);
  });

  it("adds them in their order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.float({ min: -8, max: 8, noNaN: true }), { minLength: 24, maxLength: 24 }),
        fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 24, maxLength: 24 }),
        (x, at) =>
          expectSame(collected(24, 5), { x: Float32Array.from(x), at: Int32Array.from(at) }),
      ),
      { numRuns: 20 },
    );
  });
});

describe("a scatter that reads what it updates", () => {
  const turns = (n: number, update: (s: Tensor, k: Tensor) => Tensor): Graph =>
    graph({ x: tensor(f32, [n]), at: tensor(i32, [n]) }, ({ x, at }) => ({
      y: fori(0, 3, x, (k, s) => {
        const turned = at.add(k).rem(n) as Tensor;
        return (s as Tensor).at(turned).add(update(s as Tensor, k as Tensor));
      }) as Tensor,
    }));

  it.each([
    ["itself", (s: Tensor) => s.mul(0.5) as Tensor],
    ["itself, the other way round", (s: Tensor) => s.flip(0).add(1) as Tensor],
    ["some of itself", (s: Tensor) => where(s.gt(0), s, 1) as Tensor],
  ])("adds %s as it was before", async (_, update) => {
    const inputs = {
      x: Float32Array.from({ length: 8 }, (_, i) => ((i * 5) % 7) - 3),
      at: Int32Array.from({ length: 8 }, (_, i) => (i * 3) % 5),
    };
    await expectSame(turns(8, update), inputs);
  });
});

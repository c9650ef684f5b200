/**
 * Which chains run tile by tile, what that does to memory, and what stays whole and why. Results are compared three
 * ways: the interpreter, JS and WebAssembly.
 */

import { tensorOf } from "@gridfuse/interpret";
import type { Step } from "@gridfuse/plan";
import fc from "fast-check";
import {
  f32,
  fori,
  type Graph,
  graph,
  i32,
  kernel,
  type Tensor,
  tensor,
  where,
  whileLoop,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile, report, type TileBudget } from "../src/index.ts";
import { chooseTrips, coarser } from "../src/tile/trips.ts";

const kib = 1024;
const budget = (bytes: number): TileBudget => ({
  bytes,
  laneBytes: bytes,
  leastBytes: 64,
  smallElements: 4,
});
const whole = budget(2 ** 40);

const chain = (shape: readonly number[], make: (x: Tensor) => Tensor): Graph =>
  graph({ x: tensor(f32, shape) }, ({ x }) => ({ y: make(x as Tensor) }));

const butterfly = (x: Tensor): Tensor => x.add(x.flip(1)).mul(0.5);
/** No step fuses with a sort. */
const sorted = (x: Tensor): Tensor => x.sort({ axis: 1 }) as Tensor;
const sortedPieces = (x: Tensor, n: number): Tensor =>
  sorted(x.reshape([-1, n]).neg() as Tensor).reshape(x.shape as number[]) as Tensor;

const stepsOf = (built: Graph, tiles: TileBudget): string[] =>
  report(compile(built, { tiles })).steps.map(({ kind, depth }) => `${"  ".repeat(depth)}${kind}`);

function expectSame(built: Graph, tiles: TileBudget): void {
  const { program } = built;
  const inputs = Object.fromEntries(
    program.inputs.map((name, i) => {
      const { dtype, shape } = program.table.tensor(program.main.params[i]!);
      const extents = shape as readonly number[];
      const count = extents.reduce((n, extent) => n * extent, 1);
      // Sums of these are exact in any order.
      const values = Array.from({ length: count }, (_, at) => ((at * 37 + i * 11) % 101) - 50);
      return [name, tensorOf(dtype, extents, values)];
    }),
  );
  expect(disagreements(program, inputs, { tiles })).toEqual([]);
}

describe("chains along a batch axis", () => {
  const rows = chain([16, 64], (x) => butterfly(sorted(butterfly(sorted(butterfly(x))))));

  it("run in tiles of rows, and what lies between their steps shrinks to a tile", () => {
    const tiled = report(compile(rows, { tiles: budget(1 * kib) }));
    const { peakBytes } = report(compile(rows, { tiles: whole }));
    expect(tiled.tiles).toMatchObject([{ depth: 0 }]);
    expect(tiled.tiles[0]!.tiles).toBeGreaterThanOrEqual(8);
    expect(tiled.steps.filter(({ depth }) => depth === 0)).toHaveLength(1);
    expect(tiled.peakBytes).toBeLessThanOrEqual(peakBytes / 4);
    expect(tiled.temporaries).toMatchObject({ fitTiles: true, wholeBytes: 0, reasons: [] });
    expectSame(rows, budget(1 * kib));
  });

  it("are left alone where everything fits anyway", () => {
    expect(report(compile(rows)).tiles).toEqual([]);
    expect(stepsOf(rows, budget(64 * kib))).not.toContain("tile");
  });

  it("say in the report how many tiles there are, and of how many bytes", () => {
    const { text, planSteps, planKernels } = report(compile(rows, { tiles: budget(1 * kib) }));
    expect(text).toMatch(/tile tile: \d+ tiles of [\d.]+ K?i?B/);
    expect(planSteps).toBeGreaterThan(planKernels + 1);
    expect(planKernels).toBe(3);
  });

  it("are cut into parts of rows where rows need not be whole", () => {
    const short = chain([1, 1024], (x) => sortedPieces(sortedPieces(x, 16), 16));
    expect(report(compile(short, { tiles: budget(256) })).tiles).toHaveLength(1);
    expectSame(short, budget(256));
  });

  it("are cut coarsely as a whole and finely inside", () => {
    const pieces = [8, 8, 8, 64, 8, 8, 8];
    const network = chain([8, 64], (x) => pieces.reduce(sortedPieces, x));
    const { tiles } = report(compile(network, { tiles: budget(128) }));
    expect(tiles[0]).toMatchObject({ depth: 0, tiles: 8 });
    const inner = tiles.filter(({ depth }) => depth > 0);
    expect(inner.length).toBeGreaterThanOrEqual(2);
    expect(Math.max(...inner.map((tile) => tile.tiles))).toBeGreaterThanOrEqual(32);
    expectSame(network, budget(128));
  });
});

describe("what cannot be cut", () => {
  const outermost = (built: Graph): string[] =>
    stepsOf(built, budget(512)).filter((s) => !s.startsWith(" "));

  it("is a transpose between steps", () => {
    const built = chain([32, 32], (x) => butterfly(butterfly(x).transpose([1, 0]) as Tensor));
    expect(outermost(built)).not.toEqual(["tile"]);
    expectSame(built, budget(512));
  });

  it("is a reduction over the batch axis, and the report says so", () => {
    const built = chain([64, 16], (x) => {
      const first = sorted(butterfly(x));
      return sorted(butterfly(first.sub(first.max({ axis: 0, keepDims: true })) as Tensor));
    });
    const told = report(compile(built, { tiles: budget(512) }));
    expect(told.steps.some(({ kind, depth }) => kind === "kernel" && depth === 0)).toBe(true);
    expect(told.notes.filter((note) => note.startsWith("tile: "))).not.toEqual([]);
    expectSame(built, budget(512));
  });

  it("is a step that reads its neighbours' rows", () => {
    const above = (x: Tensor): Tensor => x.add(x.flip(0)) as Tensor;
    const built = chain([64, 16], (x) => sorted(above(sorted(above(x)))));
    expect(outermost(built)).not.toEqual(["tile"]);
    expectSame(built, budget(512));
  });
});

describe("loops", () => {
  it("are enclosed by tiles, never the other way round", () => {
    const built = chain(
      [32, 16],
      (x) => fori(0, 5, x, (_i, s) => sorted(butterfly(s as Tensor))) as Tensor,
    );
    const steps = stepsOf(built, budget(512));
    expect(steps[0]).toBe("tile");
    expect(steps).toContain("  loop");
    expect(steps.some((step) => /^ +.*loop/.test(step) && step.trim() === "tile")).toBe(false);
    expectSame(built, budget(512));
  });

  const collatz = kernel(
    "collatz",
    {
      grid: { i: 64 },
      inputs: { x: tensor(i32, [64, 8]).blocks([1, 8], ({ i }) => [i, 0]) },
      outputs: { y: tensor(i32, [64, 8]).blocks([1, 8], ({ i }) => [i, 0]) },
    },
    ({ x, y }) => {
      const [, steps] = whileLoop(
        ([n]) => (n as Tensor).gt(1).any(),
        ([n, count]) => [
          where(
            (n as Tensor).gt(1),
            where((n as Tensor).rem(2).eq(0), (n as Tensor).div(2), (n as Tensor).mul(3).add(1)),
            n as Tensor,
          ),
          (count as Tensor).add((n as Tensor).gt(1).astype(i32)),
        ],
        [x.get().abs().add(1), x.get().mul(0)],
      ) as unknown as [Tensor, Tensor];
      y.set(steps as never);
    },
  );
  const lanes = graph({ x: tensor(i32, [64, 8]) }, ({ x }) => collatz({ x }));

  it("over lanes go on, tile by tile, as long as one of the tile's lanes does", () => {
    const steps = stepsOf(lanes, budget(256));
    expect(steps[0]).toBe("tile");
    expect(steps.map((step) => step.trim())).toContain("while");
    expectSame(lanes, budget(256));
  });

  it("whose condition folds over more than lanes are not cut", () => {
    const built = graph({ x: tensor(i32, [64, 8]) }, ({ x }) => {
      const [y] = whileLoop(
        ([n]) => (n as Tensor).sum().lt(100_000),
        ([n]) => [
          (n as Tensor)
            .mul(2)
            .add((n as Tensor).flip(1))
            .abs()
            .add(1),
        ],
        [x],
      ) as unknown as [Tensor];
      return { y };
    });
    const { steps } = compile(built, { tiles: budget(256) });
    const inTiles = (list: readonly Step[]): boolean =>
      list.some((step) => step.kind === "tile" && step.body.some(({ kind }) => kind === "while"));
    expect(inTiles(steps)).toBe(false);
    expectSame(built, budget(256));
  });
});

/** Every row is halved until it is small; rows need different numbers of rounds. */
function halved(x: Tensor): Tensor {
  const [rows, columns] = x.shape as [number, number];
  const each = tensor(f32, [rows, columns]).blocks([1, columns], ({ i }) => [i, 0]);
  const halve = kernel(
    "halve",
    { grid: { i: rows }, inputs: { x: each }, outputs: { y: each } },
    ({ x, y }) => {
      const [small] = whileLoop(
        ([v]) => (v as Tensor).abs().gt(4).any(),
        ([v]) => [(v as Tensor).mul(0.5)],
        [x.get()],
      ) as unknown as [Tensor];
      y.set(small as never);
    },
  );
  return (halve({ x: x as never }) as { y: Tensor }).y;
}

describe("any chain", () => {
  const links: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    butterfly,
    sorted,
    halved,
    softmaxOfIntegers: (x) => x.sub(x.max({ axis: 1, keepDims: true })) as Tensor,
    cumsum: (x) => x.sign().cumsum({ axis: 1 }) as Tensor,
    product: (x) =>
      x.sign().matmul(
        x
          .slice([0, 0], [1, 1])
          .mul(0)
          .add(1)
          .broadcastTo([x.shape[1] as number, x.shape[1] as number]),
      ) as Tensor,
    sumOfRows: (x) => x.sign().add(x.sign().sum({ axis: 0, keepDims: true })) as Tensor,
    transposed: (x) =>
      x.reshape([x.shape[1] as number, x.shape[0] as number]).transpose([1, 0]) as Tensor,
    upsideDown: (x) => x.add(x.flip(0)).mul(0.5) as Tensor,
    looped: (x) => fori(0, 3, x, (_i, s) => butterfly(s as Tensor)) as Tensor,
    padded: (x) =>
      x
        .pad([
          [0, 0],
          [1, 1],
        ])
        .slice([0, 0], x.shape as number[]) as Tensor,
  };
  const chains = fc.record({
    rows: fc.constantFrom(2, 4, 6, 9, 16, 24),
    columns: fc.constantFrom(1, 4, 5, 8, 12),
    names: fc.array(fc.constantFrom(...Object.keys(links)), { minLength: 1, maxLength: 8 }),
    bytes: fc.constantFrom(1, 16, 64, 256, 1024),
  });

  it("means the same in tiles", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(chains, ({ rows, columns, names, bytes }) => {
        const built = chain([rows, columns], (x) => names.reduce((y, name) => links[name]!(y), x));
        expectSame(built, budget(bytes));
      }),
      { numRuns: 60, seed: 20261121 },
    );
  });

  it("has tiles that are at least as small as asked for, where the lengths allow it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 2 ** 20 }),
        (n, bytes) => {
          const choices = chooseTrips(n, bytes, 256, 1);
          for (const trips of choices) expect(n % trips).toBe(0);
          for (const fewer of coarser(choices[0] ?? 1)) {
            expect(n % fewer).toBe(0);
            if (fewer < choices[0]!) expect(bytes / fewer).toBeGreaterThan(256);
          }
        },
      ),
    );
  });
});

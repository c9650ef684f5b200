/**
 * The ways to cut a step beyond equal parts of its first axis: along what a product sums over, along another axis, with a
 * shorter last tile; and what a loop's tiles make again. Results are those of the interpreter, to the bit.
 */
import { tensorOf } from "@gridfuse/interpret";
import type { Plan, Step } from "@gridfuse/plan";
import fc from "fast-check";
import { type DType, f32, fori, type Graph, graph, i32, type Tensor, tensor } from "gridfuse";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile, report, type TileBudget } from "../src/index.ts";
import { forEachLeaf } from "../src/tile/mentions.ts";

const budget = (bytes: number): TileBudget => ({
  bytes,
  laneBytes: bytes,
  leastBytes: 64,
  smallElements: 4,
});

const built = (
  inputs: Readonly<Record<string, readonly number[]>>,
  make: (given: Record<string, Tensor>) => Tensor,
  dtype: DType = f32,
): Graph =>
  graph(
    Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, tensor(dtype, shape)])),
    (given) => ({ y: make(given as Record<string, Tensor>) }),
  );

function expectSame({ program }: Graph, tiles: TileBudget): void {
  const inputs = Object.fromEntries(
    program.inputs.map((name, i) => {
      const { dtype, shape } = program.table.tensor(program.main.params[i]!);
      const extents = shape as readonly number[];
      const count = extents.reduce((n, extent) => n * extent, 1);
      const values = Array.from({ length: count }, (_, at) => ((at * 37 + i * 11) % 101) / 7 - 7);
      const whole = dtype === "float32" ? values : values.map(Math.round);
      return [name, tensorOf(dtype, extents, whole)];
    }),
  );
  const bounded = () => ({ exact: true }) as const;
  expect(disagreements(program, inputs, { tiles, bounded })).toEqual([]);
}

const leavesOf = ({ steps }: Plan): Step[] => {
  const leaves: Step[] = [];
  forEachLeaf(steps, (step) => leaves.push(step));
  return leaves;
};
const kindsOf = (steps: readonly Step[]): string[] => steps.map(({ kind }) => kind);
/** No step fuses with a sort. */
const sorted = (x: Tensor): Tensor => x.sort({ axis: 1 }) as Tensor;
const turned = (x: Tensor): Tensor => x.transpose([1, 0]) as Tensor;

describe("a product over what the chain makes", () => {
  const gram = (rows: number, columns: number, dtype: DType = f32): Graph =>
    built({ x: [rows, columns] }, ({ x }) => turned(sorted(x!)).matmul(x!) as Tensor, dtype);

  it("goes through its sum tile by tile, in order, from zero on", () => {
    const plan = compile(gram(64, 8), { tiles: budget(512) });
    expect(kindsOf(plan.steps)).toEqual(["kernel", "loop"]);
    const [product] = leavesOf(plan).filter((step) => step.kind === "dot");
    expect(product).toMatchObject({ onto: true, k: [expect.any(Number)] });
    const { temporaries } = report(plan);
    expect(temporaries.peakBytes).toBeLessThanOrEqual(1024);
    expect(plan.debug?.notes.filter((note) => note.startsWith("tile:"))).toEqual([]);
  });

  it("is the same sum, whatever the parts", () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(sizes, fc.constantFrom(f32, i32), fc.constantFrom(16, 64, 256), (size, d, n) =>
        expectSame(gram(...size, d), budget(n)),
      ),
      { numRuns: 40, seed: 20261121 },
    );
  });

  it("is whole where the result is rounded", () => {
    const plan = compile(gram(64, 8, "bfloat16"), { tiles: budget(256) });
    expect(leavesOf(plan).some((step) => step.kind === "dot" && step.onto === true)).toBe(false);
  });
});

describe("a result that tiles write columns of", () => {
  // Heads share what is made for positions: tiles of positions write parts of all heads.
  const shared = (heads: number, rows: number, columns: number): Graph =>
    built({ x: [heads, rows, columns], angle: [rows, columns] }, ({ x, angle }) => {
      return x!.mul(sorted(sorted(angle!.mul(2) as Tensor).neg() as Tensor)) as Tensor;
    });

  it("is written by all tiles, and needs no temporary", () => {
    const plan = compile(shared(3, 32, 8), { tiles: budget(512) });
    expect(kindsOf(plan.steps)).toEqual(["tile"]);
    expect(report(plan).temporaries.wholeBytes).toBe(0);
  });

  it("has every element once", () => {
    const extent = (max: number) => fc.integer({ min: 1, max });
    fc.assert(
      fc.property(extent(4), extent(24), extent(6), fc.constantFrom(16, 128), (h, r, c, bytes) =>
        expectSame(shared(h, r, c), budget(bytes)),
      ),
      { numRuns: 40, seed: 20261121 },
    );
  });
});

describe("rows without equal parts", () => {
  const ragged = (rows: number, more: number, columns: number): Graph =>
    built({ x: [rows, columns] }, ({ x }) => {
      const padding: [number, number][] = [
        [0, more],
        [0, 0],
      ];
      const chain = sorted(sorted(x!.pad(padding) as Tensor).neg() as Tensor);
      return (chain.slice([0, 0], [rows, columns]) as Tensor).add(x!) as Tensor;
    });

  it("end in a shorter tile", () => {
    const plan = compile(ragged(61, 3, 8), { tiles: budget(512) });
    expect(kindsOf(plan.steps)).toEqual(["tile"]);
    const last = leavesOf(plan).at(-1);
    expect(last).toMatchObject({
      kind: "kernel",
      stages: [{ writes: [{ guard: [{ lo: 0, hi: 61 * 8 }] }] }],
    });
  });

  it("keep their columns where those stay an axis of their own", () => {
    const twoAxes = built({ x: [15, 9], y: [9, 15] }, ({ x, y }) => {
      const chain = sorted(
        sorted(
          x!.pad([
            [0, 1],
            [0, 0],
          ]) as Tensor,
        ).neg() as Tensor,
      );
      const columns = y!.transpose([1, 0]) as Tensor;
      return (chain.slice([0, 0], [15, 9]) as Tensor).add(columns) as Tensor;
    });
    expect(kindsOf(compile(twoAxes, { tiles: budget(128) }).steps)).toEqual(["tile"]);
    expectSame(twoAxes, budget(128));
  });

  it("lose none and make none up", () => {
    const extent = fc.integer({ min: 1, max: 30 });
    fc.assert(
      fc.property(extent, fc.integer({ min: 0, max: 5 }), fc.constantFrom(1, 3, 4), (r, m, c) =>
        expectSame(ragged(r, m, c), budget(64)),
      ),
      { numRuns: 40, seed: 20261121 },
    );
  });
});

describe("what every round of a loop makes for all its tiles", () => {
  // The keys of a round are a block of another array: rows of scores want them whole.
  const attention = (rows: number, keys: number, depth: number): Graph =>
    built({ q: [rows, depth], k: [4 * keys, depth] }, ({ q, k }) => {
      const start = q!.mul(0) as Tensor;
      return fori(0, 4, start, (i, sums) => {
        const block = (k!.reshape([4, keys, depth]).index(i as never) as Tensor).mul(0.5);
        const scores = sorted(q!.matmul(turned(block as Tensor)) as Tensor);
        return (sums as Tensor).add(scores.matmul(block as Tensor));
      }) as Tensor;
    });

  it("is made by every tile where that is little beside its work", () => {
    const plan = compile(attention(128, 8, 8), { tiles: budget(2048) });
    expect(kindsOf(plan.steps)).toEqual(["tile"]);
    const [tile] = plan.steps;
    expect(tile?.kind === "tile" && kindsOf(tile.body)).toContain("loop");
  });

  it("is the same for all of them", () => {
    const sizes = fc.tuple(
      fc.constantFrom(8, 12, 32),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 5 }),
    );
    fc.assert(
      fc.property(sizes, fc.constantFrom(64, 256, 1024), (size, bytes) =>
        expectSame(attention(...size), budget(bytes)),
      ),
      { numRuns: 25, seed: 20261121 },
    );
  });
});

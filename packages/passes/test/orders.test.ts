/** Blocks in the order of their array, and captures as small as they are: nothing but memory changes. */
import { tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import {
  f32,
  fori,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  type Tensor,
  tensor,
  whileLoop,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile, report } from "../src/index.ts";

interface Blocks {
  readonly down: number;
  readonly right: number;
  readonly rows: number;
  readonly columns: number;
}

/** A kernel over blocks of rows and columns, and what it is called with. */
function overBlocks(
  { down, right, rows, columns }: Blocks,
  body: (x: Tensor, at: { i: Tensor; j: Tensor }) => Tensor,
): Graph {
  const shape = [down * rows, right * columns];
  const block = tensor(f32, shape).blocks([rows, columns], ({ i, j }) => [i, j]);
  const made = kernel(
    "made",
    { grid: { i: down, j: right }, inputs: { x: block }, outputs: { y: block } },
    ({ x, y }, at) => y.set(body(x.get() as Tensor, at as never) as never),
  );
  return graph(made.inputs, made);
}

function expectSame({ program }: Graph): void {
  const inputs = Object.fromEntries(
    program.inputs.map((name, i) => {
      const { dtype, shape } = program.table.tensor(program.main.params[i]!);
      const extents = shape as readonly number[];
      const count = extents.reduce((n, extent) => n * extent, 1);
      const values = Array.from({ length: count }, (_, at) => ((at * 37 + i * 11) % 101) - 50);
      return [name, tensorOf(dtype, extents, values)];
    }),
  );
  const bounded = () => ({ exact: true }) as const;
  expect(disagreements(program, inputs, { bounded })).toEqual([]);
}

const twice = (x: Tensor): Tensor => x.cumsum({ axis: 1 }).mul(0.5).cumsum({ axis: 1 }) as Tensor;

describe("blocks of rows and columns", () => {
  const sizes = { down: 4, right: 3, rows: 8, columns: 16 };

  it("are summed up where they lie, with no copy in another order", () => {
    const { steps } = report(compile(overBlocks(sizes, twice)));
    expect(steps.map(({ kind }) => kind)).toEqual(["scan", "kernel", "scan"]);
  });

  it("with something the same for all columns beside them are so too", () => {
    const scaled = (x: Tensor): Tensor =>
      x
        .add(x.max({ axis: 1, keepDims: true }))
        .cumsum({ axis: 1 })
        .mul(x.min({ axis: 1, keepDims: true }))
        .cumsum({ axis: 1 }) as Tensor;
    const { steps } = report(compile(overBlocks(sizes, scaled)));
    expect(steps.filter(({ name }) => name.startsWith("move"))).toEqual([]);
    expectSame(overBlocks(sizes, scaled));
  });

  const bodies: Readonly<Record<string, (x: Tensor) => Tensor>> = {
    twice,
    fromTheEnd: (x) => x.cummax({ axis: 1, reverse: true }).sub(x).cumsum({ axis: 1 }) as Tensor,
    down: (x) => x.cumsum({ axis: 0 }).mul(0.5).cumsum({ axis: 1 }) as Tensor,
    softmax: (x) => x.sub(x.max({ axis: 1, keepDims: true })).cumsum({ axis: 1 }) as Tensor,
    sorted: (x) => (x.neg().sort({ axis: 1 }) as Tensor).cumsum({ axis: 1 }) as Tensor,
    masked: (x) => x.mul(iota(f32, x.shape as number[], 1)).cumsum({ axis: 1 }) as Tensor,
    flipped: (x) => x.flip(1).cumsum({ axis: 1 }).add(x) as Tensor,
    gram: (x) =>
      x
        .matmul(x.transpose([1, 0]))
        .matmul(x.abs())
        .cumsum({ axis: 1 }) as Tensor,
    looped: (x) => fori(0, 2, x, (_i, s) => (s as Tensor).cumsum({ axis: 1 })) as Tensor,
  };

  it("mean the same", () => {
    const extent = (max: number) => fc.integer({ min: 1, max });
    const shapes = fc.record({
      down: extent(3),
      right: extent(3),
      rows: extent(4),
      columns: extent(5),
    });
    fc.assert(
      fc.property(shapes, fc.constantFrom(...Object.keys(bodies)), (size, name) =>
        expectSame(overBlocks(size, bodies[name]!)),
      ),
      { numRuns: 80, seed: 20261121 },
    );
  });
});

describe("what a loop takes from outside", () => {
  /** Steps until a point leaves, of points whose coordinates are the same along columns and along rows. */
  const escaped = (blocks: Blocks): Graph =>
    overBlocks(blocks, (x, { i, j }) => {
      const shape = x.shape as number[];
      const place = (axis: 0 | 1, first: Tensor): Tensor =>
        iota(i32, shape, axis)
          .add(first.mul(shape[axis] as number))
          .astype(f32)
          .mul(0.25) as Tensor;
      const [down, right] = [place(0, i), place(1, j)];
      const [, steps] = whileLoop(
        ([z]) => (z as Tensor).lt(40).any(),
        ([z, n]) => {
          const inside = (z as Tensor).lt(40);
          return [(z as Tensor).add(down).add(right).add(1), (n as Tensor).add(inside.astype(f32))];
        },
        [x.abs(), x.mul(0)],
      ) as unknown as [Tensor, Tensor];
      return steps;
    });

  it("is kept as small as it is, and spread where it is read", () => {
    const tiles = { bytes: 2 ** 40, laneBytes: 2 ** 40, leastBytes: 1, smallElements: 64 };
    const plan = compile(escaped({ down: 4, right: 4, rows: 16, columns: 32 }), { tiles });
    const sizes = plan.buffers
      .filter(({ kind, dtype }) => kind === "temporary" && dtype === "float32")
      .map(({ length }) => length);
    expect(sizes).toContain(4 * 16);
    expect(sizes).toContain(4 * 32);
    expect(sizes).not.toContain(4 * 16 * 32);
  });

  it("is the same for every point", () => {
    const extent = (max: number) => fc.integer({ min: 1, max });
    const shapes = fc.record({
      down: extent(3),
      right: extent(3),
      rows: extent(4),
      columns: extent(5),
    });
    fc.assert(
      fc.property(shapes, (size) => expectSame(escaped(size))),
      { numRuns: 25, seed: 20261121 },
    );
  });
});

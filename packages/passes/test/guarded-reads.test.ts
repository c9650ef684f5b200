/**
 * Arrays that are put together and cut apart again are read where they lie: a join is a choice between guarded
 * reads, and where a guard holds divisions have one quotient. Against the interpreter, to the bit.
 */
import { interpret } from "@gridfuse/interpret";
import * as ix from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { concatenate, cpu, f32, type Graph, graph, pad, type Tensor, tensor } from "gridfuse";
import { describe, expect, it } from "vitest";
import { underGuard } from "../src/fuse/under-guard.ts";
import { compile, report } from "../src/index.ts";

const executor = await cpu();

async function expectSame(g: Graph, length: number): Promise<void> {
  const x = Float32Array.from({ length }, (_, i) => (i * 37) % 101);
  const executable = await executor.prepare(compile(g));
  const compiled = await executable.run({ x });
  for (const [name, { data }] of Object.entries(interpret(g.program, { x } as never))) {
    expect([...compiled[name]!], name).toEqual([...data]);
  }
}

/** The array with its own far side before and behind it, as a torus has. */
const around = (x: Tensor, border: number): Tensor => {
  const [n] = x.shape as readonly [number];
  return concatenate([x.slice([n - border], [n]), x, x.slice([0], [border])]) as Tensor;
};

const stencil = (x: Tensor, border: number): Tensor => {
  const [n] = x.shape as readonly [number];
  const wide = around(x, border);
  const at = (shift: number): Tensor => wide.slice([shift], [shift + n]) as Tensor;
  return at(0)
    .mul(0.25)
    .add(at(border).mul(0.5))
    .add(at(2 * border).mul(0.25)) as Tensor;
};

describe("an array joined with itself and cut into windows", () => {
  const rounds = (n: number, border: number, times: number): Graph =>
    graph({ x: tensor(f32, [n]) }, ({ x }) => {
      let y = x as Tensor;
      for (let k = 0; k < times; k += 1) y = stencil(y, border);
      return { y };
    });

  it("is read in place, one kernel a round", async () => {
    const told = report(compile(rounds(4096, 3, 3)));
    expect(told.planKernels).toBe(3);
    expect(told.kernels.every(({ domain }) => domain.join() === "4096")).toBe(true);
    await expectSame(rounds(64, 3, 3), 64);
  });

  it("gives what the interpreter gives, at any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 3 }),
        (n, border, times) => expectSame(rounds(n, Math.min(n, border), times), n),
      ),
      { numRuns: 20 },
    );
  });

  it("may be padded, and in blocks", async () => {
    const g = graph({ x: tensor(f32, [6, 8]) }, ({ x }) => {
      const wide = pad(x.add(1) as Tensor, [[1, 2], { lo: 2, hi: 1, interior: 1 }]) as Tensor;
      const blocks = concatenate([wide, wide.mul(2)], { axis: 0 }).reshape([6, 3, 3, 6]) as Tensor;
      const moved = blocks.transpose([2, 0, 3, 1]) as Tensor;
      return {
        y: moved.slice([0, 1, 1, 0], [3, 6, 6, 3]).add(moved.slice([0, 0, 0, 0], [3, 5, 5, 3])),
      };
    });
    await expectSame(g, 48);
  });
});

describe("an index under a guard", () => {
  const i = ix.axis(0, 64);
  const shifted = ix.add(i, ix.constant(63));
  const guard = (lo: number, hi: number) => [{ index: shifted, lo, hi }];

  it("has the one quotient that its guard leaves", () => {
    const index = [ix.floordiv(shifted, 64), ix.mod(shifted, 64)];
    expect(underGuard(index, guard(0, 64)).map((e) => ix.format(e))).toEqual(["0", "i0 + 63"]);
    expect(underGuard(index, guard(64, 128)).map((e) => ix.format(e))).toEqual(["1", "i0 - 1"]);
    expect(underGuard(index, guard(60, 70)).map(({ key }) => key)).toEqual(
      index.map(({ key }) => key),
    );
  });

  it("is the same number wherever the guard holds", () => {
    const expressions = fc.letrec<{ e: ix.IndexExpr }>((tie) => ({
      e: fc.oneof(
        { maxDepth: 4 },
        fc.constant<ix.IndexExpr>(i),
        fc.integer({ min: -70, max: 70 }).map(ix.constant),
        fc.tuple(tie("e"), tie("e")).map(([a, b]) => ix.add(a, b)),
        fc.tuple(tie("e"), fc.integer({ min: -3, max: 3 })).map(([a, by]) => ix.mul(a, by)),
        fc.tuple(tie("e"), fc.integer({ min: 1, max: 9 })).map(([a, by]) => ix.floordiv(a, by)),
        fc.tuple(tie("e"), fc.integer({ min: 1, max: 9 })).map(([a, by]) => ix.mod(a, by)),
      ),
    })).e;
    const evaluate = (e: ix.IndexExpr, at: number): number =>
      ix.evaluate(e, { axis: () => at, loop: () => 0, value: () => 0 });
    fc.assert(
      fc.property(
        expressions,
        expressions,
        fc.integer({ min: -20, max: 20 }),
        fc.integer({ min: 1, max: 40 }),
        (e, guarded, lo, extent) => {
          const hi = lo + extent;
          const [narrowed] = underGuard([e], [{ index: guarded, lo, hi }]) as [ix.IndexExpr];
          for (let at = 0; at < 64; at += 1) {
            const where = evaluate(guarded, at);
            if (where >= lo && where < hi) expect(evaluate(narrowed, at)).toBe(evaluate(e, at));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

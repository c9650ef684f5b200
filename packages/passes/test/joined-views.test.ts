/** Pieces of one array that are put together at even distances are one view of it; of others each is asked. */
import { concatenate, graph, pad, type Tensor, tensor } from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { lower } from "../src/lower.ts";
import { printPlan } from "../src/print-plan.ts";

const shape = [8, 24] as const;
const x: HostTensor = tensorOf(
  "int32",
  shape,
  Array.from({ length: 8 * 24 }, (_, i) => i),
);

const traced = (f: (x: Tensor) => Tensor) =>
  graph({ x: tensor("int32", shape) }, ({ x }) => ({ y: f(x) })).program;

/** How many reads an element of the result takes, having shown that the meaning is what it was. */
function readsOf(f: (x: Tensor) => Tensor): number {
  const program = traced(f);
  expect(disagreements(program, { x })).toEqual([]);
  const steps = printPlan(lower(ownCopy(program)));
  return [...steps.matchAll(/^\s*read /gm)].length;
}

const columns = (x: Tensor, first: number, count: number): Tensor =>
  x.slice([0, first], [8, first + count]);
const pieces = (x: Tensor, starts: readonly number[], count: number): Tensor[] =>
  starts.map((first) => columns(x, first, count));

describe("a concatenation of pieces of one array", () => {
  it("is one read: where they lay, under one another, backwards, overlapping, one piece again and again", () => {
    const joined = (starts: readonly number[], count: number, axis: number): number =>
      readsOf((x) => concatenate(pieces(x.add(1), starts, count), { axis }));
    expect(joined([0, 8, 16], 8, 1)).toBe(1);
    expect(joined([0, 6, 12, 18], 6, 0)).toBe(1);
    expect(joined([16, 8, 0], 8, 1)).toBe(1);
    expect(joined([0, 4, 8], 8, 1)).toBe(1);
    expect(joined([4, 4, 4], 8, 1)).toBe(1);
  });

  it("is one read through transpositions, reshapes and concatenations of concatenations", () => {
    const turned = (x: Tensor): Tensor => {
      const rows = concatenate(pieces(x, [0, 8, 16], 8), { axis: 0 }).transpose([1, 0]);
      const tiles = [0, 2, 4, 6].map((first) =>
        concatenate(
          [0, 12].map((from) => rows.slice([first, from], [first + 2, from + 12])),
          { axis: 0 },
        ),
      );
      return concatenate(tiles, { axis: 1 }).reshape([2, 96]);
    };
    expect(readsOf((x) => turned(x).mul(2))).toBe(1);
  });

  it("reads every piece where distances or sizes differ, where arrays do, and where one lies partly outside", () => {
    const doubled = (parts: (x: Tensor) => readonly Tensor[]): number =>
      readsOf((x) => concatenate(parts(x), { axis: 1 }).mul(2));
    expect(doubled((x) => pieces(x, [0, 8, 12], 8))).toBe(3);
    expect(doubled((x) => [columns(x, 0, 8), columns(x, 8, 4)])).toBe(2);
    expect(
      doubled((x) => [
        columns(x, 0, 8),
        columns(x, 0, 8).sum({ axis: 0, keepDims: true }).broadcastTo([8, 8]),
      ]),
    ).toBeGreaterThan(1);
    const outside = (x: Tensor) =>
      pad(columns(x, 16, 8), [
        [0, 0],
        [0, 4],
      ]);
    expect(doubled((x) => [columns(x, 0, 12), outside(x)])).toBe(2);
  });

  it("means what it meant: random pieces, turned and put together along any axis", () => {
    const piece = fc.record({
      first: fc.integer({ min: 0, max: 6 }),
      step: fc.integer({ min: -2, max: 3 }),
      count: fc.integer({ min: 1, max: 4 }),
      times: fc.integer({ min: 2, max: 5 }),
      stride: fc.integer({ min: 1, max: 2 }),
      axis: fc.constantFrom(0, 1),
      isTurned: fc.boolean(),
      mayWander: fc.boolean(),
    });
    fc.assert(
      fc.property(piece, ({ first, step, count, times, stride, axis, isTurned, mayWander }) => {
        const room = 24 - (count - 1) * stride - 1;
        const program = traced((x) => {
          const parts = Array.from({ length: times }, (_, i) => {
            const wander = mayWander && i === times - 1 ? 1 : 0;
            const start = Math.min(Math.max(first + i * step + wander, 0), room);
            const limit = start + (count - 1) * stride + 1;
            const part = x.slice([0, start], [8, limit], [1, stride]);
            return isTurned ? part.transpose([1, 0]) : part;
          });
          return concatenate(parts, { axis });
        });
        expect(disagreements(program, { x })).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

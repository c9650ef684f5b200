/** Few pieces of a concatenation are told apart element by element; of many, each is put in its place by itself. */
import { concatenate, graph, type Tensor, tensor } from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { mostPieces } from "../src/fuse/cost.ts";
import { lower } from "../src/lower.ts";
import { printPlan } from "../src/print-plan.ts";

const across = 3;
const named = (extents: readonly number[]) =>
  extents.map((extent, i) => [`x${i}`, [across, extent]] as const);

/** Arrays of 3 rows and so many columns each, every other one squared, beside each other or under one another. */
const joined = (extents: readonly number[], after: (y: Tensor) => Tensor, axis: 0 | 1 = 1) =>
  graph(
    Object.fromEntries(
      named(extents).map(([name, [rows, columns]]) => [
        name,
        tensor("float32", axis === 1 ? [rows, columns] : [columns, rows]),
      ]),
    ),
    (inputs) => ({
      y: after(
        concatenate(
          Object.values(inputs).map((x, i) => (i % 2 === 0 ? x : x.mul(x))),
          { axis },
        ),
      ),
    }),
  ).program;

const valuesOf = (extents: readonly number[], axis: 0 | 1 = 1): Record<string, HostTensor> =>
  Object.fromEntries(
    named(extents).map(([name, [rows, columns]], i) => [
      name,
      tensorOf(
        "float32",
        axis === 1 ? [rows, columns] : [columns, rows],
        Array.from({ length: rows * columns }, (_, k) => i * 10 + k),
      ),
    ]),
  );

const guardsIn = (plan: string): number => [...plan.matchAll(/read .* where /g)].length;

describe("a concatenation", () => {
  const many = Array.from({ length: mostPieces + 1 }, (_, i) => 2 + (i % 3));

  it("of few pieces is one kernel, with what is done to it", () => {
    const program = joined(many.slice(0, mostPieces), (y) => y.add(1));
    const plan = lower(ownCopy(program));
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["kernel"]);
    expect(guardsIn(printPlan(plan))).toBe(mostPieces);
  });

  it("of one more asks no element where it is", () => {
    for (const after of [(y: Tensor) => y, (y: Tensor) => y.add(1), (y: Tensor) => y.sum()]) {
      const program = joined(many, after);
      expect(disagreements(program, valuesOf(many))).toEqual([]);
      expect(guardsIn(printPlan(lower(ownCopy(program))))).toBe(0);
    }
  });

  it("means what it meant: random pieces, empty ones too, along both axes", () => {
    const extents = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 5, maxLength: 20 });
    const afters: readonly ((y: Tensor) => Tensor)[] = [
      (y) => y,
      (y) => y.transpose([1, 0]).mul(3),
      (y) => y.add(y.flip(0)),
      (y) => y.sum({ axis: 0 }),
    ];
    fc.assert(
      fc.property(
        extents,
        fc.constantFrom<0 | 1>(0, 1),
        fc.constantFrom(...afters),
        (given, axis, after) => {
          const program = joined(given, after, axis);
          expect(disagreements(program, valuesOf(given, axis))).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

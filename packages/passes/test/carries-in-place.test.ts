/**
 * What a loop carries is updated where it lies, folds of it included: a round reads a row, and then overwrites it. Where a
 * round reads what another point overwrites, it writes beside it first. Either way the result is the interpreter's.
 */
import { tensorOf } from "@gridfuse/interpret";
import type { Step } from "@gridfuse/plan";
import { f32, fori, type Graph, graph, type Tensor, tensor, whileLoop } from "gridfuse";
import { describe, expect, it } from "vitest";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile } from "../src/index.ts";

const side = 8;
const perRow = { axis: 1, keepDims: true } as const;
const perColumn = { axis: 0, keepDims: true } as const;

const isLoop = (step: Step): step is Step & { kind: "loop" | "while" } =>
  step.kind === "loop" || step.kind === "while";

/** Copies in each round of a loop that means what the interpreter says. */
function copiesARound(built: Graph): number {
  const values = Array.from({ length: side * side }, (_, i) => (((i * 37) % 23) - 11) / 4);
  const inputs = { x: tensorOf(f32, [side, side], values) };
  expect(disagreements(built.program, inputs)).toEqual([]);
  const [loop] = compile(built).steps.filter(isLoop);
  return loop?.body.filter(({ kind }) => kind === "copy").length ?? -1;
}

const repeated = (round: (s: Tensor) => Tensor): Graph =>
  graph({ x: tensor(f32, [side, side]) }, ({ x }) => ({
    y: fori(0, 4, x, (_, s) => round(s as Tensor)) as Tensor,
  }));

describe("a round is done in place", () => {
  it.each<[string, (s: Tensor) => Tensor]>([
    ["that subtracts the greatest of each row", (s) => s.sub(s.max(perRow).mul(0.5)) as Tensor],
    ["of each column", (s) => s.sub(s.max(perColumn).mul(0.5)) as Tensor],
    ["of all", (s) => s.sub(s.max().mul(0.5)) as Tensor],
    ["that scales rows by sums", (s) => s.div(s.abs().sum(perRow).add(1)) as Tensor],
    ["of rows, once the columns are folded", (s) => s.max(perRow).sub(s.min(perColumn)) as Tensor],
  ])("%s", (_, round) => {
    expect(copiesARound(repeated(round))).toBe(0);
  });

  it("that goes on while any element is far from nothing, counting", () => {
    const built = graph({ x: tensor(f32, [side, side]) }, ({ x }) => {
      const [y, rounds] = whileLoop(
        ([s]) => (s.abs() as Tensor).max().gt(0.25) as Tensor,
        ([s, n]) => [s.sub((s.max() as Tensor).mul(0.5)).mul(0.5) as Tensor, n.add(1) as Tensor],
        [x as Tensor, (x.sum() as Tensor).mul(0) as Tensor] as const,
      );
      return { y, rounds };
    });
    expect(copiesARound(built)).toBe(0);
  });
});

describe("a round is written beside what it reads", () => {
  it.each<[string, (s: Tensor) => Tensor]>([
    ["turned", (s) => s.transpose([1, 0]).sub(s.max(perRow)) as Tensor],
    ["backwards", (s) => s.flip(1).sub(s.max(perRow)) as Tensor],
    ["by the rows of others", (s) => s.sub((s.flip(0) as Tensor).max(perRow)) as Tensor],
  ])("%s", (_, round) => {
    expect(copiesARound(repeated(round))).toBeGreaterThan(0);
  });
});

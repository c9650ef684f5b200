/** What one kernel writes, the next takes from a register only where it would find just that in memory. */
import type { KernelStep, Stage } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type IndexRange, ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, expect, it } from "vitest";
import { mergeKernels } from "../src/fuse/merge-kernels.ts";

const extent = 8;
const point = ix.axis(0, extent);
const [x, between, y] = [0, 1, 2];

interface Access {
  readonly index: IndexExpr;
  readonly guard?: readonly IndexRange[];
}

/** `to[write] = −from[read]`, or 7 where the guard of the read fails. */
function negation(from: number, read: Access, to: number, write: Access): KernelStep {
  const b = new ScalarBuilder();
  const fill = { lo: 7, hi: 0 };
  const value = b.unary("neg", b.load("int32", from, read.index, read.guard ?? [], fill));
  const { index, guard = [] } = write;
  const writes = [{ buffer: to, dtype: "int32", index, guard, value }] as const;
  const stage: Stage = { axes: [extent], nodes: b.nodes, reductions: [], writes };
  return { kind: "kernel", name: `to_${to}`, axes: [], stages: [stage] };
}

const next: Access = { index: ix.add(point, ix.constant(1)) };
const half: readonly IndexRange[] = [{ index: point, lo: 0, hi: extent / 2 }];

describe("kernels over one domain", () => {
  it("become one where what was written is read at the same place", () => {
    const merged = mergeKernels([
      negation(x, next, between, next),
      negation(between, next, y, { index: point }),
    ]);
    expect(merged).toHaveLength(1);
    const [stage] = (merged[0] as KernelStep).stages as readonly [Stage];
    const loads = stage.nodes.filter((node) => node.op === "load");
    expect(loads.map(({ buffer }) => buffer)).toEqual([x]);
  });

  it("stay two where a guard keeps some points from reading what was written there", () => {
    const merged = mergeKernels([
      negation(x, next, between, next),
      negation(between, { ...next, guard: half }, y, { index: point }),
    ]);
    expect(merged).toHaveLength(2);
  });

  it("stay two where a guard keeps some points from being written", () => {
    const merged = mergeKernels([
      negation(x, next, between, { ...next, guard: half }),
      negation(between, next, y, { index: point }),
    ]);
    expect(merged).toHaveLength(2);
  });
});

/**
 * What intervals cannot prove to lie in its buffer carries a clamp (design §5): the index is right, but
 * the reason is beyond interval arithmetic, and whoever loads the plan believes only what it can check.
 */
import { guardedInterval, type PlanBuffer, type Step } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange, ScalarNode } from "@gridfuse/plan/scalar";
import { mapInner } from "./accesses.ts";

interface Access {
  readonly buffer: number;
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
}

/** The steps with every access provably in bounds. */
export function boundAccesses(
  steps: readonly Step[],
  buffers: readonly PlanBuffer[],
): readonly Step[] {
  const bound = <A extends Access>(access: A): A => {
    const { length } = buffers[access.buffer] as PlanBuffer;
    const { index, guard } = access;
    if (index.lo >= 0 && index.hi < length) return access;
    const { lo, hi } = guardedInterval(index, guard);
    if (length === 0 || lo > hi || (lo >= 0 && hi < length)) return access;
    return { ...access, index: ix.clamp(index, 0, length - 1) };
  };
  const boundNodes = (nodes: readonly ScalarNode[]): readonly ScalarNode[] =>
    nodes.map((node) => (node.op === "load" ? bound(node) : node));
  return steps.map((step) => {
    switch (step.kind) {
      case "kernel":
        return {
          ...step,
          stages: step.stages.map((stage) => ({
            ...stage,
            nodes: boundNodes(stage.nodes),
            writes: stage.writes.map(bound),
          })),
        };
      case "scatter":
        return { ...step, nodes: boundNodes(step.nodes), write: bound(step.write) };
      default:
        return mapInner(step, (inner) => boundAccesses(inner, buffers));
    }
  });
}

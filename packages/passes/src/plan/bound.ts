/**
 * What intervals cannot prove to lie in its buffer carries a clamp (design §5): the index is right, but
 * the reason is beyond interval arithmetic, and whoever loads the plan believes only what it can check.
 */
import { guardedInterval, type PlanBuffer, type Stage, type Step } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange, LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import { leavesOf } from "../fuse/leaves.ts";
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
  const boundNodes = (nodes: readonly ScalarNode[]): readonly ScalarNode[] => {
    const { loads } = leavesOf(nodes);
    let result: ScalarNode[] | undefined;
    for (let i = 0; i < loads.length; i += 1) {
      const at = loads[i] as number;
      const node = bound(nodes[at] as LoadNode);
      if (node === nodes[at]) continue;
      result ??= nodes.slice();
      result[at] = node;
    }
    return result ?? nodes;
  };
  const boundStage = (stage: Stage): Stage => {
    const nodes = boundNodes(stage.nodes);
    const writes = mapped(stage.writes, bound);
    return nodes === stage.nodes && writes === stage.writes ? stage : { ...stage, nodes, writes };
  };
  return mapped(steps, (step) => {
    switch (step.kind) {
      case "kernel": {
        const stages = mapped(step.stages, boundStage);
        return stages === step.stages ? step : { ...step, stages };
      }
      case "scatter":
        return { ...step, nodes: boundNodes(step.nodes), write: bound(step.write) };
      default:
        return mapInner(step, (inner) => boundAccesses(inner, buffers));
    }
  });
}

/** The list mapped; itself where nothing in it changes, as mostly. */
function mapped<T>(list: readonly T[], map: (each: T) => T): readonly T[] {
  let result: T[] | undefined;
  for (let i = 0; i < list.length; i += 1) {
    const given = list[i] as T;
    const made = map(given);
    if (made !== given) {
      result ??= list.slice();
      result[i] = made;
    }
  }
  return result ?? list;
}

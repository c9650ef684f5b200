/**
 * A stage with its accesses as they have become. Nodes of a stage differ, and accesses that have changed mostly still do: then all
 * nodes do, and none needs to be looked for. Otherwise equal nodes merge; what nothing needs any more goes.
 */
import type { Reduction, Stage, Write } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import { ScalarBuilder, type ScalarNode } from "@gridfuse/plan/scalar";
import { type Access, AccessMap, liveNodes } from "./access-map.ts";
import { appendNodes, mapGuard, mapValues, movedWrite } from "./append-nodes.ts";
import { shareLeaves } from "./leaves.ts";

/** The stage with every index expression mapped. */
export function rebuildStage(
  stage: Stage,
  map: (e: IndexExpr) => IndexExpr,
  axes: readonly number[] = stage.axes,
): Stage {
  const accesses = new AccessMap(stage);
  accesses.mapIndices(map);
  return rewriteStage(stage, accesses, axes);
}

export function rewriteStage(
  stage: Stage,
  accesses: AccessMap,
  axes: readonly number[] = stage.axes,
): Stage {
  const { current, live, ofWrites } = accesses;
  const writes: Write[] = [];
  for (let w = 0; w < stage.writes.length; w += 1) {
    const { buffer, dtype, value } = stage.writes[w] as Write;
    const { index, guard } = current[ofWrites[w] as number] as Access;
    writes.push({ buffer, dtype, index, guard, value });
  }
  const nodes = rewrittenNodes(stage.nodes, accesses);
  const changed: Stage = { axes, nodes, reductions: stage.reductions, writes };
  if (!accesses.areDistinct()) return mergeEqual(changed);
  // Guards that always hold are gone, and with them the values that only they took.
  if (accesses.isGuarded) return dropDead(changed);
  return live.includes(0) ? withoutDead(changed, live) : changed;
}

/** The nodes with their accesses as they are now: the very same list where none has changed. */
function rewrittenNodes(
  given: readonly ScalarNode[],
  { nodes: owners, ofNodes, current }: AccessMap,
): readonly ScalarNode[] {
  let nodes: ScalarNode[] | undefined;
  for (let i = 0; i < owners.length; i += 1) {
    const at = owners[i] as number;
    const node = withAccess(given[at] as ScalarNode, current[ofNodes[i] as number] as Access);
    if (node === given[at]) continue;
    nodes ??= given.slice();
    nodes[at] = node;
  }
  if (nodes === undefined) return given;
  shareLeaves(nodes, given);
  return nodes;
}

function withAccess(node: ScalarNode, { index, guard }: Access): ScalarNode {
  if (node.op === "index") {
    return index === node.index ? node : { op: "index", dtype: node.dtype, index };
  }
  if (node.op !== "load") return node;
  const isSame = index === node.index && (guard === node.guard || guard.length === 0);
  if (isSame && node.guard.length === guard.length) return node;
  const { dtype, buffer, fill } = node;
  return { op: "load", dtype, buffer, index, guard, fill };
}

/** The stage, some of whose nodes may be equal, with all of them different. */
function mergeEqual(stage: Stage): Stage {
  const b = new ScalarBuilder();
  const moved = appendNodes(b, stage.nodes, (e) => e, liveNodes(stage));
  return {
    axes: stage.axes,
    nodes: b.nodes,
    reductions: stage.reductions.map((reduction) => movedReduction(reduction, moved)),
    writes: stage.writes.map((write) => movedWrite(write, moved)),
  };
}

export const movedReduction = (reduction: Reduction, moved: readonly number[]): Reduction => ({
  ...reduction,
  value: moved[reduction.value] as number,
});

/** The stage, all of whose nodes differ, without those that nothing needs. */
export function dropDead(stage: Stage): Stage {
  const live = liveNodes(stage);
  return live.includes(0) ? withoutDead(stage, live) : stage;
}

/** The stage with its live nodes only. */
function withoutDead({ axes, nodes, reductions, writes }: Stage, live: Uint8Array): Stage {
  const moved: number[] = [];
  const kept: ScalarNode[] = [];
  for (let i = 0; i < nodes.length; i += 1) {
    moved.push(live[i] === 1 ? kept.length : -1);
    if (live[i] === 1) kept.push(renumbered(nodes[i] as ScalarNode, moved));
  }
  return {
    axes,
    nodes: kept,
    reductions: reductions.map((reduction) => movedReduction(reduction, moved)),
    writes: writes.map((write) => movedWrite(write, moved)),
  };
}

/** A node whose operands have other numbers. */
export function renumbered(node: ScalarNode, moved: readonly number[]): ScalarNode {
  if (node.op === "load") {
    const { dtype, buffer, index, guard, fill } = node;
    return {
      op: "load",
      dtype,
      buffer,
      index: mapValues(index, moved),
      guard: mapGuard(guard, moved),
      fill,
    };
  }
  if (node.op === "index") {
    return { op: "index", dtype: node.dtype, index: mapValues(node.index, moved) };
  }
  const { op, dtype, args } = node as { op: string; dtype: string; args?: readonly number[] };
  if (args === undefined) return node;
  return { op, dtype, args: argsMoved(args, moved) } as unknown as ScalarNode;
}

/** Lists that are made as long as they are: one that grows has room for many more, and there are many of them. */
export function argsMoved(args: readonly number[], moved: ArrayLike<number>): number[] {
  const x = moved[args[0] as number] as number;
  if (args.length === 1) return [x];
  const y = moved[args[1] as number] as number;
  return args.length === 2 ? [x, y] : [x, y, moved[args[2] as number] as number];
}

/**
 * Axes whose extent each call decides (Pallas's dynamic grids). The axis gets the most it may have, and the
 * points beyond the call's extent leave the state as it is: `when(id < count)` around the whole body.
 *
 * Scratch is another matter. Nobody sees what such points leave in it as long as every point of the axis and
 * of those around it overwrites it before it reads it; then it needs no guard, and the axis can be parallel.
 * Where that turns out wrong the axis is put among `guarded`, and the body is opened again.
 */
import {
  Emitter,
  type Node,
  type NodeNamed,
  newRegion,
  type Region,
  type ValueId,
} from "@gridfuse/graph";
import { closeRegion, hasEffect, inlineRegion } from "../tensor/rebuild.ts";

/** Axes whose idle points must leave scratch alone. */
export type GuardedAxes = ReadonlySet<number>;

export interface PointArguments {
  readonly ids: readonly ValueId[];
  readonly prefetched: readonly ValueId[];
  /** All arguments of the body. */
  readonly all: readonly ValueId[];
  /** What the states hold before the point, those of scratch included. */
  readonly before: readonly ValueId[];
  readonly isScratch: readonly boolean[];
}

export const callExtents = (node: NodeNamed<"grid">): readonly number[] =>
  node.params.axes.flatMap(({ count }, axis) => (count === undefined ? [] : [axis]));

/** The states after one point, which may lie beyond the extents of the call. */
export function runPoint(
  b: Emitter,
  node: NodeNamed<"grid">,
  point: PointArguments,
  guarded: GuardedAxes,
): readonly ValueId[] {
  const body = node.regions[0] as Region;
  const axes = callExtents(node);
  if (axes.length === 0) return inlineRegion(b, body, point.all);
  const stepsOf = (axis: number): ValueId =>
    b.reshape(point.prefetched[node.params.axes[axis]?.count as number] as ValueId, []);
  const inside = (axis: number): ValueId =>
    b.emit("lt", [point.ids[axis] as ValueId, stepsOf(axis)], {});
  const active = allOf(b, axes.map(inside)) as ValueId;
  // Without any step nothing is seen of scratch: its first point may do as it likes, and what starts there is found.
  const keepsScratch = allOf(
    b,
    axes
      .filter((axis) => guarded.has(axis))
      .map((axis) => {
        const first = b.emit("eq", [point.ids[axis] as ValueId, b.full("int32", [], 0)], {});
        return b.emit("or", [first, inside(axis)], {});
      }),
  );
  const after = speaksOrWaits(b, body)
    ? branch(b, body, active, point)
    : inlineRegion(b, body, point.all);
  return after.map((value, s) => {
    const guard = point.isScratch[s] ? keepsScratch : active;
    const before = point.before[s] as ValueId;
    if (guard === undefined || value === before) return value;
    return b.emit("select_n", [guard, before, value], {});
  });
}

const allOf = (b: Emitter, conditions: readonly ValueId[]): ValueId | undefined =>
  conditions.length === 0
    ? undefined
    : conditions.reduce((all, each) => b.emit("and", [all, each], {}));

/** Prints must not happen, and loops may not end, at points that the call does not have. */
function speaksOrWaits({ table }: Emitter, region: Region): boolean {
  return region.nodes.some((id) => {
    const node = table.nodes[id] as Node;
    if (node.op === "while" || hasEffect(table, node)) return true;
    return node.regions.some((inner) => speaksOrWaits(new Emitter(table, inner), inner));
  });
}

function branch(
  b: Emitter,
  body: Region,
  active: ValueId,
  { all, before }: PointArguments,
): readonly ValueId[] {
  const { table } = b;
  const taken = newRegion();
  const inner = new Emitter(table, taken);
  taken.results.push(...inlineRegion(inner, body, all));
  const { region: run, captures } = closeRegion(b, taken);
  const idle = newRegion();
  const params = captures.map((value) => table.newParam(idle, table.types[value]!));
  const kept = before.map((value) => captures.indexOf(value));
  const missing = before.filter((_, s) => (kept[s] as number) < 0);
  const extra = missing.map((value) => table.newParam(idle, table.types[value]!));
  for (const value of missing) table.newParam(run, table.types[value]!);
  let next = 0;
  idle.results.push(
    ...kept.map((at) => (at < 0 ? (extra[next++] as ValueId) : (params[at] as ValueId))),
  );
  const types = before.map((value) => table.types[value]!);
  return table.newNode(b.region, "cond", {}, [active, ...captures, ...missing], types, [idle, run])
    .outputs;
}

/**
 * Axes that must join `guarded`: those along which scratch is not simply overwritten, by one of their own
 * points or by one of an axis around them. `overwrites` says it of every axis.
 */
export function unguardedReaders(
  node: NodeNamed<"grid">,
  guarded: GuardedAxes,
  overwrites: readonly boolean[],
): readonly number[] {
  return callExtents(node).filter(
    (axis) => !guarded.has(axis) && !overwrites.slice(0, axis + 1).every(Boolean),
  );
}

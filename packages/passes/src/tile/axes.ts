/**
 * The axes of a step divided among tiles. Usually those that come first, in equal parts; where what a step reads lies in
 * tiles along another axis, that one; and where an axis has no equal parts, parts of a given size of which the last is
 * shorter: points past the end are guarded, as ragged blocks of a grid are.
 */
import type { Stage, Write } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange, LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import { leavesOf } from "../fuse/leaves.ts";
import { plainGuards } from "../fuse/stage.ts";
import { type Tiling, tileIndex } from "./uses.ts";

export interface CutAxes {
  /** Extents that are left for one tile. */
  readonly extents: readonly number[];
  /** For each axis: its new number, or undefined if tiles have it all; and where the tile's part of it begins. */
  readonly places: readonly { readonly axis: number | undefined; readonly start: IndexExpr }[];
  readonly inside?: Inside;
}

/** Where a part may be shorter than the others: what holds for its points, and how long buffers are. */
interface Inside {
  readonly range: IndexRange;
  readonly lengthOf: (buffer: number) => number;
}

/** Leading axes divided among the tiles, row-major: the first ones as a whole, one more in equal parts. */
export function cutAxes(extents: readonly number[], tiling: Tiling): CutAxes | undefined {
  const left: number[] = [];
  const places: { axis: number | undefined; start: IndexExpr }[] = [];
  let rest = tiling.trips;
  for (const extent of extents) {
    const parts = Math.min(extent, rest);
    if (parts === 0 || extent % parts !== 0 || rest % parts !== 0) return undefined;
    rest /= parts;
    const part = ix.mod(ix.floordiv(tileIndex(tiling), rest), parts);
    const own = extent / parts;
    const whole = own === 1 && parts > 1;
    places.push({ axis: whole ? undefined : left.length, start: ix.mul(part, own) });
    if (!whole) left.push(own);
  }
  return rest === 1 ? { extents: left, places } : undefined;
}

/** One axis in equal parts, whichever it is. */
export function cutAxis(
  extents: readonly number[],
  axis: number,
  tiling: Tiling,
): CutAxes | undefined {
  const extent = extents[axis] as number;
  const { trips } = tiling;
  if (extent === 0 || extent % trips !== 0) return undefined;
  const own = extent / trips;
  const before = extents.slice(0, axis);
  return {
    extents: [...before, ...(own === 1 ? [] : [own]), ...extents.slice(axis + 1)],
    places: [
      ...before.map((_, d) => ({ axis: d, start: ix.zero })),
      { axis: own === 1 ? undefined : axis, start: ix.mul(tileIndex(tiling), own) },
      ...extents.slice(axis + 1).map((_, d) => ({
        axis: axis + d + (own === 1 ? 0 : 1),
        start: ix.zero,
      })),
    ],
  };
}

/** The first axis in parts of `own`, the last of which may be shorter. */
export function cutRagged(
  extents: readonly number[],
  own: number,
  tiling: Tiling,
): CutAxes | undefined {
  const [extent, ...others] = extents;
  const { trips } = tiling;
  if (extent === undefined || extent === 0) return undefined;
  if (own * trips < extent || own * (trips - 1) >= extent) return undefined;
  const start = ix.mul(tileIndex(tiling), own);
  return {
    extents: [own, ...others],
    places: [{ axis: 0, start }, ...others.map((_, d) => ({ axis: d + 1, start: ix.zero }))],
    inside: {
      range: { index: ix.add(start, ix.axis(0, own)), lo: 0, hi: extent },
      lengthOf: tiling.lengthOf,
    },
  };
}

/** The axes that were cut come first; those behind them move up. */
export function renumbering(
  { extents, places }: CutAxes,
  { known: { maps } }: Tiling,
): (e: IndexExpr) => IndexExpr {
  const domain = `${places.map(({ start }) => start.key).join()}:${extents.join()}`;
  const same = maps.get(domain);
  if (same !== undefined) return same;
  const leaf = (axis: number, hi: number): IndexExpr => {
    const place = places[axis];
    if (place === undefined) return ix.axis(axis - places.length + extents.length, hi + 1);
    if (place.axis === undefined) return place.start;
    return ix.add(place.start, ix.axis(place.axis, extents[place.axis] as number));
  };
  const known = new Map<string, IndexExpr>();
  const map = (e: IndexExpr): IndexExpr => {
    let found = known.get(e.key);
    if (found === undefined) {
      found = ix.substitute(e, (l) => (l.k === "axis" ? leaf(l.axis, l.hi) : l));
      known.set(e.key, found);
    }
    return found;
  };
  maps.set(domain, map);
  return map;
}

export type IndexMap = (e: IndexExpr) => IndexExpr;

export function mapNodes(
  nodes: readonly ScalarNode[],
  map: IndexMap,
  inside?: Inside,
): readonly ScalarNode[] {
  return nodes.map((node): ScalarNode => {
    if (node.op === "index") return { ...node, index: map(node.index) };
    return node.op === "load" ? mapLoad(node, map, inside) : node;
  });
}

function mapLoad(node: LoadNode, map: IndexMap, inside: Inside | undefined): LoadNode {
  const index = map(node.index);
  const guard = plainGuards(node.guard, map);
  const isFar = index.lo < 0 || index.hi >= (inside?.lengthOf(node.buffer) ?? 0);
  return { ...node, index, guard: isFar ? guarded(guard, inside) : guard };
}

/** What is loaded, as `mapNodes` would have it. */
export const mapLoads = (
  nodes: readonly ScalarNode[],
  map: IndexMap,
  inside?: Inside,
): readonly LoadNode[] =>
  leavesOf(nodes).loads.map((at) => mapLoad(nodes[at] as LoadNode, map, inside));

export const mapWrites = (
  writes: readonly Write[],
  map: IndexMap,
  inside?: Inside,
): readonly Write[] =>
  writes.map((write) => ({
    ...write,
    index: map(write.index),
    guard: guarded(plainGuards(write.guard, map), inside),
  }));

export const mapStage = (
  stage: Stage,
  axes: readonly number[],
  map: IndexMap,
  inside?: Inside,
): Stage => ({
  axes,
  nodes: mapNodes(stage.nodes, map, inside),
  reductions: stage.reductions,
  writes: mapWrites(stage.writes, map, inside),
});

const guarded = (
  guard: readonly IndexRange[],
  inside: Inside | undefined,
): readonly IndexRange[] => (inside === undefined ? guard : [...guard, inside.range]);

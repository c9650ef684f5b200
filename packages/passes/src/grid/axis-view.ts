/**
 * An axis of a grid body, and questions about it: what a value is at one point, at the first one, or wherever
 * a coordinate lies in a range. The body is specialised by assumptions about the coordinate and folded.
 */
import type { Region, Table, ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type Assumptions, simplifyRegion } from "../simplify/simplify.ts";
import { withoutEffects } from "../tensor/rebuild.ts";
import type { GridBody, State } from "./body.ts";

/** The body with axes beyond `axis` already removed: params [ids 0…axis, states…]. */
export interface AxisView {
  readonly table: Table;
  readonly body: GridBody;
  readonly axis: number;
  readonly region: Region;
}

export const idParam = ({ region, axis }: AxisView): ValueId => region.params[axis] as ValueId;
export const stateParam = ({ region, axis }: AxisView, s: number): ValueId =>
  region.params[axis + 1 + s] as ValueId;

export const extentOf = ({ body, axis }: AxisView): number => body.extents[axis] as number;

/** A leaf that ranges over lo … hi, for asking what holds there. */
export function rangeLeaf(lo: number, hi: number): IndexExpr {
  const probeLoop = -1;
  return ix.add(ix.loop(probeLoop, hi - lo + 1), ix.constant(lo));
}

/** Assumptions under which the axis has the coordinate(s) `at`. */
export function assumeCoordinate(view: AxisView, at: IndexExpr): Assumptions {
  const { body, axis } = view;
  return {
    known: new Map([...outerIds(view), [idParam(view), at] as const]),
    loops: new Map([[body.loopIds[axis] as number, at]]),
  };
}

/** Program ids of the axes outside, as loop leaves. */
export function outerIds({ body, region, axis }: AxisView): (readonly [ValueId, IndexExpr])[] {
  return body.extents
    .slice(0, axis)
    .map((extent, a) => [region.params[a] as ValueId, ix.loop(body.loopIds[a] as number, extent)]);
}

/** `region` with other results, specialised. */
export function specialise(
  view: AxisView,
  results: readonly ValueId[],
  assumptions: Assumptions,
): Region {
  const { table, region } = view;
  return simplifyRegion(table, { ...region, results: [...results] }, assumptions);
}

export const isOwn = (state: State, axis: number): boolean =>
  state.tiling?.axes.includes(axis) === true;

/**
 * Whether `value` is state s at every point but the first. What it is there, such as zero, or whatever the
 * axes outside make of the state they left, is evaluated before the axis begins.
 */
export function isStateAfterFirst(view: AxisView, value: ValueId, s: number): boolean {
  const param = stateParam(view, s);
  if (value === param) return true;
  const later = specialise(view, [value], assumeCoordinate(view, rangeLeaf(1, extentOf(view) - 1)));
  return later.results[0] === param && valueAtFirst(view, value) !== undefined;
}

/** What computes `value` at the first point, to be evaluated besides the body: effects are not repeated. */
export function valueAtFirst(view: AxisView, value: ValueId): Region | undefined {
  return withoutEffects(view.table, specialise(view, [value], assumeCoordinate(view, ix.zero)));
}

/**
 * Movement that, all in all, moves nothing but the start: a reshape, or a leading slice of a batch, lies where its source lies.
 */
import { sizes, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { flatten, viewOf } from "../tensor/views.ts";
import type { Scope } from "./lower-region.ts";

export interface Shifted {
  readonly source: ValueId;
  /** How far the start moves. */
  readonly shift: IndexExpr;
}

/** What `value` is, moved; undefined where elements change places. */
export function shiftedSource(scope: Scope, value: ValueId): Shifted | undefined {
  const maker = scope.table.producer(value);
  if (maker === undefined || viewOf(scope.table, maker) === undefined) return undefined;
  const shape = sizes(scope.table.tensor(value).shape);
  let at = scope.coordinates.ofShape(shape);
  const own = scope.coordinates.offsetOf(at, shape);
  let current = value;
  for (;;) {
    const node = scope.table.producer(current);
    const view = node === undefined ? undefined : viewOf(scope.table, node);
    if (node === undefined || view === undefined) return undefined;
    const source = scope.renamed(node.inputs[0] as ValueId);
    const extents = sizes(scope.table.tensor(source).shape);
    at = view.index.map((e) => ix.substituteAxes(e, at));
    const inside = at.every(
      (e, d) => e.lo >= 0 && (e.hi < (extents[d] as number) || extents[d] === 0),
    );
    if (!inside) return undefined;
    const shift = ix.sub(flatten(at, extents), own);
    let fixed = true;
    ix.forEachLeaf(shift, (leaf) => {
      if (leaf.k === "axis") fixed = false;
    });
    if (fixed) return { source, shift };
    if (scope.lowering.places.has(source)) return undefined;
    current = source;
  }
}

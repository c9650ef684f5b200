/**
 * vectorise-grid: removes the axes of a grid one after the other, innermost first.
 *
 *  parallel    the axis becomes a leading array dimension of everything that depends on it
 *  last        the same, then only the last point's state is kept
 *  reduction   the terms become an array and are reduced at once
 *  sequential  a scan; the axes outside are still batched around it
 *
 * After this no grid node is left, and no per-grid-point work unless an axis is truly sequential.
 */
import type { BatchOperand, Emitter, NodeNamed, Region, ValueId } from "@gridfuse/graph";
import type { AxisReport } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { simplifyRegion } from "../simplify/simplify.ts";
import { asBatched } from "../tensor/batch-scope.ts";
import { inlineRegion } from "../tensor/rebuild.ts";
import { batchResults, lastPoint, startRemoval } from "./axis-removal.ts";
import type { AxisView } from "./axis-view.ts";
import {
  finalArray,
  type GridBody,
  initialState,
  type LoopCounter,
  type OpenBody,
  openBody,
  type State,
} from "./body.ts";
import { unguardedReaders } from "./call-extents.ts";
import { classifyAxis, type Verdict } from "./classify.ts";
import { loopAxis } from "./loop-axis.ts";
import { reduceAxis } from "./reduce-axis.ts";
import { isFold, type StateRole } from "./roles.ts";

export interface VectoriseOptions {
  readonly reassociate: boolean;
  readonly loops: LoopCounter;
  readonly axes: AxisReport[];
  readonly notes: string[];
}

/** Emits what a tensor-level grid node computes, without the grid; gives its outputs. */
export function vectoriseGrid(
  e: Emitter,
  node: NodeNamed<"grid">,
  operands: readonly ValueId[],
  options: VectoriseOptions,
): readonly ValueId[] {
  const outputs = node.params.outputs.length;
  const guarded = new Set<number>();
  for (;;) {
    const open = openBody(e, node, operands, options.loops, guarded);
    const { body } = open;
    const initial = body.states.map((state) => initialState(e, body, state));
    if (body.extents.includes(0)) {
      return body.states
        .slice(0, outputs)
        .map((state, s) => emptyRun(e, body, state, initial[s] as ValueId));
    }
    const { region, axes, notes, overwrites } = removeAxes(e, node, open, options);
    const readers = unguardedReaders(node, guarded, overwrites);
    for (const axis of readers) guarded.add(axis);
    if (readers.length > 0) continue;
    options.axes.push(...axes);
    options.notes.push(...notes);
    const finals = inlineRegion(e, simplifyRegion(e.table, region), initial);
    return body.states
      .slice(0, outputs)
      .map((state, s) => finalArray(e, body, state, finals[s] as ValueId));
  }
}

interface WithoutAxes {
  readonly region: Region;
  readonly axes: readonly AxisReport[];
  readonly notes: readonly string[];
  /** Of each axis: whether its points write all scratch before they read it. */
  readonly overwrites: readonly boolean[];
}

function removeAxes(
  e: Emitter,
  node: NodeNamed<"grid">,
  { body, region }: OpenBody,
  options: VectoriseOptions,
): WithoutAxes {
  let current = region;
  const reports: AxisReport[] = [];
  const notes: string[] = [];
  const overwrites: boolean[] = [];
  for (let axis = body.extents.length - 1; axis >= 0; axis -= 1) {
    const given: AxisView = { table: e.table, body, axis, region: tidy(e, body, axis, current) };
    const { view, verdict: classified } = classifyAxis(given, options.reassociate);
    const { region: next, verdict } = removeAxis(view, classified, given);
    current = next;
    reports.unshift({
      kernel: body.name,
      axis: body.axisNames[axis] as string,
      extent: body.extents[axis] as number,
      verdict: verdict.verdict,
      reason: verdict.reason,
    });
    noteContradiction(node, axis, verdict, notes);
    overwrites.unshift(
      verdict.roles.every(
        ({ kind }, s) =>
          body.states[s]?.kind !== "scratch" || kind === "overwritten" || kind === "kept",
      ),
    );
  }
  return { region: current, axes: reports, notes, overwrites };
}

function emptyRun(e: Emitter, body: GridBody, state: State, initial: ValueId): ValueId {
  if (state.initial !== undefined) return state.initial;
  return finalArray(e, body, state, initial);
}

const tidy = (e: Emitter, body: GridBody, axis: number, region: Region): Region => {
  const known = body.extents
    .slice(0, axis + 1)
    .map(
      (extent, a) =>
        [region.params[a] as ValueId, ix.loop(body.loopIds[a] as number, extent)] as const,
    );
  return simplifyRegion(e.table, region, { known: new Map(known) });
};

function noteContradiction(
  node: NodeNamed<"grid">,
  axis: number,
  { verdict, reason }: Verdict,
  notes: string[],
): void {
  const promised = node.params.axes[axis]?.semantics;
  if (promised !== "parallel" || verdict === "parallel") return;
  notes.push(
    `kernel "${node.params.name}": axis ${node.params.axes[axis]?.name} is declared parallel but is ${verdict}: ${reason}`,
  );
}

/** @param given the body as it was, where `view` has other updates that come to the same */
function removeAxis(
  view: AxisView,
  classified: Verdict,
  given: AxisView,
): { region: Region; verdict: Verdict } {
  switch (classified.verdict) {
    case "parallel":
    case "last":
      return { region: batchAxis(view, classified.roles), verdict: classified };
    case "reduction": {
      const region = reduceAxis(view, classified.roles);
      if (region !== undefined) return { region, verdict: classified };
      const fallback: Verdict = {
        verdict: "sequential",
        reason: "an output published at the last point needs state that is not a reduction",
        roles: classified.roles.map((role) =>
          isFold(role) || role.kind === "published" ? { kind: "carried" } : role,
        ),
      };
      return { region: loopAxis(given, fallback.roles), verdict: fallback };
    }
    case "sequential":
      return { region: loopAxis(view, classified.roles), verdict: classified };
    default:
      return classified.verdict satisfies never;
  }
}

function batchAxis(view: AxisView, roles: readonly StateRole[]): Region {
  const removal = startRemoval(view);
  const { e, n, region, states } = removal;
  const batched = batchResults(view, removal, view.region.results);
  roles.forEach(({ kind }, s) => {
    const result = batched[s] as BatchOperand;
    if (kind === "own") region.results.push(asBatched(e, result, n));
    else if (kind === "kept") region.results.push(states[s] as ValueId);
    else region.results.push(lastPoint(e, result, n));
  });
  return region;
}

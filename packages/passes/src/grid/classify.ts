/**
 * classify-axes: what kind of loop a grid axis is, proven from the graph.
 *
 * The question is what one point of the axis needs from the point before it. State that is carried
 * but overwritten before it is read needs nothing (*parallel*; *last* where an output is revisited).
 * State that only grows by s ⊕ f(i) is a *reduction*. To see both through `when(k == 0)` and
 * `when(k == n-1)` the body is specialised to the first, the other, and the last coordinate, folded,
 * and looked at. Anything else is *sequential*. `dimension_semantics` is never consulted.
 */
import {
  type Category,
  definitionOf,
  elementCount,
  type Node,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { dependencies, freeValues, hasEffect, withoutEffects } from "../tensor/rebuild.ts";
import {
  type AxisView,
  assumeCoordinate,
  extentOf,
  isOwn,
  rangeLeaf,
  specialise,
  stateParam,
} from "./axis-view.ts";
import type { State } from "./body.ts";
import { changesWithOrder, hasPrefixes } from "./fold.ts";
import { withoutMasks } from "./masked.ts";
import { type FoldRole, foldRole, isFold, type Needs, type StateRole, termsOf } from "./roles.ts";

export interface Verdict {
  readonly verdict: "parallel" | "reduction" | "last" | "sequential";
  readonly reason: string;
  readonly roles: readonly StateRole[];
}

/**
 * The verdict on an axis, and the body of which it holds: with updates under a condition made unconditional where
 * that makes the axis a reduction.
 */
export function classifyAxis(
  view: AxisView,
  reassociate: boolean,
): { readonly view: AxisView; readonly verdict: Verdict } {
  const verdict = judgeBody(view, reassociate);
  if (verdict.verdict !== "sequential") return { view, verdict };
  const other = withoutMasks(view, (s) => verdict.roles[s]?.kind === "carried");
  if (other === undefined) return { view, verdict };
  const anew = judgeBody(other.view, reassociate);
  // What points read of a sum is the sum in order.
  const isExact = anew.roles.every(
    (role, s) => role.kind !== "reduced" || role.prefixes === undefined || !other.reordered.has(s),
  );
  if (anew.verdict === "reduction" && isExact) return { view: other.view, verdict: anew };
  return { view, verdict: { ...verdict, reason: anew.reason } };
}

function judgeBody(view: AxisView, reassociate: boolean): Verdict {
  const { body, axis, region, table } = view;
  const { states } = body;
  const n = extentOf(view);
  const written = states.flatMap((state, s) =>
    !isOwn(state, axis) && region.results[s] !== stateParam(view, s) ? [s] : [],
  );
  const carried = new Set(written.map((s) => stateParam(view, s)));
  const needs = dependencies(table, region, carried);
  const ownOr = (s: number, kind: "kept" | "overwritten"): StateRole =>
    isOwn(states[s] as State, axis)
      ? { kind: "own" }
      : written.includes(s)
        ? { kind }
        : { kind: "kept" };
  const shown = effectsNeed(view, needs);
  if (!shown && region.results.every((value) => needs(value).size === 0)) {
    const roles = states.map((_, s) => ownOr(s, "overwritten"));
    const last = written.filter((s) => states[s]?.kind !== "scratch");
    if (n > 1 && last.length > 0) {
      return { verdict: "last", reason: lastReason(states, last), roles };
    }
    return { verdict: "parallel", reason: parallelReason(view, written), roles };
  }

  const roles = states.map((_, s): StateRole => {
    if (!written.includes(s)) return ownOr(s, "kept");
    if (needs(region.results[s] as ValueId).size === 0) return { kind: "overwritten" };
    return foldRole(view, s, needs) ?? publishedRole(view, s) ?? { kind: "carried" };
  });
  return judge(view, roles, needs, shown, reassociate);
}

/** Whether an effect, such as a print, shows state that earlier points left. */
function effectsNeed({ table, region }: AxisView, needs: Needs): boolean {
  return region.nodes.some((id) => {
    const node = table.nodes[id] as Node;
    return hasEffect(table, node) && node.inputs.some((value) => needs(value).size > 0);
  });
}

function judge(
  view: AxisView,
  given: readonly StateRole[],
  needs: Needs,
  shown: boolean,
  reassociate: boolean,
): Verdict {
  const { body, region } = view;
  const sequential = (reason: string): Verdict => ({
    verdict: "sequential",
    reason,
    roles: given.map((role) => (isFold(role) ? { kind: "carried" } : role)),
  });
  const blocked = given.findIndex(({ kind }) => kind === "carried");
  if (blocked >= 0) return sequential(carriedReason(view, blocked, needs));
  if (shown) return sequential("what it prints depends on state left by earlier points");
  const crowded = given.findIndex((role) => isCrowded(view, role));
  if (crowded >= 0) {
    return sequential(
      `what all points contribute to "${body.states[crowded]?.name}" would dwarf the arrays of the kernel`,
    );
  }
  const roles = withPrefixes(view, given, needs);
  if (roles === undefined) {
    const reader = given.findIndex(
      ({ kind }, s) => kind === "own" && needs(region.results[s] as ValueId).size > 0,
    );
    return sequential(
      `output "${body.states[reader]?.name}" at each point depends on state left by earlier points`,
    );
  }
  const sums = roles.findIndex(
    (role, s) =>
      role.kind === "reduced" &&
      role.prefixes === undefined &&
      changesWithOrder(role.op, view.table.tensor(stateParam(view, s)).dtype),
  );
  if (sums >= 0 && !reassociate) {
    return sequential(
      `"${body.states[sums]?.name}" is a floating-point ${opWord(roles[sums] as StateRole)} and reassociate is false`,
    );
  }
  if (!roles.some(isFold)) {
    return sequential(`state is published at the last point only, but nothing reduces into it`);
  }
  return { verdict: "reduction", reason: reductionReason(view, roles), roles };
}

/**
 * Whether the contributions of all points, which a scatter and a pick need side by side, take many times the
 * space of what the kernel reads and writes. Those of a reduction are computed where they are added, unless a
 * product, a sort or a loop makes them; a sum of products is a product.
 */
function isCrowded({ table, body, axis, region }: AxisView, role: StateRole): boolean {
  if (!isFold(role) || (role.kind === "reduced" && !isHeld(table, region, role.term))) return false;
  const n = body.extents[axis] as number;
  // Products of all points of the axes outside are there at once as well, scatters of theirs in one state.
  const outside = role.kind === "reduced" ? elementCount(body.extents.slice(0, axis)) : 1;
  const sizeOf = (value: ValueId): number => elementCount(table.tensor(value).shape);
  const states = region.params.slice(axis + 1);
  const written = states.map(
    (value, s) => sizeOf(value) * (isOwn(body.states[s]!, axis) ? n : 1) * outside,
  );
  const around = [...freeValues(table, region).map(sizeOf), ...written].reduce((a, b) => a + b, 0);
  const contributed = n * outside * termsOf(role).reduce((sum, value) => sum + sizeOf(value), 0);
  return contributed > Math.max(smallEnough, contributionRoom * around);
}

/** Whether a term has to be in memory before it is folded. */
function isHeld(table: Table, region: Region, term: ValueId): boolean {
  if (table.producer(term)?.op === "dot_general") return false;
  const inside = new Set(region.nodes);
  const seen = new Set<ValueId>([term]);
  for (const value of seen) {
    const node = table.producer(value);
    if (node === undefined || !inside.has(node.id)) continue;
    const { category } = definitionOf(node.op);
    if (heldCategories.has(category)) return true;
    // What a reduction leaves is small beside what it folds.
    if (category !== "reduction") for (const input of node.inputs) seen.add(input);
  }
  return false;
}

/** Ops whose results a step of their own puts into memory. */
const heldCategories: ReadonlySet<Category> = new Set([
  "linear algebra",
  "sorting",
  "cumulative",
  "control flow",
]);

/** Contributions may take this many times the space of the kernel's arrays, or this many elements. */
const contributionRoom = 4;
const smallEnough = 2 ** 16;

/**
 * Marks the reductions whose state is read at every point. What the points find are the prefixes of the
 * reduction: an array of as many states as there are points, which must not dwarf what they write.
 * Undefined where some state that is read has no prefixes, or too large ones.
 */
function withPrefixes(
  view: AxisView,
  roles: readonly StateRole[],
  needs: Needs,
): readonly StateRole[] | undefined {
  const { region, table } = view;
  const sizeOf = (s: number): number => elementCount(table.tensor(stateParam(view, s)).shape);
  const own = roles.flatMap(({ kind }, s) => (kind === "own" ? [s] : []));
  const read = new Set(own.flatMap((s) => [...needs(region.results[s] as ValueId)]));
  const room = prefixRoom * own.reduce((sum, s) => sum + sizeOf(s), 0);
  // What is read is known only after the terms have been computed, and effects must not happen twice.
  let fits =
    read.size === 0 || !region.nodes.some((id) => hasEffect(table, table.nodes[id] as Node));
  const marked = roles.map((role, s): StateRole => {
    if (!read.has(stateParam(view, s))) return role;
    if (role.kind === "reduced" && hasPrefixes(role.op) && sizeOf(s) <= room) {
      return { ...role, prefixes: true };
    }
    fits = false;
    return role;
  });
  return fits ? marked : undefined;
}

/** States before all points may take this many times the space of the outputs. */
const prefixRoom = 4;

// ── Published states ────────────────────────────────────────────────────────────────────────

function publishedRole(view: AxisView, s: number): StateRole | undefined {
  const before = specialise(
    view,
    [view.region.results[s] as ValueId],
    assumeCoordinate(view, rangeLeaf(0, extentOf(view) - 2)),
  );
  return before.results[0] === stateParam(view, s) ? { kind: "published" } : undefined;
}

/**
 * What a published state holds in the end: the body at the last point, the new values of the other states
 * taken from `finals`. Undefined if it still needs a carried value.
 */
export function publishedResult(
  view: AxisView,
  s: number,
  roles: readonly StateRole[],
  finals: ReadonlyMap<ValueId, ValueId>,
): Region | undefined {
  const { region, table } = view;
  const last = assumeCoordinate(view, ix.constant(extentOf(view) - 1));
  const atLast = specialise(view, [region.results[s] as ValueId], { ...last, replace: finals });
  const result = withoutEffects(table, atLast);
  if (result === undefined) return undefined;
  const carried = new Set(
    roles.flatMap(({ kind }, i) =>
      // Until the last point a published state is what it was before the first.
      kind === "own" || kind === "kept" || i === s ? [] : [stateParam(view, i)],
    ),
  );
  const needs = dependencies(table, result, carried);
  return needs(result.results[0] as ValueId).size === 0 ? result : undefined;
}

// ── Words ───────────────────────────────────────────────────────────────────────────────────

const opWord = (role: StateRole): string => (role.kind === "reduced" ? role.op : role.kind);

const quote = (states: readonly State[], which: readonly number[]): string =>
  which.map((s) => `"${states[s]?.name}"`).join(", ");

function parallelReason(view: AxisView, written: readonly number[]): string {
  const { body, axis } = view;
  if (extentOf(view) === 1) return "extent 1";
  const own = body.states.flatMap((state, s) => (isOwn(state, axis) ? [s] : []));
  const disjoint =
    own.length === 0
      ? "no state depends on it"
      : `blocks of ${quote(body.states, own)} are disjoint along it`;
  if (written.length === 0) return `${disjoint}; no state is carried`;
  return `${disjoint}; ${quote(body.states, written)} overwritten before read`;
}

const lastReason = (states: readonly State[], which: readonly number[]): string =>
  `${quote(states, which)} is revisited and fully overwritten: only the last visit counts`;

function reductionReason({ body }: AxisView, roles: readonly StateRole[]): string {
  const parts = roles.flatMap((role, s) => {
    const name = body.states[s]?.name;
    if (isFold(role)) return [`"${name}" ${foldWords(role)}`];
    if (role.kind === "published") return [`"${name}" is published at the last point`];
    return [];
  });
  return parts.join("; ");
}

function foldWords(role: FoldRole): string {
  switch (role.kind) {
    case "reduced":
      return `accumulates by ${role.op}${role.prefixes ? ", read at every point" : ""}`;
    case "scattered":
      return "collects scattered updates";
    case "picked":
      return `keeps what goes with the ${role.order === "gt" ? "greatest" : "least"}`;
    default:
      return role satisfies never;
  }
}

function carriedReason(view: AxisView, s: number, needs: Needs): string {
  const { table, region, body } = view;
  const state = body.states[s] as State;
  if (state.mapping !== undefined && state.tiling === undefined) {
    return `blocks of "${state.name}" of different grid points may overlap: its index map is not injective`;
  }
  const result = region.results[s] as ValueId;
  const made = table.producer(result);
  const by = made === undefined ? "" : ` (made by ${describe(made)})`;
  const others = body.states.flatMap((_, i) =>
    i !== s && needs(result).has(stateParam(view, i)) ? [i] : [],
  );
  const also = others.length === 0 ? "" : `: it depends on ${quote(body.states, others)} as well`;
  return `"${state.name}" is read before it is written, and its update${by} is not an associative reduction${also}`;
}

const describe = (node: Node): string =>
  definitionOf(node.op).category === "control flow" ? `a ${node.op}` : node.op;

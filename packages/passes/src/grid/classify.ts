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
  definitionOf,
  type Node,
  type OpName,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type DType, isFloat } from "@gridfuse/plan/scalar";
import { type Assumptions, simplifyRegion } from "../simplify/simplify.ts";
import { dependencies, hasEffect, withoutEffects } from "../tensor/rebuild.ts";
import type { GridBody, State } from "./body.ts";

/** The body with axes beyond `axis` already removed: params [ids 0…axis, states…]. */
export interface AxisView {
  readonly table: Table;
  readonly body: GridBody;
  readonly axis: number;
  readonly region: Region;
}

export type ReduceOp = Extract<OpName, "add" | "mul" | "max" | "min" | "and" | "or" | "xor">;
const reduceOps: ReadonlySet<string> = new Set(["add", "mul", "max", "min", "and", "or", "xor"]);

export type StateRole =
  /** Every point has its own block. */
  | { readonly kind: "own" }
  /** Not written. */
  | { readonly kind: "kept" }
  /** Written without looking at what was there. */
  | { readonly kind: "overwritten" }
  /** result = start ⊕ f: `start` is the value whose meaning at the first point is the initial value. */
  | {
      readonly kind: "reduced";
      readonly op: ReduceOp;
      readonly start: ValueId;
      readonly term: ValueId;
    }
  /** Changed at the last point only, from the other states' final values. */
  | { readonly kind: "published" }
  /** Needs the point before. */
  | { readonly kind: "carried" };

export interface Verdict {
  readonly verdict: "parallel" | "reduction" | "last" | "sequential";
  readonly reason: string;
  readonly roles: readonly StateRole[];
}

export const idParam = ({ region, axis }: AxisView): ValueId => region.params[axis] as ValueId;
export const stateParam = ({ region, axis }: AxisView, s: number): ValueId =>
  region.params[axis + 1 + s] as ValueId;

const extentOf = ({ body, axis }: AxisView): number => body.extents[axis] as number;

/** A leaf that ranges over lo … hi, for asking what holds there. */
function rangeLeaf(lo: number, hi: number): IndexExpr {
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

export function classifyAxis(view: AxisView, reassociate: boolean): Verdict {
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
    return reducedRole(view, s, needs) ?? publishedRole(view, s) ?? { kind: "carried" };
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
  roles: readonly StateRole[],
  needs: Needs,
  shown: boolean,
  reassociate: boolean,
): Verdict {
  const { body, region } = view;
  const sequential = (reason: string): Verdict => ({
    verdict: "sequential",
    reason,
    roles: roles.map((role) => (role.kind === "reduced" ? { kind: "carried" } : role)),
  });
  const blocked = roles.findIndex(({ kind }) => kind === "carried");
  if (blocked >= 0) return sequential(carriedReason(view, blocked));
  if (shown) return sequential("what it prints depends on state left by earlier points");
  const reader = roles.findIndex(
    ({ kind }, s) => kind === "own" && needs(region.results[s] as ValueId).size > 0,
  );
  if (reader >= 0) {
    return sequential(
      `output "${body.states[reader]?.name}" at each point depends on state left by earlier points`,
    );
  }
  const sums = roles.findIndex(
    (role, s) =>
      role.kind === "reduced" &&
      (role.op === "add" || role.op === "mul") &&
      isFloat(body.states[s]?.type.dtype as DType),
  );
  if (sums >= 0 && !reassociate) {
    return sequential(
      `"${body.states[sums]?.name}" is a floating-point ${opWord(roles[sums] as StateRole)} and reassociate is false`,
    );
  }
  if (!roles.some(({ kind }) => kind === "reduced")) {
    return sequential(`state is published at the last point only, but nothing reduces into it`);
  }
  return { verdict: "reduction", reason: reductionReason(view, roles), roles };
}

// ── Roles ───────────────────────────────────────────────────────────────────────────────────

type Needs = (value: ValueId) => ReadonlySet<ValueId>;

/** result = start ⊕ term where term needs no carried state and start is the state after the first point. */
function reducedRole(view: AxisView, s: number, needs: Needs): StateRole | undefined {
  const { table, region } = view;
  const node = table.producer(region.results[s] as ValueId);
  if (node === undefined || !region.nodes.includes(node.id) || !reduceOps.has(node.op)) {
    return undefined;
  }
  const [x, y] = node.inputs as readonly [ValueId, ValueId];
  for (const [start, term] of [
    [x, y],
    [y, x],
  ] as const) {
    if (needs(term).size > 0) continue;
    if (!isStateAfterFirst(view, start, s)) continue;
    return { kind: "reduced", op: node.op as ReduceOp, start, term };
  }
  return undefined;
}

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
      kind === "own" || kind === "kept" ? [] : [stateParam(view, i)],
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
    if (role.kind === "reduced") return [`"${name}" accumulates by ${role.op}`];
    if (role.kind === "published") return [`"${name}" is published at the last point`];
    return [];
  });
  return parts.join("; ");
}

function carriedReason(view: AxisView, s: number): string {
  const { table, region, body } = view;
  const state = body.states[s] as State;
  const made = table.producer(region.results[s] as ValueId);
  const by = made === undefined ? "" : ` (made by ${describe(made)})`;
  return state.mapping !== undefined && state.tiling === undefined
    ? `blocks of "${state.name}" of different grid points may overlap: its index map is not injective`
    : `"${state.name}" is read before it is written, and its update${by} is not an associative reduction`;
}

const describe = (node: Node): string =>
  definitionOf(node.op).category === "control flow" ? `a ${node.op}` : node.op;

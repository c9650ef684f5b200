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
import {
  type BatchOperand,
  Emitter,
  type NodeNamed,
  newRegion,
  type Region,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import type { AxisReport } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { simplifyRegion } from "../simplify/simplify.ts";
import { batchRegion } from "../tensor/batch.ts";
import { asBatched } from "../tensor/batch-scope.ts";
import { closeRegion, dependencies, inlineRegion, replay } from "../tensor/rebuild.ts";
import {
  type AxisView,
  idParam,
  isOwn,
  isStateAfterFirst,
  outerIds,
  specialise,
  stateParam,
  valueAtFirst,
} from "./axis-view.ts";
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
import { classifyAxis, publishedResult, type Verdict } from "./classify.ts";
import {
  findWinner,
  hasPrefixes,
  prefixesOf,
  reduceTerms,
  scatterAll,
  termAt,
  type Winner,
} from "./fold.ts";
import { type FoldRole, isFold, type StateRole, termsOf } from "./roles.ts";

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

// ── The region without the axis ─────────────────────────────────────────────────────────────

interface Removal {
  readonly e: Emitter;
  readonly region: Region;
  readonly n: number;
  /** The state params of the new region: own states with the axis in front. */
  readonly states: readonly ValueId[];
}

function startRemoval({ table, body, axis, region }: AxisView): Removal {
  const next = newRegion();
  next.params.push(...region.params.slice(0, axis));
  const n = body.extents[axis] as number;
  const states = body.states.map((state, s) => {
    const type = table.tensor(region.params[axis + 1 + s] as ValueId);
    const shape = isOwn(state, axis) ? [n, ...type.shape] : type.shape;
    return table.newParam(next, tensorType(type.dtype, shape));
  });
  return { e: new Emitter(table, next), region: next, n, states };
}

/** Batches `results` of the body along the axis, states that points read as they find them. */
function batchResults(
  view: AxisView,
  { e, n, states }: Removal,
  results: readonly ValueId[],
  { found, replace }: Pick<Folded, "found" | "replace"> = { found: new Map(), replace: new Map() },
): BatchOperand[] {
  const { body, axis, region } = view;
  const wanted = specialise(view, results, { known: new Map(outerIds(view)), replace });
  const args: BatchOperand[] = [
    ...region.params.slice(0, axis).map((value) => ({ value, batched: false })),
    { value: e.iota("int32", [n], 0), batched: true },
    ...states.map((value, s) => ({
      value: found.get(s) ?? value,
      batched: found.has(s) || isOwn(body.states[s] as State, axis),
    })),
  ];
  return batchRegion(e, wanted, args, { size: n, loop: body.loopIds[axis] as number });
}

/** The element of one point of a value with the axis in front. */
function pointOf(e: Emitter, value: ValueId, point: number): ValueId {
  const shape = e.shape(value) as readonly number[];
  const slice = e.emit("slice", [value], {
    start: shape.map((_, d) => (d === 0 ? point : 0)),
    limit: shape.map((size, d) => (d === 0 ? point + 1 : size)),
    strides: shape.map(() => 1),
  });
  return e.reshape(slice, shape.slice(1));
}

/** The last point's element of a batched value. */
const lastPoint = (e: Emitter, { value, batched }: BatchOperand, n: number): ValueId =>
  batched ? pointOf(e, value, n - 1) : value;

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

// ── Reductions ──────────────────────────────────────────────────────────────────────────────

function reduceAxis(view: AxisView, roles: readonly StateRole[]): Region | undefined {
  const removal = startRemoval(view);
  const { e, n, region, states } = removal;
  const written = roles.flatMap(({ kind }, s) =>
    kind === "own" || kind === "overwritten" ? [s] : [],
  );
  const values = written.map((s) => view.region.results[s] as ValueId);
  const terms = roles.flatMap((role) => (isFold(role) ? termsOf(role) : []));
  // The body is batched once, unless points read what others have left of a fold: that has to be known first.
  const isTwice = roles.some((role) => role.kind === "reduced" && role.prefixes);
  const batched = batchResults(view, removal, isTwice ? terms : [...terms, ...values]);
  const contributed = new Map(
    terms.map((value, i) => [value, asBatched(e, batched[i] as BatchOperand, n)] as const),
  );
  const folded = foldStates(view, roles, removal, contributed);
  const { finals } = folded;
  const results = roles.map((role, s) => (role.kind === "kept" ? states[s] : finals.get(s)));

  const points = isTwice
    ? batchResults(view, removal, values, folded)
    : batched.slice(terms.length);
  points.forEach((result, i) => {
    const s = written[i] as number;
    const isLast = roles[s]?.kind === "overwritten";
    results[s] = isLast ? lastPoint(e, result, n) : asBatched(e, result, n);
    if (isLast) finals.set(s, results[s]);
  });

  const known = new Map(
    [...finals].map(([s, value]) => [view.region.results[s] as ValueId, value] as const),
  );
  for (const [s, role] of roles.entries()) {
    if (role.kind !== "published") continue;
    const last = publishedResult(view, s, roles, known);
    if (last === undefined) return undefined;
    results[s] = replay(e, last, bindParams(view, removal, n - 1))[0] as ValueId;
  }
  region.results.push(...(results as ValueId[]));
  return region;
}

interface Folded {
  /** States after the last point. */
  readonly finals: Map<number, ValueId>;
  /** States as each point finds them, the axis in front; only those that points read. */
  readonly found: Map<number, ValueId>;
  /** What the body makes of a state that it finds → the state, where that has been done for the first point. */
  readonly replace: Map<ValueId, ValueId>;
}

/** `terms` have what every point contributes, the axis in front. */
function foldStates(
  view: AxisView,
  roles: readonly StateRole[],
  removal: Removal,
  terms: ReadonlyMap<ValueId, ValueId>,
): Folded {
  const { e, states } = removal;
  const folds = roles.flatMap((role, s) => (isFold(role) ? [{ role, s }] : []));
  const termsFor = (role: FoldRole): readonly ValueId[] =>
    termsOf(role).map((value) => terms.get(value) as ValueId);
  const startOf = (role: FoldRole): ValueId => {
    const first = valueAtFirst(view, role.start) as Region;
    return replay(e, first, bindParams(view, removal, 0))[0] as ValueId;
  };

  const winners = new Map<number, Winner>();
  const winnerOf = (leader: number): Winner => {
    const role = roles[leader] as Extract<FoldRole, { readonly kind: "picked" }>;
    const known = winners.get(leader);
    if (known !== undefined) return known;
    const found = findWinner(e, role.order, startOf(role), terms.get(role.term) as ValueId);
    winners.set(leader, found);
    return found;
  };

  const finals = new Map<number, ValueId>();
  const found = new Map<number, ValueId>();
  const replace = new Map<ValueId, ValueId>();
  for (const { role, s } of folds) {
    const [first, second] = termsFor(role) as readonly [ValueId, ValueId];
    switch (role.kind) {
      case "reduced": {
        if (role.prefixes === undefined || !hasPrefixes(role.op)) {
          finals.set(s, reduceTerms(e, role.op, startOf(role), first));
          break;
        }
        const start = startOf(role);
        const isStart = isOnlyReadAs(view, s, role.start);
        if (isStart) replace.set(role.start, stateParam(view, s));
        const initial = isStart ? start : (states[s] as ValueId);
        const prefixes = prefixesOf(e, role.op, start, first, initial);
        finals.set(s, prefixes.final);
        found.set(s, prefixes.before);
        break;
      }
      case "scattered":
        finals.set(s, scatterAll(e, role, startOf(role), first, second));
        break;
      case "picked": {
        const { point, wins } = winnerOf(role.leader);
        const best = termAt(e, first, point);
        finals.set(s, e.emit("select_n", [wins, startOf(role), best], {}));
        break;
      }
      default:
        role satisfies never;
    }
  }
  return { finals, found, replace };
}

/** Whether `start` is the state itself, or the one value that is made of it, as `when(i.isFirst, …)` makes one. */
function isOnlyReadAs(view: AxisView, s: number, start: ValueId): boolean {
  const { region, table } = view;
  const param = stateParam(view, s);
  if (start === param) return true;
  const readers = region.nodes
    .map((id) => table.nodes[id]!)
    .filter(({ inputs }) => inputs.includes(param));
  return (
    readers.length === 1 && readers[0]?.outputs[0] === start && !region.results.includes(param)
  );
}

/** Old params → what they stand for at one point of the axis: its coordinate, and that point's own states. */
function bindParams(view: AxisView, { e, states }: Removal, point: number): Map<ValueId, ValueId> {
  const bound = new Map([[idParam(view), e.full("int32", [], point)]]);
  for (const [s, value] of states.entries()) {
    const own = isOwn(view.body.states[s] as State, view.axis);
    bound.set(stateParam(view, s), own ? pointOf(e, value, point) : value);
  }
  return bound;
}

// ── Sequential axes ─────────────────────────────────────────────────────────────────────────

function loopAxis(view: AxisView, given: readonly StateRole[]): Region {
  const { table, body, axis } = view;
  const removal = startRemoval(view);
  const { e, n, region, states } = removal;
  const roles = withoutUnreachablePublishing(view, given);
  const isCarried = (s: number): boolean =>
    ["carried", "overwritten"].includes((roles[s] as StateRole).kind);
  const carried = roles.flatMap((_, s) => (isCarried(s) ? [s] : []));
  const own = roles.flatMap(({ kind }, s) => (kind === "own" ? [s] : []));

  const peeled = peelFirst(view, carried);
  const published = roles.flatMap(({ kind }, s) => (kind === "published" ? [s] : []));
  const kept = view.region.results.map((value, s) =>
    published.includes(s) ? stateParam(view, s) : value,
  );
  const loop = specialise(view, kept, {
    known: new Map([
      ...outerIds(view),
      [idParam(view), ix.loop(body.loopIds[axis] as number, n)] as const,
    ]),
    replace: peeled.replace,
  });
  const reads = dependencies(table, loop, new Set(own.map((s) => stateParam(view, s))));
  const readsOwn = own.filter(
    (s) =>
      loop.nodes.some((id) => table.nodes[id]?.inputs.includes(stateParam(view, s))) ||
      loop.results.some((value) => reads(value).has(stateParam(view, s))),
  );

  const open: Region = {
    params: [
      idParam(view),
      ...carried.map((s) => stateParam(view, s)),
      ...readsOwn.map((s) => stateParam(view, s)),
    ],
    nodes: loop.nodes,
    results: [...carried, ...own].map((s) => loop.results[s] as ValueId),
  };
  const { region: closed, captures } = closeRegion(e, open);
  const bound = bindParams(view, removal, 0);
  const inputs = [
    ...carried.map((s) => peeled.initial(e, s, bound) ?? (states[s] as ValueId)),
    ...readsOwn.map((s) => states[s] as ValueId),
    ...captures.map((value) => bound.get(value) ?? value),
  ];
  const types = [
    ...carried.map((s) => table.tensor(stateParam(view, s))),
    ...own.map((s) => {
      const type = table.tensor(stateParam(view, s));
      return tensorType(type.dtype, [n, ...type.shape]);
    }),
  ];
  const { outputs } = table.newNode(
    region,
    "scan",
    {
      trips: n,
      carries: carried.length,
      xs: readsOwn.length,
      reverse: false,
      grid: true,
      name: `${body.name}.${body.axisNames[axis]}`,
      loop: body.loopIds[axis] as number,
    },
    inputs,
    types,
    [closed],
    undefined,
  );

  const results = [...states];
  const finals = new Map<ValueId, ValueId>();
  carried.forEach((s, i) => {
    results[s] = outputs[i] as ValueId;
    finals.set(view.region.results[s] as ValueId, outputs[i] as ValueId);
  });
  own.forEach((s, i) => {
    results[s] = outputs[carried.length + i] as ValueId;
  });
  for (const s of published) {
    const last = publishedResult(view, s, roles, finals) as Region;
    results[s] = replay(e, last, bindParams(view, removal, n - 1))[0] as ValueId;
  }
  region.results.push(...results);
  return region;
}

/** A state may only be published after the loop if nothing else reads it inside. */
function withoutUnreachablePublishing(
  view: AxisView,
  roles: readonly StateRole[],
): readonly StateRole[] {
  const { region, table } = view;
  return roles.map((role, s): StateRole => {
    if (role.kind !== "published") return role;
    const self = new Set([stateParam(view, s)]);
    const needs = dependencies(table, region, self);
    const readElsewhere = region.results.some((value, i) => i !== s && needs(value).size > 0);
    // Stand-ins for the values the loop will leave; only independence is asked here.
    const finals = new Map(
      region.results.flatMap((value, i) =>
        i === s || roles[i]?.kind === "own" || roles[i]?.kind === "kept"
          ? []
          : [[value, table.newValue(table.types[value]!)] as const],
      ),
    );
    const reachable = !readElsewhere && publishedResult(view, s, roles, finals) !== undefined;
    return reachable ? role : { kind: "carried" };
  });
}

/**
 * `when(k == 0) s = init` inside a loop: if some value is init at the first point and the carried s at all
 * others, the loop starts from init and reads s directly.
 */
function peelFirst(
  view: AxisView,
  carried: readonly number[],
): {
  replace: ReadonlyMap<ValueId, ValueId>;
  initial: (e: Emitter, s: number, bound: Map<ValueId, ValueId>) => ValueId | undefined;
} {
  const { region, table } = view;
  const replace = new Map<ValueId, ValueId>();
  const starts = new Map<number, Region>();
  for (const s of carried) {
    const param = stateParam(view, s);
    const uses = region.nodes
      .map((id) => table.nodes[id]!)
      .filter(({ inputs }) => inputs.includes(param));
    const [only] = uses;
    if (uses.length !== 1 || only?.op !== "select_n") continue;
    const value = only.outputs[0] as ValueId;
    if (region.results.includes(param) || !isStateAfterFirst(view, value, s)) continue;
    const first = valueAtFirst(view, value) as Region;
    if (first.results[0] === param || first.nodes.length > 1) continue;
    replace.set(value, param);
    starts.set(s, first);
  }
  return {
    replace,
    initial: (e, s, bound) => {
      const first = starts.get(s);
      return first === undefined ? undefined : (replay(e, first, new Map(bound))[0] as ValueId);
    },
  };
}

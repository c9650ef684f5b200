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
import { isFloat } from "@gridfuse/plan/scalar";
import { simplifyRegion } from "../simplify/simplify.ts";
import { asBatched, batchRegion } from "../tensor/batch.ts";
import { closeRegion, dependencies, inlineRegion, replay } from "../tensor/rebuild.ts";
import {
  finalArray,
  type GridBody,
  initialState,
  type LoopCounter,
  openBody,
  type State,
} from "./body.ts";
import {
  type AxisView,
  classifyAxis,
  idParam,
  isOwn,
  isStateAfterFirst,
  outerIds,
  publishedResult,
  type StateRole,
  specialise,
  stateParam,
  type Verdict,
  valueAtFirst,
} from "./classify.ts";

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
  const { body, region } = openBody(e, node, operands, options.loops);
  const initial = body.states.map((state) => initialState(e, body, state));
  const outputs = node.params.outputs.length;
  if (body.extents.includes(0)) {
    return body.states
      .slice(0, outputs)
      .map((state, s) => emptyRun(e, body, state, initial[s] as ValueId));
  }
  let current = region;
  const reports: AxisReport[] = [];
  for (let axis = body.extents.length - 1; axis >= 0; axis -= 1) {
    const view: AxisView = { table: e.table, body, axis, region: tidy(e, body, axis, current) };
    const classified = classifyAxis(view, options.reassociate);
    const { region: next, verdict } = removeAxis(view, classified);
    current = next;
    reports.unshift({
      kernel: body.name,
      axis: body.axisNames[axis] as string,
      extent: body.extents[axis] as number,
      verdict: verdict.verdict,
      reason: verdict.reason,
    });
    noteContradiction(node, axis, verdict, options.notes);
  }
  options.axes.push(...reports);
  const finals = inlineRegion(e, simplifyRegion(e.table, current), initial);
  return body.states
    .slice(0, outputs)
    .map((state, s) => finalArray(e, body, state, finals[s] as ValueId));
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

function removeAxis(view: AxisView, classified: Verdict): { region: Region; verdict: Verdict } {
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
          role.kind === "reduced" || role.kind === "published" ? { kind: "carried" } : role,
        ),
      };
      return { region: loopAxis(view, fallback.roles), verdict: fallback };
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

/** Batches `results` of the body along the axis. */
function batchResults(
  view: AxisView,
  { e, n, states }: Removal,
  results: readonly ValueId[],
): BatchOperand[] {
  const { body, axis, region } = view;
  const wanted = specialise(view, results, { known: new Map(outerIds(view)) });
  const args: BatchOperand[] = [
    ...region.params.slice(0, axis).map((value) => ({ value, batched: false })),
    { value: e.iota("int32", [n], 0), batched: true },
    ...states.map((value, s) => ({ value, batched: isOwn(body.states[s] as State, axis) })),
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

const reductionOf = {
  add: "reduce_sum",
  mul: "reduce_prod",
  max: "reduce_max",
  min: "reduce_min",
  and: "reduce_and",
  or: "reduce_or",
  xor: "reduce_xor",
} as const;

function reduceAxis(view: AxisView, roles: readonly StateRole[]): Region | undefined {
  const removal = startRemoval(view);
  const { e, n, region, states } = removal;
  const wanted = roles.flatMap((role, s) => {
    if (role.kind === "reduced") return [role.term];
    if (role.kind === "own" || role.kind === "overwritten") {
      return [view.region.results[s] as ValueId];
    }
    return [];
  });
  const batched = batchResults(view, removal, wanted);
  let next = 0;
  const finals = new Map<ValueId, ValueId>();
  const results = roles.map((role, s): ValueId | undefined => {
    const result = (): BatchOperand => {
      next += 1;
      return batched[next - 1] as BatchOperand;
    };
    switch (role.kind) {
      case "own":
        return asBatched(e, result(), n);
      case "kept":
        return states[s] as ValueId;
      case "overwritten":
        return remember(s, lastPoint(e, result(), n));
      case "reduced":
        return remember(s, combine(role, s, asBatched(e, result(), n)));
      case "published":
      case "carried":
        return undefined;
      default:
        return role satisfies never;
    }
  });

  function remember(s: number, value: ValueId): ValueId {
    finals.set(view.region.results[s] as ValueId, value);
    return value;
  }
  function combine(
    role: Extract<StateRole, { kind: "reduced" }>,
    s: number,
    terms: ValueId,
  ): ValueId {
    const first = valueAtFirst(view, role.start) as Region;
    const [start] = replay(e, first, bindParams(view, removal, 0)) as [ValueId];
    const dtype = e.dtype(terms);
    const reassociated = isFloat(dtype) && (role.op === "add" || role.op === "mul");
    const total = e.emit(reductionOf[role.op], [terms], {
      axes: [0],
      ...(reassociated ? { reassociated: true } : {}),
    });
    void s;
    return e.emit(role.op, [start, total], {});
  }

  for (const [s, role] of roles.entries()) {
    if (role.kind !== "published") continue;
    const last = publishedResult(view, s, roles, finals);
    if (last === undefined) return undefined;
    results[s] = replay(e, last, bindParams(view, removal, n - 1))[0] as ValueId;
  }
  region.results.push(...(results as ValueId[]));
  return region;
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
    ["carried", "overwritten", "reduced"].includes((roles[s] as StateRole).kind);
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

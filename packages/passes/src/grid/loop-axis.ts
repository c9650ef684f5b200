/** A sequential axis: a scan over its points, which carries what one point leaves to the next. */
import { type Emitter, type Region, tensorType, type ValueId } from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { closeRegion, dependencies, replay } from "../tensor/rebuild.ts";
import { bindParams, startRemoval } from "./axis-removal.ts";
import {
  type AxisView,
  idParam,
  isStateAfterFirst,
  outerIds,
  specialise,
  stateParam,
  valueAtFirst,
} from "./axis-view.ts";
import { publishedResult } from "./classify.ts";
import type { StateRole } from "./roles.ts";

export function loopAxis(view: AxisView, given: readonly StateRole[]): Region {
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

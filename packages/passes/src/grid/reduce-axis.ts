/** A reduction: what every point contributes becomes an array, which is folded at once; points may read what others have left. */
import type { BatchOperand, Region, ValueId } from "@gridfuse/graph";
import { asBatched } from "../tensor/batch-scope.ts";
import { replay } from "../tensor/rebuild.ts";
import {
  batchResults,
  bindParams,
  type Folded,
  lastPoint,
  type Removal,
  startRemoval,
} from "./axis-removal.ts";
import { type AxisView, stateParam, valueAtFirst } from "./axis-view.ts";
import { publishedResult } from "./classify.ts";
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

export function reduceAxis(view: AxisView, roles: readonly StateRole[]): Region | undefined {
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

/**
 * Updates under a condition, told as updates under none: what a point does not add, it adds as nothing.
 *
 *  p ? s ⊕ t : s          is  s ⊕ (p ? t : e)        where s ⊕ e is s, to the bit: −0 for a sum of floats
 *  p ? s ⊕ t : s ⊕ u      is  s ⊕ (p ? t : u)
 *  (s ⊕ t) ⊕ u            is  s ⊕ (t ⊕ u)            where the order of a fold may change
 *
 * So that an axis whose points contribute only here and there is a reduction like any other. The term is chosen
 * before it is added: what a point would have contributed may be NaN or infinite where it contributes nothing.
 */
import {
  cloneRegion,
  definitionOf,
  Emitter,
  type Node,
  type NodeNamed,
  type Region,
  type ScalarValue,
  type Shape,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { DType } from "@gridfuse/plan/scalar";
import { dependencies, freeValues, hasEffect, liveNodes } from "../tensor/rebuild.ts";
import { type AxisView, isStateAfterFirst, stateParam } from "./axis-view.ts";
import { changesWithOrder } from "./fold.ts";
import { isReduceOp, type ReduceOp } from "./roles.ts";

export interface Unmasked {
  readonly view: AxisView;
  /** States of which several terms were joined in an order that floats notice. */
  readonly reordered: ReadonlySet<number>;
}

/**
 * The same body with conditional updates of state made unconditional; undefined where there are none.
 *
 * @param isWanted the states to look at
 */
export function withoutMasks(
  view: AxisView,
  isWanted: (s: number) => boolean,
): Unmasked | undefined {
  const { table, region } = view;
  const open: Region = { ...region, nodes: [...region.nodes], results: [...region.results] };
  const e = new Emitter(table, open);
  const reordered = new Set<number>();
  let isChanged = false;
  region.results.forEach((result, s) => {
    if (!isWanted(s)) return;
    const param = stateParam(view, s);
    const { dtype, shape } = table.tensor(param);
    const unmasking = new Unmasking(e, region, new Set([param]), { dtype, shape }, (value) =>
      isStateAfterFirst(view, value, s),
    );
    const update = unmasking.updateOf(result);
    if (update?.op === undefined || update.term === undefined) return;
    if (!update.isMasked && !update.isReordered) return;
    open.results[s] = e.emit(update.op, [update.start, update.term], {});
    if (update.isReordered && changesWithOrder(update.op, dtype)) reordered.add(s);
    isChanged = true;
  });
  return isChanged ? { view: { ...view, region: open }, reordered } : undefined;
}

/** What becomes of a state, as `start ⊕ term`. */
interface Update {
  readonly start: ValueId;
  /** Undefined where it stays as it is. */
  readonly op: ReduceOp | undefined;
  readonly term: ValueId | undefined;
  readonly isMasked: boolean;
  /** Several terms were joined. */
  readonly isReordered: boolean;
}

class Unmasking {
  readonly #e: Emitter;
  readonly #table: Table;
  readonly #region: Region;
  readonly #type: { readonly dtype: DType; readonly shape: Shape };
  readonly #isStart: (value: ValueId) => boolean;
  readonly #needs: (value: ValueId) => ReadonlySet<ValueId>;

  /** @param isStart whether a value that depends on `state` is the state as the point finds it */
  constructor(
    e: Emitter,
    region: Region,
    state: ReadonlySet<ValueId>,
    type: { readonly dtype: DType; readonly shape: Shape },
    isStart: (value: ValueId) => boolean,
  ) {
    this.#e = e;
    this.#table = e.table;
    this.#region = region;
    this.#type = type;
    this.#isStart = isStart;
    this.#needs = dependencies(e.table, region, state);
  }

  updateOf(value: ValueId): Update | undefined {
    if (this.#isFree(value)) return undefined;
    const node = this.#table.producer(value);
    const made =
      node === undefined || !this.#region.nodes.includes(node.id)
        ? undefined
        : this.#updateBy(node, value);
    if (made !== undefined || !this.#isStart(value)) return made;
    return {
      start: value,
      op: undefined,
      term: undefined,
      isMasked: false,
      isReordered: false,
    };
  }

  /** Needs nothing of the state. */
  #isFree(value: ValueId): boolean {
    return this.#needs(value).size === 0;
  }

  #updateBy(node: Node, value: ValueId): Update | undefined {
    if (isReduceOp(node.op)) return this.#combined(node, node.op);
    if (node.op === "select_n") return this.#selected(node);
    if (node.op === "cond") return this.#branched(node, node.outputs.indexOf(value));
    return undefined;
  }

  #combined(node: Node, op: ReduceOp): Update | undefined {
    const [x, y] = node.inputs as readonly [ValueId, ValueId];
    const [before, term] = this.#isFree(y) ? [x, y] : [y, x];
    if (!this.#isFree(term)) return undefined;
    const update = this.updateOf(before);
    if (update === undefined || (update.op ?? op) !== op) return undefined;
    if (update.term === undefined) return { ...update, op, term };
    const joined = this.#e.emit(op, [update.term, term], {});
    return { ...update, op, term: joined, isReordered: true };
  }

  #selected(node: NodeNamed<"select_n">): Update | undefined {
    const [which, ...cases] = node.inputs as readonly [ValueId, ...ValueId[]];
    if (!this.#isFree(which)) return undefined;
    const joined = this.#joined(cases.map((value) => this.updateOf(value)));
    if (joined === undefined) return undefined;
    const { op, updates, common } = joined;
    const terms = updates.map(({ term }) => term ?? this.#identityOf(op));
    return { ...common, op, term: this.#e.emit("select_n", [which, ...terms], {}) };
  }

  #branched(node: NodeNamed<"cond">, output: number): Update | undefined {
    const [which, ...operands] = node.inputs as readonly [ValueId, ...ValueId[]];
    if (!this.#isFree(which) || hasEffect(this.#table, node)) return undefined;
    const carried = operands.flatMap((value, i) => (this.#isFree(value) ? [] : [i]));
    const starts = new Set(carried.map((i) => operands[i] as ValueId));
    const [start] = starts;
    if (starts.size !== 1 || start === undefined || !this.#isStart(start)) return undefined;

    const branches = node.regions.map((given) => {
      const region = cloneRegion(this.#table, given, this.#table);
      const states = new Set(carried.map((i) => region.params[i] as ValueId));
      const e = this.#e.nested(region);
      const inner = new Unmasking(e, { ...region }, states, this.#type, (v) => states.has(v));
      const update = inner.updateOf(region.results[output] as ValueId);
      return { e, region, inner, update: update && { ...update, start } };
    });
    const joined = this.#joined(branches.map(({ update }) => update));
    if (joined === undefined) return undefined;
    const { op, common } = joined;
    const regions = branches.map(({ region, inner, update }) => {
      const open = { ...region, results: [update?.term ?? inner.#identityOf(op)] };
      return { ...open, nodes: liveNodes(this.#table, open).map(({ id }) => id) };
    });
    // What computes the term only; another state's update in the same branch may need anything.
    const used = regions.map(
      (region) => new Set(freeValues(this.#table, { ...region, params: [] })),
    );
    const kept = operands.flatMap((_, i) =>
      regions.some(({ params }, r) => used[r]?.has(params[i] as ValueId)) ? [i] : [],
    );
    const inputs = kept.map((i) => operands[i] as ValueId);
    const [term] = this.#e.emitAll(
      "cond",
      [which, ...inputs],
      {},
      regions.map((region) => ({
        ...region,
        params: kept.map((i) => region.params[i] as ValueId),
      })),
    );
    return { ...common, op, term: term as ValueId };
  }

  /** Updates of which one happens: all of the same state, by the same operation. */
  #joined(updates: readonly (Update | undefined)[]):
    | {
        readonly op: ReduceOp;
        readonly updates: readonly Update[];
        readonly common: Pick<Update, "start" | "isMasked" | "isReordered">;
      }
    | undefined {
    const found = updates.flatMap((update) => update ?? []);
    const ops = new Set(found.flatMap(({ op }) => op ?? []));
    const starts = new Set(found.map(({ start }) => start));
    const [op] = ops;
    const [start] = starts;
    if (found.length < updates.length || ops.size !== 1 || starts.size !== 1) return undefined;
    if (op === undefined || start === undefined || identityOf(op, this.#type.dtype) === undefined) {
      return undefined;
    }
    const isReordered = found.some((update) => update.isReordered);
    return { op, updates: found, common: { start, isMasked: true, isReordered } };
  }

  #identityOf(op: ReduceOp): ValueId {
    const { dtype, shape } = this.#type;
    return this.#e.full(dtype, shape, identityOf(op, dtype) as ScalarValue);
  }
}

const identityOf = (op: ReduceOp, dtype: DType): ScalarValue | undefined =>
  definitionOf(op).facts?.identity?.(dtype);

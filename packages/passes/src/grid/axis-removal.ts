/** A region without one axis of its grid, as it is made: its params, and its body for all points of the axis at once. */
import {
  type BatchOperand,
  Emitter,
  newRegion,
  type Region,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import { batchRegion } from "../tensor/batch.ts";
import { type AxisView, idParam, isOwn, outerIds, specialise, stateParam } from "./axis-view.ts";
import type { State } from "./body.ts";

export interface Removal {
  readonly e: Emitter;
  readonly region: Region;
  readonly n: number;
  /** The state params of the new region: own states with the axis in front. */
  readonly states: readonly ValueId[];
}

export function startRemoval({ table, body, axis, region }: AxisView): Removal {
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
export function batchResults(
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
export const lastPoint = (e: Emitter, { value, batched }: BatchOperand, n: number): ValueId =>
  batched ? pointOf(e, value, n - 1) : value;

/** States of an axis along which they are folded. */
export interface Folded {
  /** States after the last point. */
  readonly finals: Map<number, ValueId>;
  /** States as each point finds them, the axis in front; only those that points read. */
  readonly found: Map<number, ValueId>;
  /** What the body makes of a state that it finds → the state, where that has been done for the first point. */
  readonly replace: Map<ValueId, ValueId>;
}

/** Old params → what they stand for at one point of the axis: its coordinate, and that point's own states. */
export function bindParams(
  view: AxisView,
  { e, states }: Removal,
  point: number,
): Map<ValueId, ValueId> {
  const bound = new Map([[idParam(view), e.full("int32", [], point)]]);
  for (const [s, value] of states.entries()) {
    const own = isOwn(view.body.states[s] as State, view.axis);
    bound.set(stateParam(view, s), own ? pointOf(e, value, point) : value);
  }
  return bound;
}

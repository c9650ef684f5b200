/**
 * Pieces of one array that are put together again. Programs that work tile by tile take an array apart and join it in
 * another order; read piece by piece, every element of the result would ask of each piece whether it is in it.
 */
import { type Emitter, sizes, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { coordinates, isStraight, viewOf } from "../tensor/views.ts";
import type { Rule } from "./rule.ts";

/** Where the elements of a value lie in an array that was not moved, by the value's coordinates. */
interface Place {
  readonly root: ValueId;
  readonly index: readonly IndexExpr[];
}

/** A concatenation of views of one array, each as far from the one before as that from its own, is one view. */
export const joinOfViews: Rule<"concatenate"> = ({ e }, node, inputs) => {
  const { dimension } = node.params;
  const { shape } = e.type(node.outputs[0] as ValueId);
  if (inputs.length < 2 || shape.some((dim) => typeof dim !== "number")) return undefined;
  const extent = e.shape(inputs[0] as ValueId)[dimension];
  if (!inputs.every((piece) => e.shape(piece)[dimension] === extent)) return undefined;
  const first = placeOf(e, inputs[0] as ValueId);
  const steps = stepsBetween(first, placeOf(e, inputs[1] as ValueId));
  if (steps === undefined) return undefined;
  let last = first;
  for (let i = 1; i < inputs.length; i += 1) {
    const next = placeOf(e, inputs[i] as ValueId);
    const distance = stepsBetween(last, next);
    if (distance === undefined || distance.some((step, d) => step !== steps[d])) return undefined;
    last = next;
  }
  return [emitJoined(e, first, steps, sizes(shape), dimension, extent as number)];
};

function emitJoined(
  e: Emitter,
  { root, index }: Place,
  steps: readonly number[],
  shape: readonly number[],
  dimension: number,
  extent: number,
): ValueId {
  const at = coordinates(shape);
  const along = at[dimension] as IndexExpr;
  const within = at.with(dimension, ix.mod(along, extent));
  const piece = ix.floordiv(along, extent);
  const joined = index.map((place, d) =>
    ix.add(ix.substituteAxes(place, within), ix.mul(piece, steps[d] as number)),
  );
  const whole = sizes(e.shape(root));
  if (whole.length === shape.length && whole.every((size, d) => size === shape[d])) {
    if (isStraight(joined, shape)) return root;
  }
  return e.emit("view", [root], { shape, index: joined, fill: { lo: 0, hi: 0 } });
}

/** Through movement that reads no element outside of its operand. */
function placeOf(e: Emitter, value: ValueId): Place {
  let root = value;
  let index: readonly IndexExpr[] = coordinates(sizes(e.shape(value)));
  for (;;) {
    const producer = e.table.producer(root);
    const view = producer === undefined ? undefined : viewOf(e.table, producer);
    const source = producer?.inputs[0];
    if (view === undefined || source === undefined) return { root, index };
    const inner = view.index.map((place) => ix.substituteAxes(place, index));
    const shape = e.shape(source);
    const isInside = inner.every(({ lo, hi }, d) => lo >= 0 && hi < (shape[d] as number));
    if (!isInside) return { root, index };
    root = source;
    index = inner;
  }
}

/** How far `to` lies from `from` in each dimension of the array; undefined where not every element is as far. */
function stepsBetween(from: Place, to: Place): readonly number[] | undefined {
  if (from.root !== to.root) return undefined;
  const steps: number[] = [];
  for (let d = 0; d < from.index.length; d += 1) {
    const step = ix.sub(to.index[d] as IndexExpr, from.index[d] as IndexExpr);
    if (step.k !== "const") return undefined;
    steps.push(step.value);
  }
  return steps;
}

/** Sums of sums and of products, and reductions of one element or none. Each rule says when it is exact. */
import { greatest, least, type ValueId } from "@gridfuse/graph";
import { type DType, isFloat, isInteger } from "@gridfuse/plan/scalar";
import { isEmpty, isSplatOf, type Rule } from "./rule.ts";

/**
 * A sum over batch dimensions of a dot is a dot that contracts them as well: Σ_k Σ_j a·b.
 * Only for sums that may be reassociated, or integers.
 */
export const sumOfDot: Rule<"reduce_sum"> = ({ e }, node, inputs) => {
  const dot = e.table.producer(inputs[0] as ValueId);
  if (dot?.op !== "dot_general") return undefined;
  const { contract, batch, dtype, accumulate } = dot.params;
  if (node.params.reassociated !== true && !isInteger(dtype)) return undefined;
  if (!isInteger(dtype) && dtype !== accumulate) return undefined;
  const axes = node.params.axes;
  if (!axes.every((axis) => axis < batch[0].length)) return undefined;
  const kept = batch[0].map((_, i) => i).filter((i) => !axes.includes(i));
  const side = (s: 0 | 1): { batch: number[]; contract: number[] } => ({
    batch: kept.map((i) => batch[s][i] as number),
    contract: [...axes.map((i) => batch[s][i] as number), ...contract[s]],
  });
  const [lhs, rhs] = [side(0), side(1)];
  return [
    e.emit("dot_general", dot.inputs, {
      contract: [lhs.contract, rhs.contract],
      batch: [lhs.batch, rhs.batch],
      dtype,
      accumulate,
    }),
  ];
};

/** Σ over outer axes of Σ over inner axes, where the order is free. */
export const sumOfSum: Rule<"reduce_sum"> = ({ e }, node, inputs) => {
  const inner = e.table.producer(inputs[0] as ValueId);
  if (inner?.op !== "reduce_sum") return undefined;
  const dtype = e.dtype(inputs[0] as ValueId);
  if (node.params.reassociated !== true && !isInteger(dtype)) return undefined;
  const source = inner.inputs[0] as ValueId;
  const kept = e
    .shape(source)
    .map((_, d) => d)
    .filter((d) => !inner.params.axes.includes(d));
  const axes = [...inner.params.axes, ...node.params.axes.map((axis) => kept[axis] as number)];
  axes.sort((p, q) => p - q);
  return [e.emit("reduce_sum", [source], { ...node.params, axes })];
};

/** +0 + s where s started from +0 itself, so that it is never −0. */
export const addZeroToSum: Rule<"add"> = ({ e }, _node, inputs) => {
  const [x, y] = inputs as readonly [ValueId, ValueId];
  const startsAtZero = (value: ValueId): boolean => {
    const op = e.table.producer(value)?.op;
    return op === "reduce_sum" || op === "dot_general";
  };
  if (isSplatOf(e, x, 0) && startsAtZero(y)) return [y];
  if (isSplatOf(e, y, 0) && startsAtZero(x)) return [x];
  return undefined;
};

/** A sum of one element is +0 plus it, which turns the −0 of a float into +0. */
export const emptyReduction: Rule<"reduce_sum"> = ({ e }, node, inputs) => {
  if (node.params.axes.length > 0) return undefined;
  const [value] = inputs as readonly [ValueId];
  const { dtype, shape } = e.type(value);
  return [isFloat(dtype) ? e.emit("add", [e.full(dtype, shape, 0), value], {}) : value];
};

type Reduction =
  | "reduce_sum"
  | "reduce_prod"
  | "reduce_max"
  | "reduce_min"
  | "reduce_and"
  | "reduce_or"
  | "reduce_xor";

/** What a reduction gives where it has nothing to reduce. */
const identityOf: { readonly [R in Reduction]: (dtype: DType) => number | bigint | boolean } = {
  reduce_sum: () => 0,
  reduce_prod: () => 1,
  reduce_max: least,
  reduce_min: greatest,
  reduce_and: (dtype) => (dtype === "bool" ? true : -1),
  reduce_or: () => 0,
  reduce_xor: () => 0,
};

export const reduceNothing: Rule<Reduction> = ({ e }, node, inputs) => {
  if (!isEmpty(e, inputs[0] as ValueId)) return undefined;
  const { dtype, shape } = e.type(node.outputs[0] as ValueId);
  return [e.full(dtype, shape, identityOf[node.op](dtype))];
};

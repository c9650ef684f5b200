/**
 * What follows from the ranges of integers. Iotas, and what is computed from them, are index expressions with bounds:
 * remainders of what is small enough are that itself, quotients are zero, comparisons are decided. Code that divides
 * rounding down, on machines that divide towards zero, asks for signs first; of what is not negative that is no question.
 */
import { type Node, type NodeNamed, sizes, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { fromBits, isInteger } from "@gridfuse/plan/scalar";
import { compareRanges, symbolicValue } from "../tensor/symbolic.ts";
import { coordinates } from "../tensor/views.ts";
import type { Result, RuleContext } from "./rule.ts";

/** Nodes that a rule looks at behind one value. Where nothing is assumed, most values are of data, and found out soon. */
const [fewVisits, mostVisits] = [16, 512];

/** `value` at the coordinates of its elements; undefined where it is no index expression. */
function rangeOf({ e, known }: RuleContext, value: ValueId): IndexExpr | undefined {
  const type = e.table.types[value];
  if (type?.kind !== "tensor" || !isInteger(type.dtype)) return undefined;
  if (type.shape.some((dim) => typeof dim !== "number")) return undefined;
  const left = known.size === 0 ? fewVisits : mostVisits;
  const at = coordinates(sizes(type.shape));
  return symbolicValue(e.table, value, at, (v) => known.get(v), { left });
}

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/** A comparison that comes out the same everywhere. */
export function decideComparison(
  context: RuleContext,
  node: NodeNamed<Comparison>,
  inputs: readonly ValueId[],
): Result {
  const { e } = context;
  const [x, y] = inputs as readonly [ValueId, ValueId];
  const a = rangeOf(context, x);
  const b = a === undefined ? undefined : rangeOf(context, y);
  if (a === undefined || b === undefined) return undefined;
  const decided = compareRanges(node.op, ix.sub(a, b));
  return decided === undefined ? undefined : [e.full("bool", e.shape(x), decided)];
}

/** Arithmetic with a literal that changes nothing, or whose result is one number everywhere. */
export function dropArithmetic(
  context: RuleContext,
  node: Node,
  inputs: readonly ValueId[],
): Result {
  const { e } = context;
  const output = node.outputs[0] as ValueId;
  const { dtype, shape } = e.table.tensor(output);
  if (!isInteger(dtype)) return undefined;
  const result = rangeOf(context, output);
  if (result === undefined) return undefined;
  if (result.k === "const") return [e.full(dtype, shape, result.value)];
  for (const value of inputs) {
    if (e.table.producer(value)?.op === "full") continue;
    if (rangeOf(context, value)?.key === result.key) return [value];
  }
  return undefined;
}

const ofSign: { readonly [K in Comparison]: { readonly [literal: number]: Comparison } } = {
  eq: { [-1]: "lt", 0: "eq", 1: "gt" },
  ne: { [-1]: "ge", 0: "ne", 1: "le" },
  lt: { 0: "lt", 1: "le" },
  le: { [-1]: "lt", 0: "le" },
  gt: { [-1]: "ge", 0: "gt" },
  ge: { 0: "ge", 1: "gt" },
};

/** sign(x) ∘ c, for integers, is x compared with zero. */
export function compareSign(
  { e }: RuleContext,
  node: NodeNamed<Comparison>,
  inputs: readonly ValueId[],
): Result {
  const [signs, other] = inputs as readonly [ValueId, ValueId];
  const sign = e.table.producer(signs);
  const literal = e.table.producer(other);
  if (sign?.op !== "sign" || literal?.op !== "full") return undefined;
  const { dtype, bits } = literal.params;
  if (!isInteger(dtype)) return undefined;
  const op = ofSign[node.op][Number(fromBits(dtype, bits))];
  if (op === undefined) return undefined;
  const value = sign.inputs[0] as ValueId;
  return [e.emit(op, [value, e.full(dtype, e.shape(value), 0)], {})];
}

const oppositeOf: { readonly [K in Comparison]: Comparison } = {
  eq: "ne",
  ne: "eq",
  lt: "ge",
  ge: "lt",
  gt: "le",
  le: "gt",
};

/** x ≤ 0 of what is never negative is x = 0: what asks the same is written the same. */
export function narrowComparison(
  context: RuleContext,
  node: NodeNamed<Comparison>,
  inputs: readonly ValueId[],
): Result {
  if (node.op === "eq" || node.op === "ne") return undefined;
  const { e } = context;
  const [x, y] = inputs as readonly [ValueId, ValueId];
  if (e.table.producer(y)?.op !== "full") return undefined;
  const [a, b] = [rangeOf(context, x), rangeOf(context, y)];
  if (a === undefined || b?.k !== "const") return undefined;
  if (node.op === "le" && a.lo === b.value) return [e.emit("eq", [x, y], {})];
  if (node.op === "gt" && a.lo === b.value) return [e.emit("ne", [x, y], {})];
  if (node.op === "ge" && a.hi === b.value) return [e.emit("eq", [x, y], {})];
  if (node.op === "lt" && a.hi === b.value) return [e.emit("ne", [x, y], {})];
  return undefined;
}

/** p and not p; p or not p. Comparisons of integers have their opposites, floats with NaN have not. */
export function dropOpposites(
  { e }: RuleContext,
  node: NodeNamed<"and" | "or">,
  inputs: readonly ValueId[],
): Result {
  const [x, y] = inputs as readonly [ValueId, ValueId];
  if (e.dtype(x) !== "bool") return undefined;
  const [p, q] = [e.table.producer(x), e.table.producer(y)];
  if (p === undefined || q === undefined) return undefined;
  const negates = (a: Node, of: ValueId): boolean => a.op === "not" && a.inputs[0] === of;
  const opposes =
    p.op in oppositeOf &&
    oppositeOf[p.op as Comparison] === q.op &&
    p.inputs[0] === q.inputs[0] &&
    p.inputs[1] === q.inputs[1] &&
    isInteger(e.dtype(p.inputs[0] as ValueId));
  if (!opposes && !negates(p, y) && !negates(q, x)) return undefined;
  return [e.full("bool", e.shape(x), node.op === "or")];
}

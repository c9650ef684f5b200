/**
 * The rewrite rules of `canonicalise`, by op. Each says when it is exact.
 *
 * A rule sees a node with its operands already rewritten and gives replacement results, or undefined.
 */
import {
  definitionOf,
  type Emitter,
  type Node,
  type OpName,
  sameShape,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { combineBools, compareBool, convertBack } from "./bools.ts";
import {
  absorbing,
  dropAbsorbed,
  dropEmpty,
  dropIdempotent,
  dropIdentity,
  dropInvolution,
  dropMovement,
  foldSplats,
} from "./category-rules.ts";
import { cond, scan } from "./control-rules.ts";
import { joinOfViews } from "./joined-views.ts";
import { gatherAsView, sliceAtConstants } from "./known-places.ts";
import {
  type Comparison,
  compareSign,
  decideComparison,
  dropArithmetic,
  dropOpposites,
  narrowComparison,
} from "./ranges.ts";
import {
  addZeroToSum,
  emptyReduction,
  reduceNothing,
  sumOfDot,
  sumOfSum,
} from "./reduction-rules.ts";
import { type Result, type Rule, type RuleContext, splatBits } from "./rule.ts";

const select: Rule<"select_n"> = ({ e }, _node, inputs) => {
  const [which, ...cases] = inputs as [ValueId, ...ValueId[]];
  if (cases.every((value) => value === cases[0])) return [cases[0] as ValueId];
  const bits = splatBits(e, which);
  if (bits === undefined) return undefined;
  return [cases[Math.min(bits.lo, cases.length - 1)] as ValueId];
};

const reshapeOfReshape: Rule<"reshape"> = ({ e }, node, inputs) => {
  const inner = e.table.producer(inputs[0] as ValueId);
  if (inner?.op !== "reshape") return undefined;
  return [e.reshape(inner.inputs[0] as ValueId, node.params.shape)];
};

const transposeOfTranspose: Rule<"transpose"> = ({ e }, node, inputs) => {
  const inner = e.table.producer(inputs[0] as ValueId);
  if (inner?.op !== "transpose") return undefined;
  const permutation = node.params.permutation.map((d) => inner.params.permutation[d] as number);
  return [e.transpose(inner.inputs[0] as ValueId, permutation)];
};

const dropHint: Rule<"multiple_of"> = (_context, _node, inputs) => [inputs[0] as ValueId];

/** Converting to the own dtype, or back from a wider one of the same kind that lost nothing. */
const convert: Rule<"convert_element_type"> = ({ e }, node, inputs) => {
  const source = inputs[0] as ValueId;
  return e.dtype(source) === node.params.dtype ? [source] : undefined;
};

const gather: Rule<"gather"> = ({ e }, node, inputs) => {
  const view = gatherAsView(e, node, inputs as readonly [ValueId, ValueId]);
  return view === undefined ? undefined : [view];
};

/** A window as large as the array has one place. */
const isWhole = (e: Emitter, value: ValueId, window: readonly (number | string)[]): boolean =>
  sameShape(e.shape(value), window) && window.every((extent) => typeof extent === "number");

const dynamicUpdateSlice: Rule<"dynamic_update_slice"> = ({ e }, _node, inputs) => {
  const [target, update] = inputs as readonly [ValueId, ValueId];
  return isWhole(e, target, e.shape(update)) ? [update] : undefined;
};

const dynamicSlice: Rule<"dynamic_slice"> = ({ e }, node, inputs) => {
  if (isWhole(e, inputs[0] as ValueId, node.params.sizes)) return [inputs[0] as ValueId];
  const slice = sliceAtConstants(e, node, inputs as readonly [ValueId, ...ValueId[]]);
  return slice === undefined ? undefined : [slice];
};

type RuleTable = { readonly [K in OpName]?: readonly Rule<K>[] };

const comparison: readonly Rule<Comparison>[] = [
  decideComparison,
  compareBool,
  compareSign,
  narrowComparison,
];

const rules: RuleTable = {
  eq: comparison,
  ne: comparison,
  lt: comparison,
  le: comparison,
  gt: comparison,
  ge: comparison,
  select_n: [select],
  reshape: [reshapeOfReshape],
  transpose: [transposeOfTranspose],
  multiple_of: [dropHint],
  convert_element_type: [convert, convertBack],
  xor: [combineBools],
  and: [dropOpposites, combineBools],
  or: [dropOpposites, combineBools],
  cond: [cond],
  scan: [scan],
  reduce_sum: [reduceNothing, emptyReduction, sumOfDot, sumOfSum],
  reduce_prod: [reduceNothing],
  reduce_max: [reduceNothing],
  reduce_min: [reduceNothing],
  reduce_and: [reduceNothing],
  reduce_or: [reduceNothing],
  reduce_xor: [reduceNothing],
  add: [addZeroToSum],
  concatenate: [joinOfViews],
  gather: [gather],
  dynamic_slice: [dynamicSlice],
  dynamic_update_slice: [dynamicUpdateSlice],
};

/** Arithmetic that often keeps to bounds which its operands keep anyway. */
const bounded: ReadonlySet<string> = new Set([
  "div",
  "rem",
  "and",
  "shift_right_logical",
  "shift_right_arithmetic",
  "min",
  "max",
]);

type AnyRule = (context: RuleContext, node: Node, inputs: readonly ValueId[]) => Result;

/** Rules that may apply to an op, found once of each. */
interface RulesOfOp {
  readonly anyhow: readonly AnyRule[];
  /** Those for nodes of which some operand is the same everywhere. */
  readonly onSplats: readonly AnyRule[];
}
const rulesByOp = new Map<OpName, RulesOfOp>();

function rulesOf(op: OpName): RulesOfOp {
  let found = rulesByOp.get(op);
  if (found === undefined) {
    const { scalar, category, facts } = definitionOf(op);
    found = {
      anyhow: [
        ...(category === "movement" ? [dropMovement] : []),
        ...(facts?.idempotent === true ? [dropIdempotent] : []),
        ...(facts?.involution === true ? [dropInvolution] : []),
        ...((rules[op] ?? []) as unknown as readonly AnyRule[]),
      ],
      onSplats: [
        ...(scalar === undefined ? [] : [foldSplats]),
        ...(facts?.identity === undefined ? [] : [dropIdentity]),
        ...(absorbing[op] === undefined ? [] : [dropAbsorbed]),
        ...(bounded.has(op) ? [dropArithmetic] : []),
      ],
    };
    rulesByOp.set(op, found);
  }
  return found;
}

export function applyRules(context: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  if (node.op === "full") return undefined;
  const { anyhow, onSplats } = rulesOf(node.op);
  const empty = dropEmpty(context, node);
  if (empty !== undefined) return empty;
  if (onSplats.length > 0 && hasSplat(context.e.table, inputs)) {
    const result = firstOf(onSplats, context, node, inputs);
    if (result !== undefined) return result;
  }
  return anyhow.length === 0 ? undefined : firstOf(anyhow, context, node, inputs);
}

function firstOf(
  list: readonly AnyRule[],
  context: RuleContext,
  node: Node,
  inputs: readonly ValueId[],
): Result {
  for (let i = 0; i < list.length; i += 1) {
    const result = (list[i] as AnyRule)(context, node, inputs);
    if (result !== undefined) return result;
  }
  return undefined;
}

function hasSplat({ nodes, producers }: Table, inputs: readonly ValueId[]): boolean {
  for (let i = 0; i < inputs.length; i += 1) {
    const producer = producers[inputs[i] as ValueId] as number;
    if (producer >= 0 && nodes[producer]?.op === "full") return true;
  }
  return false;
}

/**
 * The rewrite rules of `canonicalise`, by op. Each says when it is exact.
 *
 * A rule sees a node with its operands already rewritten and gives replacement results, or undefined.
 */
import {
  definitionOf,
  type Emitter,
  greatest,
  least,
  type Node,
  type NodeNamed,
  type OpName,
  type Region,
  sameShape,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  type Bits,
  type DType,
  isFloat,
  isInteger,
  ScalarBuilder,
  type ScalarValue,
  toBits,
} from "@gridfuse/plan/scalar";
import { symbolicValue, truth } from "../tensor/symbolic.ts";
import { isStraight, viewOf } from "../tensor/views.ts";
import { combineBools, compareBool, convertBack } from "./bools.ts";
import { evaluateBits } from "./evaluate-bits.ts";
import { gatherAsView, sliceAtConstants } from "./known-places.ts";
import {
  type Comparison,
  compareSign,
  decideComparison,
  dropArithmetic,
  dropOpposites,
  narrowComparison,
} from "./ranges.ts";

export interface RuleContext {
  readonly e: Emitter;
  readonly known: ReadonlyMap<ValueId, IndexExpr>;
  /** Appends the simplified nodes of a region with its params bound; gives its results. */
  splice(region: Region, args: readonly ValueId[]): readonly ValueId[];
}

export type Result = readonly ValueId[] | undefined;
type Rule<K extends OpName> = (
  context: RuleContext,
  node: NodeNamed<K>,
  inputs: readonly ValueId[],
) => Result;

/** Bits of a value that is the same everywhere, or undefined. */
export function splatBits(e: Emitter, value: ValueId): Bits | undefined {
  const node = e.table.producer(value);
  return node?.op === "full" ? node.params.bits : undefined;
}

const isSplatOf = (e: Emitter, value: ValueId, scalar: number | bigint | boolean): boolean => {
  const bits = splatBits(e, value);
  return bits !== undefined && sameBits(bits, toBits(e.dtype(value), scalar));
};

const fullLike = (e: Emitter, like: ValueId, bits: Bits): ValueId => {
  const { dtype, shape } = e.type(like);
  return e.emit("full", [], { dtype, shape, bits });
};

// ── Rules for whole categories ──────────────────────────────────────────────────────────────

/** An elementwise op on values that are the same everywhere is one too. */
function foldSplats({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const [first] = inputs;
  if (first === undefined || splatBits(e, first) === undefined) return undefined;
  const definition = definitionOf(node.op);
  const operands: { dtype: ReturnType<Emitter["dtype"]>; bits: Bits }[] = [];
  for (const value of inputs) {
    const bits = splatBits(e, value);
    if (bits === undefined) return undefined;
    operands.push({ dtype: e.dtype(value), bits });
  }
  const { dtype, shape } = e.table.tensor(node.outputs[0] as ValueId);
  // A bitcast to another width is not elementwise.
  if (!inputs.some((value) => sameShape(e.shape(value), shape))) return undefined;
  const b = new ScalarBuilder();
  const args = operands.map((operand) => b.constBits(operand.dtype, operand.bits));
  const meaning = definition.scalar as (
    b: ScalarBuilder,
    operands: readonly number[],
    params: unknown,
    result: typeof dtype,
  ) => number;
  const root = meaning(b, args, node.params, dtype);
  return [e.emit("full", [], { dtype, shape, bits: evaluateBits(b.nodes, root) })];
}

/** Movement of a splat is a splat; movement that changes nothing is dropped. */
function dropMovement({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  if (definitionOf(node.op).category !== "movement" || inputs.length !== 1) return undefined;
  const source = inputs[0] as ValueId;
  const { dtype, shape } = e.table.tensor(node.outputs[0] as ValueId);
  const bits = splatBits(e, source);
  if (bits !== undefined && (node.op !== "view" || sameBits(bits, node.params.fill))) {
    return [e.emit("full", [], { dtype, shape, bits })];
  }
  if (!sameShape(shape, e.shape(source)) || shape.some((dim) => typeof dim !== "number")) {
    return undefined;
  }
  const view = viewOf(e.table, node);
  return view !== undefined && isStraight(view.index, shape) ? [source] : undefined;
}

const sameBits = (a: Bits, b: Bits): boolean => a.lo === b.lo && a.hi === b.hi;

/** A value without elements is as good as any other of its type. */
function dropEmpty({ e }: RuleContext, node: Node): Result {
  const { outputs } = node;
  if (outputs.length === 0 || node.regions.length > 0) return undefined;
  for (let i = 0; i < outputs.length; i += 1) {
    if (!isEmpty(e, outputs[i] as ValueId)) return undefined;
  }
  return node.outputs.map((value) => fullLike(e, value, { lo: 0, hi: 0 }));
}

function isEmpty(e: Emitter, value: ValueId): boolean {
  const type = e.table.types[value];
  if (type?.kind !== "tensor") return false;
  const { shape } = type;
  for (let d = 0; d < shape.length; d += 1) if (shape[d] === 0) return true;
  return false;
}

/** x ∘ x = x. */
const dropIdempotent = (_: RuleContext, _node: Node, inputs: readonly ValueId[]): Result =>
  inputs[0] === inputs[1] ? [inputs[0] as ValueId] : undefined;

/** x ∘ identity = x, where the op table knows an identity that is exact for the dtype. */
function dropIdentity({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const facts = definitionOf(node.op).facts;
  if (facts === undefined || inputs.length !== 2) return undefined;
  const [x, y] = inputs as readonly [ValueId, ValueId];
  const identity = facts.identity?.(e.dtype(x));
  if (identity === undefined) return undefined;
  if (isSplatOf(e, y, identity)) return [x];
  if (facts.commutative === true && isSplatOf(e, x, identity)) return [y];
  return undefined;
}

/** Elements that swallow everything: x ∘ z = z. Floats have none, for NaN swallows them. */
const absorbing: { readonly [K in OpName]?: (dtype: DType) => ScalarValue } = {
  and: (dtype) => (dtype === "bool" ? false : 0),
  or: (dtype) => (dtype === "bool" ? true : -1),
  mul: () => 0,
  max: greatest,
  min: least,
};

function dropAbsorbed({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const absorb = absorbing[node.op];
  const [x, y] = inputs as readonly [ValueId, ValueId];
  if (absorb === undefined || isFloat(e.dtype(x))) return undefined;
  const element = absorb(e.dtype(x));
  return isSplatOf(e, x, element) ? [x] : isSplatOf(e, y, element) ? [y] : undefined;
}

/** f(f(x)) = x. */
function dropInvolution({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const inner = e.table.producer(inputs[0] as ValueId);
  return inner?.op === node.op ? [inner.inputs[0] as ValueId] : undefined;
}

// ── Rules for one op ────────────────────────────────────────────────────────────────────────

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

/** A branch that is known runs in place; a cheap one becomes a select (see `cond.ts`). */
const cond: Rule<"cond"> = (context, node, inputs) => {
  const { e } = context;
  const [which, ...operands] = inputs as [ValueId, ...ValueId[]];
  const bits = splatBits(e, which) ?? knownTruth(context, which);
  if (bits === undefined) return selectCheapBranches(context, node, which, operands);
  const count = node.regions.length;
  const index = e.dtype(which) === "bool" ? bits.lo : Math.max(0, Math.min(bits.lo | 0, count - 1));
  return context.splice(node.regions[index] as Region, operands);
};

const maxBranchNodes = 12;
const cheapCategories: ReadonlySet<string> = new Set(["source", "elementwise", "movement"]);

/** Branches that only compute a few elementwise values cost less than a jump between kernels. */
function selectCheapBranches(
  context: RuleContext,
  node: NodeNamed<"cond">,
  which: ValueId,
  operands: readonly ValueId[],
): Result {
  const { e } = context;
  const cheap = node.regions.every(
    (region) =>
      region.nodes.length <= maxBranchNodes &&
      region.nodes.every((id) => cheapCategories.has(definitionOf(e.table.nodes[id]!.op).category)),
  );
  if (!cheap || node.regions.length < 2) return undefined;
  const results = node.regions.map((region) => context.splice(region, operands));
  let selector = which;
  if (e.dtype(which) !== "bool") {
    const last = e.full("int32", [], node.regions.length - 1);
    selector = e.emit("clamp", [e.full("int32", [], 0), e.convert(which, "int32"), last], {});
    if (node.regions.length === 2) selector = e.convert(selector, "bool");
  }
  return node.outputs.map((_, i) => {
    const cases = results.map((values) => values[i] as ValueId);
    return cases.every((value) => value === cases[0])
      ? (cases[0] as ValueId)
      : e.emit("select_n", [selector, ...cases], {});
  });
}

function knownTruth({ e, known }: RuleContext, which: ValueId): Bits | undefined {
  if (e.dtype(which) === "bool") {
    const decided = truth(e.table, which, [], (value, at) =>
      symbolicValue(e.table, value, at, (v) => known.get(v)),
    );
    return decided === undefined ? undefined : { lo: decided ? 1 : 0, hi: 0 };
  }
  const index = symbolicValue(e.table, which, [], (v) => known.get(v));
  return index?.k === "const" ? toBits("int32", index.value) : undefined;
}

/** A loop of one trip is its body. A loop that never runs gives its initial carries; its ys are empty. */
const scan: Rule<"scan"> = (context, node, inputs) => {
  const { e } = context;
  const { trips, carries } = node.params;
  if (trips === 1) return runOnce(context, node, inputs);
  if (trips > 0) return undefined;
  return node.outputs.map((value, i) =>
    i < carries ? (inputs[i] as ValueId) : fullLike(e, value, { lo: 0, hi: 0 }),
  );
};

function runOnce(
  context: RuleContext,
  node: NodeNamed<"scan">,
  inputs: readonly ValueId[],
): readonly ValueId[] {
  const { e } = context;
  const { carries, xs } = node.params;
  const args = inputs.map((value, i) =>
    i >= carries && i < carries + xs ? e.reshape(value, e.shape(value).slice(1)) : value,
  );
  const results = context.splice(node.regions[0] as Region, [e.full("int32", [], 0), ...args]);
  return results.map((value, i) =>
    i < carries ? value : e.reshape(value, [1, ...e.shape(value)]),
  );
}

/**
 * A sum over batch dimensions of a dot is a dot that contracts them as well: Σ_k Σ_j a·b.
 * Only for sums that may be reassociated, or integers.
 */
const sumOfDot: Rule<"reduce_sum"> = ({ e }, node, inputs) => {
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
const sumOfSum: Rule<"reduce_sum"> = ({ e }, node, inputs) => {
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
const addZeroToSum: Rule<"add"> = ({ e }, _node, inputs) => {
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
const emptyReduction: Rule<"reduce_sum"> = ({ e }, node, inputs) => {
  if (node.params.axes.length > 0) return undefined;
  const [value] = inputs as readonly [ValueId];
  const { dtype, shape } = e.type(value);
  return [isFloat(dtype) ? e.emit("add", [e.full(dtype, shape, 0), value], {}) : value];
};

/** What a reduction gives where it has nothing to reduce. */
const identityOf = {
  reduce_sum: () => 0,
  reduce_prod: () => 1,
  reduce_max: least,
  reduce_min: greatest,
  reduce_and: (dtype: DType) => (dtype === "bool" ? true : -1),
  reduce_or: () => 0,
  reduce_xor: () => 0,
} as const;
type Reduction = keyof typeof identityOf;

const reduceNothing: Rule<Reduction> = ({ e }, node, inputs) => {
  if (!isEmpty(e, inputs[0] as ValueId)) return undefined;
  const { dtype, shape } = e.type(node.outputs[0] as ValueId);
  return [e.full(dtype, shape, identityOf[node.op](dtype))];
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

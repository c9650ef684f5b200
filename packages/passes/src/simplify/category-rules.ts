/** Rules for many ops at once, by what is declared of them: their category, their facts, their meaning on one element. */
import {
  definitionOf,
  type Emitter,
  greatest,
  least,
  type Node,
  type OpName,
  sameShape,
  type ValueId,
} from "@gridfuse/graph";
import {
  type Bits,
  type DType,
  isFloat,
  ScalarBuilder,
  type ScalarValue,
} from "@gridfuse/plan/scalar";
import { isStraight, viewOf } from "../tensor/views.ts";
import { evaluateBits } from "./evaluate-bits.ts";
import {
  fullLike,
  isEmpty,
  isSplatOf,
  type Result,
  type RuleContext,
  sameBits,
  splatBits,
} from "./rule.ts";

/** An elementwise op on values that are the same everywhere is one too. */
export function foldSplats({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
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
export function dropMovement({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
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

/** A value without elements is as good as any other of its type. */
export function dropEmpty({ e }: RuleContext, node: Node): Result {
  const { outputs } = node;
  if (outputs.length === 0 || node.regions.length > 0) return undefined;
  for (let i = 0; i < outputs.length; i += 1) {
    if (!isEmpty(e, outputs[i] as ValueId)) return undefined;
  }
  return node.outputs.map((value) => fullLike(e, value, { lo: 0, hi: 0 }));
}

/** x ∘ x = x. */
export const dropIdempotent = (_: RuleContext, _node: Node, inputs: readonly ValueId[]): Result =>
  inputs[0] === inputs[1] ? [inputs[0] as ValueId] : undefined;

/** x ∘ identity = x, where the op table knows an identity that is exact for the dtype. */
export function dropIdentity({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
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
export const absorbing: { readonly [K in OpName]?: (dtype: DType) => ScalarValue } = {
  and: (dtype) => (dtype === "bool" ? false : 0),
  or: (dtype) => (dtype === "bool" ? true : -1),
  mul: () => 0,
  max: greatest,
  min: least,
};

export function dropAbsorbed({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const absorb = absorbing[node.op];
  const [x, y] = inputs as readonly [ValueId, ValueId];
  if (absorb === undefined || isFloat(e.dtype(x))) return undefined;
  const element = absorb(e.dtype(x));
  return isSplatOf(e, x, element) ? [x] : isSplatOf(e, y, element) ? [y] : undefined;
}

/** f(f(x)) = x. */
export function dropInvolution({ e }: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const inner = e.table.producer(inputs[0] as ValueId);
  return inner?.op === node.op ? [inner.inputs[0] as ValueId] : undefined;
}

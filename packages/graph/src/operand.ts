/**
 * Operands of an op: literals adopt the dtype of their tensor partners, dtypes promote by JAX's
 * lattice, shapes broadcast by NumPy's rule. All three become nodes here, so that the ops themselves
 * see equal dtypes and equal shapes only.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, isInteger, itemSize, kindOf } from "@gridfuse/plan/scalar";
import type { ValueId } from "./ir/table.ts";
import { type Dim, formatShape, type Shape } from "./ir/types.ts";
import { type PromotedType, promoteTypes } from "./promote.ts";
import type { Scope } from "./scope.ts";
import { isTensor, type Operand, Tensor } from "./tensor.ts";

type Literal = Exclude<Operand, Tensor>;
type Category = "bool" | "int" | "float";

const categoryOf = (literal: Literal): Category =>
  typeof literal === "boolean"
    ? "bool"
    : typeof literal === "bigint" || Number.isInteger(literal)
      ? "int"
      : "float";

/** A literal gives way to any tensor of its kind or a higher one. */
const literalTypes: { readonly [C in Category]: PromotedType } = {
  bool: { dtype: "bool", weak: false },
  int: { dtype: "int32", weak: true },
  float: { dtype: "float32", weak: true },
};

/** The range of an integer dtype, as bigints. */
function integerRange(dtype: DType): readonly [bigint, bigint] {
  const bits = BigInt(itemSize(dtype) * 8);
  return kindOf(dtype) === "int"
    ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
    : [0n, (1n << bits) - 1n];
}

/** @throws BuildError GF2301 where an integer literal is outside the range of `dtype` */
export function requireInRange(name: string, literal: Literal, dtype: DType): void {
  if (!isInteger(dtype) || typeof literal === "boolean") return;
  const [least, most] = integerRange(dtype);
  const value = BigInt(literal);
  if (value >= least && value <= most) return;
  throw new BuildError("GF2301", `${name}: ${literal} does not fit ${dtype}`, {
    expected: `${least} … ${most}`,
    received: literal,
    help: "convert the tensor to a wider dtype first (`x.astype(f32)`), or write the wrapped value",
  });
}

/** The dtype in which operands meet. */
export function commonDType(name: string, operands: readonly Operand[]): DType {
  const types = operands.map((operand): PromotedType => {
    if (isTensor(operand)) return { dtype: operand.dtype, weak: false };
    requireLiteral(name, operand);
    return literalTypes[categoryOf(operand)];
  });
  return types.reduce(promoteTypes).dtype;
}

function describeStranger(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = value.constructor?.name ?? "object";
  return name === "Object" ? "a plain object" : `a ${name}`;
}

function requireLiteral(name: string, value: unknown): asserts value is Literal {
  const type = typeof value;
  if (type === "number" || type === "bigint" || type === "boolean") return;
  const received = describeStranger(value);
  throw new BuildError(
    "GF2302",
    `${name} was given ${received} where it takes a tensor or a number`,
    {
      expected: "Tensor | number | bigint | boolean",
      received: value,
      help:
        Array.isArray(value) || ArrayBuffer.isView(value)
          ? "write `constant(array)` for an array"
          : "did a ref lose its `.get()`, or a function its `return`?",
    },
  );
}

/** `operand` as a value of `dtype` and `shape`. A literal becomes one `full`. */
export function materialise(
  scope: Scope,
  name: string,
  operand: Operand,
  dtype: DType,
  shape: Shape,
): ValueId {
  const { emitter } = scope;
  if (!isTensor(operand)) {
    requireLiteral(name, operand);
    requireInRange(name, operand, dtype);
    return emitter.full(dtype, shape, operand);
  }
  return emitter.broadcastTo(emitter.convert(scope.resolve(operand), dtype), shape);
}

/** `operand` as a tensor of its own shape, in `dtype` or its own. */
export function valueFor(scope: Scope, name: string, operand: Operand, dtype?: DType): ValueId {
  const own = isTensor(operand) ? operand.shape : [];
  return materialise(scope, name, operand, dtype ?? commonDType(name, [operand]), own);
}

/** The shape that operands broadcast to. */
export function broadcastShapes(scope: Scope, name: string, operands: readonly Operand[]): Shape {
  const tensors = operands.filter(isTensor);
  const rank = Math.max(0, ...tensors.map((tensor) => tensor.ndim));
  return Array.from({ length: rank }, (_, i) => {
    let dim: Dim = 1;
    for (const tensor of tensors) {
      const own = tensor.shape[i - rank + tensor.ndim] ?? 1;
      if (own === 1 || own === dim) continue;
      if (dim !== 1) throw notBroadcastable(scope, name, tensors, i - rank, dim, own);
      dim = own;
    }
    return dim;
  });
}

function notBroadcastable(
  scope: Scope,
  name: string,
  tensors: readonly Tensor[],
  axis: number,
  a: Dim,
  b: Dim,
): BuildError {
  const named = typeof a === "string" || typeof b === "string";
  return new BuildError(
    "GF2303",
    `${name}: ${tensors.map((t) => describe(scope, t)).join(" and ")} do not broadcast: ${a} and ${b} along axis ${axis}`,
    {
      expected: formatShape((tensors[0] as Tensor).shape),
      received: formatShape((tensors[1] as Tensor).shape),
      help: named
        ? "a named dim equals itself and 1 only: give both tensors the same name there"
        : "dims align at the end and must be equal or 1: reshape, or `expandDims` where an axis is missing",
    },
  );
}

/** A tensor as a message calls it: `block [128, 60] of input "a"`, `"x" [4, 8]` or `shape [4, 8]`. */
export function describe(scope: Scope, tensor: Tensor): string {
  const { table } = tensor.scope;
  const maker = table.producer(tensor.id);
  const shape = formatShape(tensor.shape);
  if (maker === undefined) {
    const name = tensor.scope.nameOf(tensor.id);
    return name === undefined ? `shape ${shape}` : `"${name}" ${shape}`;
  }
  if (maker.op === "get" && maker.params.transforms.length === 0) {
    const name = tensor.scope.nameOf(maker.inputs[0] as ValueId);
    if (name !== undefined && scope.kernel() !== undefined) return `block ${shape} of ${name}`;
  }
  return `shape ${shape}`;
}

/** Operands promoted to one dtype and broadcast to one shape. */
export function meet(
  scope: Scope,
  name: string,
  operands: readonly Operand[],
  dtype: DType = commonDType(name, operands),
): readonly ValueId[] {
  const shape = broadcastShapes(scope, name, operands);
  const values: ValueId[] = [];
  for (let i = 0; i < operands.length; i += 1) {
    values.push(materialise(scope, name, operands[i] as Operand, dtype, shape));
  }
  return values;
}

export const tensorOf = (scope: Scope, id: ValueId): Tensor => new Tensor(scope, id);

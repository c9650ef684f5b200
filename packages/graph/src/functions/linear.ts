/**
 * Contractions. All become `dot_general`, whose result dims are batch, free dims of the left, free dims
 * of the right. float16 and bfloat16 sum in float32 and round once, int8 sums in int32.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, isFloat } from "@gridfuse/plan/scalar";
import type { ValueId } from "../ir/table.ts";
import type { Shape } from "../ir/types.ts";
import { type Dim, formatShape } from "../ir/types.ts";
import { commonDType, describe, tensorOf } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { type Scope, traced } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { Promote } from "../types/dtype-types.ts";
import type { ContractCheck, Matmul } from "../types/shape-types.ts";

export interface DotOptions<D extends DType = DType> {
  /** dtype of the result; that of the promoted operands where absent. */
  readonly dtype?: D;
}
const dotOptions: OptionNames<DotOptions> = { dtype: true };

export interface DotDimensions {
  /** Dims of the left and of the right that are summed over, in pairs. */
  readonly contract: readonly [readonly number[], readonly number[]];
  /** Dims of both that are kept in step, in pairs. */
  readonly batch?: readonly [readonly number[], readonly number[]];
}
const dotDimensions: OptionNames<DotDimensions> = { contract: true, batch: true };

/** The dtype in which products of `operands` are summed for a `result`. */
export function accumulateIn(operands: DType, result: DType): DType {
  if (isFloat(result)) return result === "float64" ? "float64" : "float32";
  if (operands === "int64" || operands === "uint64") return operands;
  return result;
}

function emitDot(
  scope: Scope,
  name: string,
  [a, b]: readonly [ValueId, ValueId],
  dimensions: DotDimensions,
  result: DType | undefined,
): ValueId {
  const { emitter } = scope;
  const dtype = result ?? emitter.dtype(a);
  const { contract, batch = [[], []] } = dimensions;
  if (emitter.dtype(a) !== emitter.dtype(b)) throw new TypeError(`${name}: dtypes differ`);
  const accumulate = accumulateIn(emitter.dtype(a), dtype);
  return emitter.emit("dot_general", [a, b], { contract, batch, dtype, accumulate });
}

function promoted(scope: Scope, name: string, a: Tensor, b: Tensor): readonly [ValueId, ValueId] {
  const dtype = commonDType(name, [a, b]);
  return [
    scope.emitter.convert(scope.resolve(a), dtype),
    scope.emitter.convert(scope.resolve(b), dtype),
  ];
}

/** lax.dot_general. */
export function dotGeneral<D extends DType = DType>(
  a: Tensor,
  b: Tensor,
  dimensions: DotDimensions,
  options: DotOptions<D> = {},
): Tensor<D> {
  return traced("dotGeneral", (scope) => {
    checked("dotGeneral", options, dotOptions);
    const { contract } = checked("dotGeneral: dimensions", dimensions, dotDimensions);
    contract[0].forEach((axis, i) => {
      const other = contract[1][i] as number;
      requireContract(scope, "dotGeneral", [a, b], [axis, other]);
    });
    const values = promoted(scope, "dotGeneral", a, b);
    return tensorOf(scope, emitDot(scope, "dotGeneral", values, dimensions, options.dtype));
  }) as Tensor<D>;
}

/** @throws BuildError GF2103 with both shapes and, in a kernel, the blocks they come from */
function requireContract(
  scope: Scope,
  name: string,
  [a, b]: readonly [Tensor, Tensor],
  [left, right]: readonly [number, number],
): void {
  const [k, l] = [a.shape[left], b.shape[right]];
  if (k === undefined || l === undefined || k === l) return;
  const what = `${describe(scope, a)} does not match ${describe(scope, b)} in ${name}`;
  throw new BuildError("GF2103", `${what}: it contracts ${k} with ${l}`, {
    expected: formatShape(a.shape),
    received: formatShape(b.shape),
    help: `make them ${formatShape(a.shape.with(left, l))} and ${formatShape(b.shape)}, or ${formatShape(a.shape)} and ${formatShape(b.shape.with(right, k))}`,
  });
}

/**
 * NumPy's matmul: the last dim of `a` with the last but one of `b`; dims before them broadcast.
 * Operands of rank 1 are a row on the left and a column on the right.
 */
export function matmul<
  A extends Tensor,
  B extends Tensor,
  D extends DType = Promote<A["dtype"], B["dtype"]>,
>(
  a: A,
  b: B & ContractCheck<A["shape"], B["shape"]>,
  options: DotOptions<D> = {},
): Tensor<D, [Matmul<A["shape"], B["shape"]>] extends [infer S extends Shape] ? S : Shape> {
  return traced("matmul", (scope) =>
    tensorOf(scope, contractLast(scope, "matmul", a, b, options)),
  ) as never;
}

/** `matmul` of operands of rank 1 and 2: Pallas's `dot`. */
export function dot<
  A extends Tensor,
  B extends Tensor,
  D extends DType = Promote<A["dtype"], B["dtype"]>,
>(
  a: A,
  b: B & ContractCheck<A["shape"], B["shape"]>,
  options: DotOptions<D> = {},
): Tensor<D, [Matmul<A["shape"], B["shape"]>] extends [infer S extends Shape] ? S : Shape> {
  return traced("dot", (scope) =>
    tensorOf(scope, contractLast(scope, "dot", a, b, options)),
  ) as never;
}

function contractLast(
  scope: Scope,
  name: string,
  a: Tensor,
  b: Tensor,
  options: DotOptions,
): ValueId {
  checked(name, options, dotOptions);
  for (const side of [a, b]) {
    if (side.ndim > 0) continue;
    throw new BuildError("GF2313", `${name} of a scalar`, {
      expected: "rank 1 or more",
      received: formatShape(side.shape),
      help: "multiply with `.mul`",
    });
  }
  requireContract(scope, name, [a, b], [a.ndim - 1, Math.max(0, b.ndim - 2)]);
  const [left, right] = promoted(scope, name, a, b);
  const free = { a: a.ndim > 1 ? 1 : 0, b: b.ndim > 1 ? 1 : 0 };
  const batchA = a.shape.slice(0, Math.max(0, a.ndim - 2));
  const batchB = b.shape.slice(0, Math.max(0, b.ndim - 2));
  if (batchA.length === 0 && batchB.length === 0) {
    const contract = [[a.ndim - 1], [Math.max(0, b.ndim - 2)]] as const;
    return emitDot(scope, name, [left, right], { contract }, options.dtype);
  }
  if (batchB.length === 0) {
    const contract = [[a.ndim - 1], [Math.max(0, b.ndim - 2)]] as const;
    return emitDot(scope, name, [left, right], { contract }, options.dtype);
  }
  const batch = broadcastBatch(scope, name, a, b, batchA, batchB);
  const dims = batch.map((_, i) => i);
  const whole = (value: ValueId, side: Tensor, tail: number) =>
    scope.emitter.broadcastTo(value, [...batch, ...side.shape.slice(side.ndim - tail)]);
  const rank = batch.length;
  const result = emitDot(
    scope,
    name,
    [whole(left, a, free.a + 1), whole(right, b, free.b + 1)],
    { contract: [[rank + free.a], [rank]], batch: [dims, dims] },
    options.dtype,
  );
  return result;
}

function broadcastBatch(
  scope: Scope,
  name: string,
  a: Tensor,
  b: Tensor,
  batchA: readonly Dim[],
  batchB: readonly Dim[],
): readonly Dim[] {
  const rank = Math.max(batchA.length, batchB.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = batchA[i - rank + batchA.length] ?? 1;
    const y = batchB[i - rank + batchB.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new BuildError(
      "GF2313",
      `${name}: batch dims of ${describe(scope, a)} and ${describe(scope, b)} do not broadcast: ${x} and ${y}`,
      {
        expected: formatShape(a.shape),
        received: formatShape(b.shape),
        help: "batch dims must be equal or 1",
      },
    );
  });
}

/** Products of all pairs: [m] and [n] give [m, n]. */
export function outer(a: Tensor, b: Tensor): Tensor {
  return traced("outer", (scope) => {
    const values = promoted(scope, "outer", a, b);
    return tensorOf(scope, emitDot(scope, "outer", values, { contract: [[], []] }, undefined));
  });
}

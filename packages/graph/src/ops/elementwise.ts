/**
 * The shape of a declaration that most ops share: operands of one type, a result of the same shape.
 *
 * A declaration in unary.ts, binary.ts, … is a line: dtypes it takes, its meaning, a sentence.
 */
import type { DType, Scalar, ScalarBuilder } from "@gridfuse/plan/scalar";
import { type TensorType, tensorType, type ValueType } from "../ir/types.ts";
import type { OpName, OpParams } from "../ir/vocabulary.ts";
import { batchElementwise } from "./batching.ts";
import {
  type DTypeClass,
  requireDType,
  requireSameDType,
  requireSameShape,
  requireTensors,
} from "./check.ts";
import type { AlgebraicFacts, OpDefinition } from "./define.ts";

export interface ElementwiseSpec<K extends OpName> {
  readonly doc: string;
  readonly accepts: DTypeClass;
  readonly scalar: (
    b: ScalarBuilder,
    operands: readonly Scalar[],
    params: OpParams[K],
    result: DType,
  ) => Scalar;
  readonly facts?: AlgebraicFacts;
  /** Dtype of the result where it is not the operands'. */
  readonly result?: DType;
  /** Further checks on the params. */
  readonly check?: (operand: TensorType, params: OpParams[K]) => void;
}

/** Declares an op on `arity` operands of one shape and dtype. */
export function defineElementwise<K extends OpName>(
  name: K,
  arity: number,
  spec: ElementwiseSpec<K>,
): OpDefinition<K> {
  const { doc, accepts, scalar, facts, result, check } = spec;
  return {
    name,
    category: "elementwise",
    doc,
    arity,
    infer(operands: readonly ValueType[], params: OpParams[K]): readonly TensorType[] {
      const types = requireTensors(name, operands, arity);
      requireSameShape(name, types);
      requireSameDType(name, types);
      const operand = types[0] as TensorType;
      requireDType(name, operand.dtype, accepts);
      check?.(operand, params);
      return [tensorType(result ?? operand.dtype, operand.shape)];
    },
    scalar,
    batch: batchElementwise,
    ...(facts !== undefined && { facts }),
  };
}

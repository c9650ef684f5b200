/**
 * One declaration per op. The interpreter, the simplifier, the lowering, the docs table and the
 * property tests all read what stands here; nothing else in the repository knows an op by name
 * unless its structure is special (dot, sort, scatter, control flow).
 */

import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { DType, Scalar, ScalarBuilder, ScalarValue } from "@gridfuse/plan/scalar";
import type { Emitter } from "../ir/emit.ts";
import type { NodeNamed, ValueId } from "../ir/table.ts";
import type { TensorType, ValueType } from "../ir/types.ts";
import type { OpName, OpParams } from "../ir/vocabulary.ts";

export type Category =
  | "source"
  | "elementwise"
  | "movement"
  | "indexing"
  | "reduction"
  | "cumulative"
  | "linear algebra"
  | "sorting"
  | "control flow"
  | "state"
  | "effect";

/** A value under batching: `batched` values carry the batch as dimension 0. */
export interface BatchOperand {
  readonly value: ValueId;
  readonly batched: boolean;
}

export interface AlgebraicFacts {
  readonly commutative?: boolean;
  /** Exactly so for integers and bool; for floats only up to rounding, except min and max. */
  readonly associative?: boolean;
  /** x ∘ x = x. */
  readonly idempotent?: boolean;
  /** Element e with x ∘ e = x to the bit, or undefined where there is none for this dtype. */
  readonly identity?: (dtype: DType) => ScalarValue | undefined;
  /** f(f(x)) = x. */
  readonly involution?: boolean;
}

export interface OpDefinition<K extends OpName> {
  readonly name: K;
  readonly category: Category;
  /** One sentence for the docs table. */
  readonly doc: string;
  /** Number of operands, or the least number of a variadic op. */
  readonly arity: number;
  readonly variadic?: boolean;
  /** Shape and dtype rule. Throws BuildError with both shapes. */
  infer(operands: readonly ValueType[], params: OpParams[K]): readonly TensorType[];
  /** Elementwise ops: the meaning at one point. */
  scalar?(
    b: ScalarBuilder,
    operands: readonly Scalar[],
    params: OpParams[K],
    result: DType,
  ): Scalar;
  /**
   * Movement ops of one operand whose every result element is one operand element:
   * operand index for the result coordinate `at` (one expression an operand dimension).
   */
  indexMap?(
    at: readonly IndexExpr[],
    operand: readonly number[],
    params: OpParams[K],
    result: readonly number[],
  ): readonly IndexExpr[];
  /**
   * The same op over a leading batch dimension of `size` on the operands marked batched (at least one is).
   * Returns one value a result, batched. Absent for structured control flow and state, which passes handle.
   */
  batch?(
    e: Emitter,
    node: NodeNamed<K>,
    operands: readonly BatchOperand[],
    size: number,
  ): readonly ValueId[];
  readonly facts?: AlgebraicFacts;
}

export const defineOp = <K extends OpName>(definition: OpDefinition<K>): OpDefinition<K> =>
  definition;

/** Comparisons and choices. */

import { BuildError } from "@gridfuse/plan/errors";
import type { CompareOp, Scalar, ScalarBuilder } from "@gridfuse/plan/scalar";
import type { Emitter } from "../ir/emit.ts";
import type { ValueId } from "../ir/table.ts";
import { type TensorType, tensorType } from "../ir/types.ts";
import { spreadScalar, withBatch } from "./batching.ts";
import {
  anyDType,
  requireDType,
  requireRange,
  requireSameDType,
  requireSameShape,
  requireTensors,
} from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

const comparison = <K extends CompareOp>(name: K, doc: string, commutative = false) =>
  defineElementwise(name, 2, {
    doc,
    accepts: anyDType,
    result: "bool",
    scalar: (b, [x, y]) => b.compare(name, x as Scalar, y as Scalar),
    ...(commutative && { facts: { commutative } }),
  }) as OpDefinition<K>;

export const eq: OpDefinition<"eq"> = comparison(
  "eq",
  "x = y; −0 equals +0, NaN equals nothing.",
  true,
);
export const ne: OpDefinition<"ne"> = comparison("ne", "x ≠ y; true where either is NaN.", true);
export const lt: OpDefinition<"lt"> = comparison("lt", "x < y; false where either is NaN.");
export const le: OpDefinition<"le"> = comparison("le", "x ≤ y; false where either is NaN.");
export const gt: OpDefinition<"gt"> = comparison("gt", "x > y; false where either is NaN.");
export const ge: OpDefinition<"ge"> = comparison("ge", "x ≥ y; false where either is NaN.");

/** Requires `chooser` to have the shape of `like` or rank 0. */
function requireSameOrScalar(op: string, chooser: TensorType, like: TensorType): void {
  if (chooser.shape.length > 0) requireSameShape(op, [like, chooser]);
}

/** Cases batched alike; a chooser of rank 0 stays so while it is unbatched, and spreads otherwise. */
function batchChoice(
  e: Emitter,
  choosers: readonly BatchOperand[],
  cases: readonly BatchOperand[],
  size: number,
): { readonly choosers: readonly ValueId[]; readonly cases: readonly ValueId[] } {
  const whole = cases.map((operand) => withBatch(e, operand, size));
  const shape = e.shape(whole[0] as ValueId);
  const spread = choosers.map((operand) => {
    const rank = e.shape(operand.value).length - (operand.batched ? 1 : 0);
    if (rank > 0 || shape.length === 1) return withBatch(e, operand, size);
    return operand.batched ? spreadScalar(e, operand, shape) : operand.value;
  });
  return { choosers: spread, cases: whole };
}

/** Case i of `cases` where which = i; the last one beyond. */
function chooseCase(b: ScalarBuilder, which: Scalar, cases: readonly Scalar[]): Scalar {
  const last = cases.length - 1;
  let chosen = cases[last] as Scalar;
  for (let i = last - 1; i >= 0; i--) {
    // The first test is "at most 0", so that a negative `which` means case 0.
    chosen = b.select(b.compare("le", which, b.const("int32", i)), cases[i] as Scalar, chosen);
  }
  return chosen;
}

export const selectN: OpDefinition<"select_n"> = defineOp({
  name: "select_n",
  category: "elementwise",
  doc: "Picks, at each point, one of its cases by a bool (false: the first) or an int32.",
  arity: 2,
  variadic: true,
  infer(operands) {
    const [which, ...cases] = requireTensors("select_n", operands, 2, true) as [
      TensorType,
      ...TensorType[],
    ];
    requireSameShape("select_n", cases);
    requireSameDType("select_n", cases);
    const chosen = cases[0] as TensorType;
    requireSameOrScalar("select_n", which, chosen);
    if (which.dtype === "bool") {
      requireRange("select_n", "number of cases of a bool choice", cases.length, 1, 2);
    } else if (which.dtype !== "int32") {
      throw new BuildError("GF2105", `select_n by ${which.dtype}`, {
        expected: ["bool", "int32"],
        received: which.dtype,
        help: "The first operand says which case: bool for two cases, int32 for more.",
      });
    }
    return [tensorType(chosen.dtype, chosen.shape)];
  },
  scalar(b, [which, ...cases]) {
    if (cases.length === 1) return cases[0] as Scalar;
    if (b.dtypeOf(which as Scalar) === "bool") {
      return b.select(which as Scalar, cases[1] as Scalar, cases[0] as Scalar);
    }
    return chooseCase(b, which as Scalar, cases);
  },
  batch(e, node, [which, ...cases], size) {
    const batched = batchChoice(e, [which as BatchOperand], cases, size);
    return [e.emit("select_n", [...batched.choosers, ...batched.cases], node.params)];
  },
});

export const clamp: OpDefinition<"clamp"> = defineOp({
  name: "clamp",
  category: "elementwise",
  doc: "min(max(x, lo), hi) for operands (lo, x, hi); NaN stays NaN.",
  arity: 3,
  infer(operands) {
    const types = requireTensors("clamp", operands, 3) as [TensorType, TensorType, TensorType];
    const [lo, x, hi] = types;
    requireSameDType("clamp", types);
    requireDType("clamp", x.dtype, anyDType);
    requireSameOrScalar("clamp", lo, x);
    requireSameOrScalar("clamp", hi, x);
    return [tensorType(x.dtype, x.shape)];
  },
  scalar(b, [lo, x, hi]) {
    return b.binary("min", b.binary("max", x as Scalar, lo as Scalar), hi as Scalar);
  },
  batch(e, node, [lo, x, hi], size) {
    const { choosers, cases } = batchChoice(
      e,
      [lo as BatchOperand, hi as BatchOperand],
      [x as BatchOperand],
      size,
    );
    const [low, high] = choosers as [ValueId, ValueId];
    return [e.emit("clamp", [low, cases[0] as ValueId, high], node.params)];
  },
});

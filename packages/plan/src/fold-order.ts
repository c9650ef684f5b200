/**
 * What all executors keep when they fold, so that they give the same bits: the segments and accumulators of the one order
 * (plan.ts, `Reduction`), where order shows at all, and what an empty domain folds to. The interpreter has its own: it is what
 * executors are held against.
 */
import { type Bits, toBits } from "./bits.ts";
import { type DType, isFloat, isSigned, itemSize } from "./dtype.ts";
import type { ReduceOp, Reduction } from "./plan.ts";

/** Elements of a segment, along the reduced index. */
export const segmentLength = 256;
/** Accumulators of a segment: element i goes to number i mod 16. As many elements or fewer have one together. */
export const accumulators = 16;

/** Whether the order of combination shows in the bits. */
export const isOrdered = ({ op, dtype }: Pick<Reduction, "op" | "dtype">): boolean =>
  isFloat(dtype) && (op === "add" || op === "mul");

/** Whether a fold of so many elements has accumulators to put together: shorter ones go in order, as lax and NumPy go. */
export const isSpread = (reduction: Pick<Reduction, "op" | "dtype">, elements: number): boolean =>
  isOrdered(reduction) && elements > accumulators;

export const isArg = (op: ReduceOp): op is "argmax" | "argmin" =>
  op === "argmax" || op === "argmin";

/** The smallest (`sign` −1) or largest (+1) value of a dtype. */
export function extreme(dtype: DType, sign: 1 | -1): Bits {
  if (isFloat(dtype)) return toBits(dtype, sign * Number.POSITIVE_INFINITY);
  if (dtype === "bool") return toBits(dtype, sign > 0);
  const width = itemSize(dtype) * 8;
  const max = isSigned(dtype) ? 2n ** BigInt(width - 1) - 1n : 2n ** BigInt(width) - 1n;
  return toBits(dtype, sign > 0 ? max : isSigned(dtype) ? -max - 1n : 0n);
}

/** What changes nothing in a fold, and stands for no elements at all. */
export function identityOf(op: Exclude<ReduceOp, "argmax" | "argmin">, dtype: DType): Bits {
  switch (op) {
    case "add":
    case "or":
    case "xor":
      return toBits(dtype, dtype === "bool" ? false : 0);
    case "mul":
      return toBits(dtype, 1);
    case "max":
      return extreme(dtype, -1);
    case "min":
      return extreme(dtype, 1);
    case "and":
      return dtype === "bool" ? toBits(dtype, true) : toBits(dtype, -1);
    default:
      throw op satisfies never;
  }
}

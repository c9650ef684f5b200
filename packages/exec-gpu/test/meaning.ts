import { type DType, isFloat, itemSize } from "@gridfuse/plan";
import type { BinaryOp, UnaryOp } from "@gridfuse/plan/scalar";

const floatOnly: readonly string[] = ["sqrt", "floor", "ceil", "trunc", "roundEven"];
const integerOnly: readonly string[] = [
  ...["not", "populationCount", "countLeadingZeros", "mulhi", "and", "or", "xor"],
  ...["shiftLeft", "shiftRightLogical", "shiftRightArithmetic"],
];
const onBool: readonly string[] = ["not", "and", "or", "xor", "min", "max"];

/** Which ops a dtype has (node.ts); the others are refused. */
export function hasMeaning(op: UnaryOp | BinaryOp, dtype: DType): boolean {
  if (dtype === "bool") return onBool.includes(op);
  if (isFloat(dtype)) return !integerOnly.includes(op);
  return !floatOnly.includes(op) && (op !== "mulhi" || itemSize(dtype) === 4);
}

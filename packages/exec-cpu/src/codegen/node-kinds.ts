/** Which family an op belongs to. */
import { InternalError } from "@gridfuse/plan";
import {
  type BinaryOp,
  binaryOps,
  type CompareOp,
  compareOps,
  type UnaryOp,
  unaryOps,
} from "@gridfuse/plan/scalar";
import type { ShiftOp } from "../wasm/vector-ops.ts";

type Family = "unary" | "binary" | "compare";

const families = new Map<string, Family>();
for (const op of unaryOps) families.set(op, "unary");
for (const op of binaryOps) families.set(op, "binary");
for (const op of compareOps) families.set(op, "compare");

export const isUnaryOp = (op: string): op is UnaryOp => families.get(op) === "unary";
export const isBinaryOp = (op: string): op is BinaryOp => families.get(op) === "binary";
export const isCompareOp = (op: string): op is CompareOp => families.get(op) === "compare";
export const isShift = (op: BinaryOp): op is ShiftOp =>
  op === "shiftLeft" || op === "shiftRightLogical" || op === "shiftRightArithmetic";

export const meaningless = (op: string): InternalError =>
  new InternalError("GF9302", `a ${op} node has no meaning inside a kernel`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

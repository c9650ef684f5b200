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

const [unary, binary, compare] = [unaryOps, binaryOps, compareOps].map(
  (ops): ReadonlySet<string> => new Set(ops),
) as [ReadonlySet<string>, ReadonlySet<string>, ReadonlySet<string>];

export const isUnaryOp = (op: string): op is UnaryOp => unary.has(op);
export const isBinaryOp = (op: string): op is BinaryOp => binary.has(op);
export const isCompareOp = (op: string): op is CompareOp => compare.has(op);
export const isShift = (op: BinaryOp): op is ShiftOp => op.startsWith("shift");

export const meaningless = (op: string): InternalError =>
  new InternalError("GF9302", `a ${op} node has no meaning inside a kernel`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

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

export const isUnaryOp = (op: string): op is UnaryOp =>
  (unaryOps as readonly string[]).includes(op);
export const isBinaryOp = (op: string): op is BinaryOp =>
  (binaryOps as readonly string[]).includes(op);
export const isCompareOp = (op: string): op is CompareOp =>
  (compareOps as readonly string[]).includes(op);
export const isShift = (op: BinaryOp): op is ShiftOp => op.startsWith("shift");

export const meaningless = (op: string): InternalError =>
  new InternalError("GF9302", `a ${op} node has no meaning inside a kernel`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

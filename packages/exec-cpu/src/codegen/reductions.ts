/**
 * What reductions have in common: identities, and how a stage talks to the accumulators of one reduction.
 *
 * Where lanes run along the reduced index there are `BlockFold`, `ExtremeFold` (extrema of float32) and `ArgSearch`; where
 * they are points, or there are none, `SlotFold` and `ArgFold`.
 */
import {
  type Bits,
  type DType,
  isFloat,
  isSigned,
  itemSize,
  type ReduceOp,
  type Reduction,
  toBits,
} from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";

/** Whether the order of combination shows in the bits. */
export const isOrdered = ({ op, dtype }: Pick<Reduction, "op" | "dtype">): boolean =>
  isFloat(dtype) && (op === "add" || op === "mul");

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

/** What a stage tells an accumulator, in this order: begin, (beginSegment, accumulate…, endSegment)…, finish. */
export interface Accumulator {
  begin(): void;
  beginSegment(): void;
  /** `values[p]` pushes quad p (or the scalar); `index` pushes the flattened index of its first element. */
  accumulate(values: readonly Push[], valid: number, index: Push): void;
  /** Takes in products of whole quads, with one rounding for product and sum, where it can. */
  accumulateProducts?(factors: readonly (readonly [Push, Push])[]): void;
  /** `before` pushes the number of segments that ended earlier. */
  endSegment(before: Push): void;
  finish(): void;
  /** Pushes the result: the scalar, or quad `part` of outer points. */
  result(part: number | undefined): Push;
}

export const pushSplat = (code: Code, word: number): Code => code.v128([word, word, word, word]);

/** Lanes that count, as a mask. */
export function pushValid(code: Code, valid: number): void {
  const [a, b, c, d] = [0, 1, 2, 3].map((lane) => (lane < valid ? 0xffffffff : 0)) as [
    number,
    number,
    number,
    number,
  ];
  code.v128([a, b, c, d]);
}

/** Pushes lane 0 as the scalar it stands for. */
export function extractFirst(code: Code, dtype: DType): void {
  code.lane(dtype === "float32" ? "f32x4.extract_lane" : "i32x4.extract_lane", 0);
  if (dtype === "bool") code.i32(1).op("i32.and");
}

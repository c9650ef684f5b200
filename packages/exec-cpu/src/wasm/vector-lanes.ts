/**
 * What a vector holds. Kernels whose values have at most 32 bits take four lanes, each a word: narrow integers
 * normalised, 16-bit floats as their bits, bool a mask of all ones or zeros (held.ts says what scalar code holds).
 *
 * Kernels that have 64-bit values take two. Those fill their vector; values of at most 32 bits are its first two
 * words, with anything in the others, so that they compute as they would among four. A bool is a mask of two
 * 64-bit lanes, whatever was compared: it changes its width where it meets narrower values.
 */
import { type DType, isSigned, itemSize } from "@gridfuse/plan";
import type { Code, ValueType } from "./code.ts";
import { isHalf, laneWords, type Words } from "./held.ts";
import type { HelperLibrary } from "./helpers.ts";
import type { Push } from "./scalar-ops.ts";

export type LaneCount = 4 | 2;

/** Where vector code is written to. */
export interface VectorSite {
  readonly code: Code;
  readonly helpers: HelperLibrary;
  /** Lanes of a vector. */
  readonly lanes: LaneCount;
  local(type: ValueType): number;
}

/** Whether four values of `dtype` fit a v128 here. */
export const hasLanes = (dtype: DType): boolean => itemSize(dtype) < 8;

/** The lane shape in which `dtype` is held. */
export function laneShape(dtype: DType): "f32x4" | "i32x4" | "f64x2" | "i64x2" {
  switch (dtype) {
    case "float32":
      return "f32x4";
    case "float64":
      return "f64x2";
    case "int64":
    case "uint64":
      return "i64x2";
    default:
      return "i32x4";
  }
}

export const splat = (code: Code, word: number): Code => code.v128([word, word, word, word]);

/** Pushes an immediate in all lanes. */
export const pushSplat = (code: Code, ...of: Parameters<typeof laneWords>): Code =>
  code.v128(laneWords(...of));

/** The lanes one by one: `scalar` pushes the result for a lane, of `dtype`. */
export function eachLane(
  { code, lanes }: VectorSite,
  dtype: DType,
  scalar: (lane: number) => void,
): void {
  const shape = laneShape(dtype);
  scalar(0);
  code.op(`${shape}.splat`);
  for (let lane = 1; lane < lanes; lane++) {
    scalar(lane);
    code.lane(`${shape}.replace_lane`, lane);
  }
}

/** A lane as scalar code holds it; not of bools. */
export const extracted =
  (x: Push, dtype: DType, lane: number): Push =>
  (code) => {
    x(code);
    code.lane(`${laneShape(dtype)}.extract_lane`, lane);
  };

/** Brings lanes back into the range of a narrow integer dtype. */
export function normaliseLanes(code: Code, dtype: DType): void {
  if (itemSize(dtype) >= 4 || dtype === "bool" || isHalf(dtype)) return;
  const unused = 32 - itemSize(dtype) * 8;
  if (isSigned(dtype)) code.i32(unused).op("i32x4.shl").i32(unused).op("i32x4.shr_s");
  else splat(code, 2 ** (32 - unused) - 1).op("v128.and");
}

/** The mask on the stack, of lanes as wide as those of `from`, as a bool. */
export function widenMask({ code, lanes }: VectorSite, from: DType): void {
  if (lanes === 2 && hasLanes(from) && from !== "bool") turn(code, [0, 0, 1, 1]);
}

/** The bool on the stack as a mask of lanes as wide as those of `to`. */
export function narrowMask({ code, lanes }: VectorSite, to: DType): void {
  if (lanes === 2 && hasLanes(to) && to !== "bool") turn(code, [0, 2, 0, 2]);
}

/** Puts the words of the vector on the stack in another order. */
export const turn = (code: Code, words: Words): Code => code.v128([0, 0, 0, 0]).shuffleLanes(words);

/** Lanes that count, as a mask for values of `dtype`. */
export function pushValid({ code, lanes }: VectorSite, dtype: DType, valid: number): void {
  const perLane = lanes === 2 && (!hasLanes(dtype) || dtype === "bool") ? 2 : 1;
  const word = (place: number): number => (place < valid * perLane ? 0xffffffff : 0);
  code.v128([word(0), word(1), word(2), word(3)]);
}

/** Pushes lane 0 of the vector on the stack as the scalar it stands for. */
export function extractFirst(code: Code, dtype: DType): void {
  code.lane(`${laneShape(dtype)}.extract_lane`, 0);
  if (dtype === "bool") code.i32(1).op("i32.and");
}

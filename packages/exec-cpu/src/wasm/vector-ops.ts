/**
 * One scalar node on four lanes at once, for every dtype but the 64-bit ones.
 *
 * A lane is 32 bits wide and holds what the scalar code holds (held.ts): narrow integers normalised, 16-bit
 * floats as their bits; bool is a mask of all ones or zeros. Where SIMD128 has no instruction (integer
 * division, shifts by a different amount in each lane, …) the lanes are done one after the other with the
 * scalar code, so there is one meaning only.
 */
import { type DType, InternalError, isFloat, isSigned, itemSize } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import type { Code, ValueType } from "./code.ts";
import { isHalf } from "./held.ts";
import type { HelperLibrary } from "./helpers.ts";
import type { PlainOp } from "./opcodes.ts";
import { emitBinary, emitUnary, type Push } from "./scalar-ops.ts";
import { packHalf, unpackHalf } from "./vector-halves.ts";

/** Where vector code is written to. */
export interface VectorSite {
  readonly code: Code;
  readonly helpers: HelperLibrary;
  local(type: ValueType): number;
}

/** Whether four values of `dtype` fit a v128 here. */
export const hasLanes = (dtype: DType): boolean => itemSize(dtype) < 8;

/** The lane shape in which `dtype` is held. */
export const laneShape = (dtype: DType): "f32x4" | "i32x4" =>
  dtype === "float32" ? "f32x4" : "i32x4";

const sign = (dtype: DType): "s" | "u" => (dtype === "uint32" ? "u" : "s");

const meaningless = (op: string, dtype: DType): InternalError =>
  new InternalError("GF9301", `scalar op ${op} has no meaning on lanes of ${dtype}`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

/** The lanes one by one: `scalar` pushes the result for a lane. */
function eachLane(code: Code, dtype: DType, scalar: (lane: number) => void): void {
  scalar(0);
  code.op(`${laneShape(dtype)}.splat`);
  for (let lane = 1; lane < 4; lane++) {
    scalar(lane);
    code.lane(`${laneShape(dtype)}.replace_lane`, lane);
  }
}

const extract =
  (x: Push, dtype: DType, lane: number): Push =>
  (code) => {
    x(code);
    code.lane(`${laneShape(dtype)}.extract_lane`, lane);
  };

const splat = (code: Code, word: number): Code => code.v128([word, word, word, word]);

/** Brings lanes back into the range of a narrow integer dtype. */
export function normaliseLanes(code: Code, dtype: DType): void {
  if (itemSize(dtype) >= 4 || dtype === "bool" || isHalf(dtype)) return;
  const unused = 32 - itemSize(dtype) * 8;
  if (isSigned(dtype)) code.i32(unused).op("i32x4.shl").i32(unused).op("i32x4.shr_s");
  else splat(code, 2 ** (32 - unused) - 1).op("v128.and");
}

/** Pushes float lanes as f32x4. */
function pushWide(site: VectorSite, dtype: DType, x: Push): void {
  x(site.code);
  if (isHalf(dtype)) unpackHalf(site, dtype);
}

const floatUnary: Partial<Record<UnaryOp, PlainOp>> = {
  neg: "f32x4.neg",
  abs: "f32x4.abs",
  sqrt: "f32x4.sqrt",
  floor: "f32x4.floor",
  ceil: "f32x4.ceil",
  trunc: "f32x4.trunc",
  roundEven: "f32x4.nearest",
};

export function emitVectorUnary(site: VectorSite, op: UnaryOp, dtype: DType, x: Push): void {
  const { code, helpers } = site;
  if (isFloat(dtype)) {
    const name = floatUnary[op];
    if (name === undefined) throw meaningless(op, dtype);
    pushWide(site, dtype, x);
    code.op(name);
    if (isHalf(dtype)) packHalf(site, dtype);
    return;
  }
  switch (op) {
    case "not":
      x(code);
      code.op("v128.not");
      break;
    case "neg":
    case "abs":
      if (dtype === "bool") throw meaningless(op, dtype);
      x(code);
      if (op === "neg" || isSigned(dtype)) code.op(`i32x4.${op}`);
      break;
    case "populationCount":
      x(code);
      if (itemSize(dtype) < 4) splat(code, 2 ** (8 * itemSize(dtype)) - 1).op("v128.and");
      code.op("i8x16.popcnt").op("i16x8.extadd_pairwise_i8x16_u");
      code.op("i32x4.extadd_pairwise_i16x8_u");
      return;
    default:
      eachLane(code, dtype, (lane) => {
        emitUnary(code, helpers, op, dtype, extract(x, dtype, lane));
      });
      return;
  }
  normaliseLanes(code, dtype);
}

export function emitVectorBinary(
  site: VectorSite,
  op: BinaryOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  if (isFloat(dtype)) emitFloatBinary(site, op, dtype, x, y);
  else emitIntegerBinary(site, op, dtype, x, y);
}

function emitFloatBinary(site: VectorSite, op: BinaryOp, dtype: DType, x: Push, y: Push): void {
  const { code, helpers } = site;
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "min":
    case "max":
      pushWide(site, dtype, x);
      pushWide(site, dtype, y);
      code.op(`f32x4.${op}`);
      if (isHalf(dtype)) packHalf(site, dtype);
      return;
    default:
      eachLane(code, dtype, (lane) => {
        emitBinary(code, helpers, op, dtype, extract(x, dtype, lane), extract(y, dtype, lane));
      });
  }
}

function emitIntegerBinary(site: VectorSite, op: BinaryOp, dtype: DType, x: Push, y: Push): void {
  const { code, helpers } = site;
  const both = (name: PlainOp): void => {
    x(code);
    y(code);
    code.op(name);
  };
  switch (op) {
    case "and":
    case "or":
    case "xor":
      both(`v128.${op}`);
      return;
    case "add":
    case "sub":
    case "mul":
      if (dtype === "bool") throw meaningless(op, dtype);
      both(`i32x4.${op}`);
      normaliseLanes(code, dtype);
      return;
    case "min":
    case "max":
      if (dtype === "bool") both(op === "min" ? "v128.and" : "v128.or");
      else both(`i32x4.${op}_${sign(dtype)}`);
      return;
    case "mulhi":
      if (itemSize(dtype) !== 4) throw meaningless(op, dtype);
      both(`i64x2.extmul_low_i32x4_${sign(dtype)}`);
      both(`i64x2.extmul_high_i32x4_${sign(dtype)}`);
      code.shuffleLanes([1, 3, 5, 7]);
      return;
    default:
      eachLane(code, dtype, (lane) => {
        emitBinary(code, helpers, op, dtype, extract(x, dtype, lane), extract(y, dtype, lane));
      });
  }
}

export type ShiftOp = "shiftLeft" | "shiftRightLogical" | "shiftRightArithmetic";

/** A shift of all 32-bit lanes by one amount, an i32 read as unsigned. */
export function emitVectorShift(code: Code, op: ShiftOp, x: Push, amount: Push): void {
  x(code);
  if (op === "shiftRightArithmetic") {
    amount(code);
    code.i32(31);
    amount(code);
    code.i32(32).op("i32.lt_u").op("select").op("i32x4.shr_s");
    return;
  }
  amount(code);
  code.op(op === "shiftLeft" ? "i32x4.shl" : "i32x4.shr_u");
  code.i32(-1).i32(0);
  amount(code);
  code.i32(32).op("i32.lt_u").op("select").op("i32x4.splat").op("v128.and");
}

export function emitVectorCompare(
  site: VectorSite,
  op: CompareOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  // As integers, true (all ones) lies below false, so masks compare the other way round.
  const [a, b] = dtype === "bool" ? [y, x] : [x, y];
  pushWide(site, dtype, a);
  pushWide(site, dtype, b);
  if (isFloat(dtype)) site.code.op(`f32x4.${op}`);
  else if (op === "eq" || op === "ne") site.code.op(`i32x4.${op}`);
  else site.code.op(`i32x4.${op}_${sign(dtype)}`);
}

export function emitVectorConvert(site: VectorSite, from: DType, to: DType, x: Push): void {
  const { code } = site;
  pushWide(site, from, x);
  if (to === "bool") {
    splat(code, 0).op(isFloat(from) ? "f32x4.ne" : "i32x4.ne");
  } else if (from === "bool") {
    splat(code, isFloat(to) ? 0x3f800000 : 1).op("v128.and");
    if (isHalf(to)) packHalf(site, to);
  } else if (isFloat(to)) {
    if (!isFloat(from)) code.op(`f32x4.convert_i32x4_${sign(from)}`);
    if (isHalf(to)) packHalf(site, to);
  } else if (!isFloat(from)) {
    normaliseLanes(code, to);
  } else if (itemSize(to) === 4) {
    code.op(`i32x4.trunc_sat_f32x4_${sign(to)}`);
  } else {
    // Narrow integers saturate at their own ends: clamp the float first, which keeps NaN.
    const bits = itemSize(to) * 8;
    splatFloat(code, isSigned(to) ? -(2 ** (bits - 1)) : 0).op("f32x4.max");
    splatFloat(code, isSigned(to) ? 2 ** (bits - 1) - 1 : 2 ** bits - 1).op("f32x4.min");
    code.op("i32x4.trunc_sat_f32x4_s");
  }
}

const splatFloat = (code: Code, value: number): Code => code.f32(value).op("f32x4.splat");

/** See `emitBitcast`. */
export function emitVectorBitcast(
  site: VectorSite,
  from: DType,
  to: DType,
  canonical: boolean,
  x: Push,
): void {
  const { code } = site;
  x(code);
  if (canonical && from === "float32") {
    splat(code, 0x7fc00000);
    x(code);
    x(code);
    code.op("f32x4.eq").op("v128.bitselect");
  } else if (canonical && isHalf(from)) {
    splat(code, from === "float16" ? 0x7e00 : 0x7fc0);
    x(code);
    splat(code, 0x7fff).op("v128.and");
    splat(code, from === "float16" ? 0x7c00 : 0x7f80).op("i32x4.le_s");
    code.op("v128.bitselect");
  }
  if (from === "bool") splat(code, 1).op("v128.and");
  else if (to === "bool") splat(code, 0).op("i32x4.ne");
  else if (isHalf(to)) splat(code, 0xffff).op("v128.and");
  else if (!isFloat(to)) normaliseLanes(code, to);
}

/**
 * One scalar node on all lanes at once, for every dtype: here those of at most 32 bits, in vector-pairs.ts the others.
 * What a lane holds is said in vector-lanes.ts.
 *
 * Where SIMD128 has no instruction (integer division, shifts by a different amount in each lane, …) the lanes are
 * done one after the other with the scalar code, so there is one meaning only.
 */
import { type DType, InternalError, isFloat, isSigned, itemSize } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import type { Code } from "./code.ts";
import { isHalf } from "./held.ts";
import type { PlainOp } from "./opcodes.ts";
import { emitBinary, emitUnary, type Push } from "./scalar-ops.ts";
import { packHalf, unpackHalf } from "./vector-halves.ts";
import {
  eachLane,
  extracted,
  hasLanes,
  narrowMask,
  normaliseLanes,
  splat,
  type VectorSite,
  widenMask,
} from "./vector-lanes.ts";
import {
  emitPairBinary,
  emitPairBitcast,
  emitPairCompare,
  emitPairConvert,
  emitPairUnary,
} from "./vector-pairs.ts";

const sign = (dtype: DType): "s" | "u" => (dtype === "uint32" ? "u" : "s");

const meaningless = (op: string, dtype: DType): InternalError =>
  new InternalError("GF9301", `scalar op ${op} has no meaning on lanes of ${dtype}`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

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
  if (!hasLanes(dtype)) emitPairUnary(site, op, dtype, x);
  else if (isFloat(dtype)) emitFloatUnary(site, op, dtype, x);
  else emitIntegerUnary(site, op, dtype, x);
}

function emitFloatUnary(site: VectorSite, op: UnaryOp, dtype: DType, x: Push): void {
  const name = floatUnary[op];
  if (name === undefined) throw meaningless(op, dtype);
  pushWide(site, dtype, x);
  site.code.op(name);
  if (isHalf(dtype)) packHalf(site, dtype);
}

function emitIntegerUnary(site: VectorSite, op: UnaryOp, dtype: DType, x: Push): void {
  const { code, helpers } = site;
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
      eachLane(site, dtype, (lane) => {
        emitUnary(code, helpers, op, dtype, extracted(x, dtype, lane));
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
  if (!hasLanes(dtype)) emitPairBinary(site, op, dtype, x, y);
  else if (isFloat(dtype)) emitFloatBinary(site, op, dtype, x, y);
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
      eachLane(site, dtype, (lane) => {
        emitBinary(code, helpers, op, dtype, extracted(x, dtype, lane), extracted(y, dtype, lane));
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
      eachLane(site, dtype, (lane) => {
        emitBinary(code, helpers, op, dtype, extracted(x, dtype, lane), extracted(y, dtype, lane));
      });
  }
}

export type ShiftOp = "shiftLeft" | "shiftRightLogical" | "shiftRightArithmetic";

const shiftNames = {
  shiftLeft: "shl",
  shiftRightLogical: "shr_u",
  shiftRightArithmetic: "shr_s",
} as const;

/** A shift of all 32- or 64-bit lanes by an immediate below their width. */
export function emitShiftBy(code: Code, op: ShiftOp, dtype: DType, x: Push, amount: number): void {
  x(code);
  code.i32(amount).op(`${hasLanes(dtype) ? "i32x4" : "i64x2"}.${shiftNames[op]}`);
}

/** A shift of all 32- or 64-bit lanes by one amount, held as their dtype is and read as unsigned. */
export function emitVectorShift(
  code: Code,
  op: ShiftOp,
  dtype: DType,
  x: Push,
  amount: Push,
): void {
  const [type, shape, width] = hasLanes(dtype)
    ? (["i32", "i32x4", 32] as const)
    : (["i64", "i64x2", 64] as const);
  const literal = (value: number): void => {
    if (type === "i32") code.i32(value);
    else code.i64(BigInt(value));
  };
  const narrow = (): void => {
    if (type === "i64") code.op("i32.wrap_i64");
  };
  const pushInWidth = (): void => {
    amount(code);
    literal(width);
    code.op(`${type}.lt_u`);
  };
  x(code);
  amount(code);
  if (op === "shiftRightArithmetic") {
    literal(width - 1);
    pushInWidth();
    code.op("select");
    narrow();
    code.op(`${shape}.shr_s`);
    return;
  }
  narrow();
  code.op(`${shape}.${shiftNames[op]}`);
  literal(-1);
  literal(0);
  pushInWidth();
  code.op("select").op(`${shape}.splat`).op("v128.and");
}

export function emitVectorCompare(
  site: VectorSite,
  op: CompareOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  if (!hasLanes(dtype)) {
    emitPairCompare(site, op, dtype, x, y);
    return;
  }
  // As integers, true (all ones) lies below false, so masks compare the other way round.
  const [a, b] = dtype === "bool" ? [y, x] : [x, y];
  pushWide(site, dtype, a);
  pushWide(site, dtype, b);
  if (isFloat(dtype)) site.code.op(`f32x4.${op}`);
  else if (op === "eq" || op === "ne") site.code.op(`i32x4.${op}`);
  else site.code.op(`i32x4.${op}_${sign(dtype)}`);
  widenMask(site, dtype);
}

export function emitVectorConvert(site: VectorSite, from: DType, to: DType, x: Push): void {
  const { code } = site;
  if (!hasLanes(from) || !hasLanes(to)) {
    emitPairConvert(site, from, to, x);
    return;
  }
  pushWide(site, from, x);
  if (to === "bool") {
    splat(code, 0).op(isFloat(from) ? "f32x4.ne" : "i32x4.ne");
    widenMask(site, from);
  } else if (from === "bool") {
    narrowMask(site, to);
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

/** Chooses between the two vectors of `dtype` on the stack, the first where the bool above them holds. */
export function emitVectorSelect(site: VectorSite, dtype: DType): void {
  narrowMask(site, dtype);
  site.code.op("v128.bitselect");
}

/** See `emitBitcast`. */
export function emitVectorBitcast(
  site: VectorSite,
  from: DType,
  to: DType,
  canonical: boolean,
  x: Push,
): void {
  const { code } = site;
  if (!hasLanes(from)) {
    emitPairBitcast(site, from, canonical, x);
    return;
  }
  x(code);
  if (from === "bool") narrowMask(site, to);
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
  else if (to === "bool") {
    splat(code, 0).op("i32x4.ne");
    widenMask(site, from);
  } else if (isHalf(to)) splat(code, 0xffff).op("v128.and");
  else if (!isFloat(to)) normaliseLanes(code, to);
}

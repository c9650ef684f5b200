/** Scalar nodes on two 64-bit lanes: what SIMD128 has for them, and what can be said with it. */
import { type DType, isFloat, isSigned, itemSize } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import { isHalf } from "./held.ts";
import type { PlainOp } from "./opcodes.ts";
import { emitBinary, emitConvert, emitUnary, type Push } from "./scalar-ops.ts";
import { unpackHalf } from "./vector-halves.ts";
import {
  eachLane,
  extracted,
  hasLanes,
  laneShape,
  normaliseLanes,
  pushSplat,
  turn,
  type VectorSite,
} from "./vector-lanes.ts";

const floatUnary: Partial<Record<UnaryOp, PlainOp>> = {
  neg: "f64x2.neg",
  abs: "f64x2.abs",
  sqrt: "f64x2.sqrt",
  floor: "f64x2.floor",
  ceil: "f64x2.ceil",
  trunc: "f64x2.trunc",
  roundEven: "f64x2.nearest",
};

const zero = { lo: 0, hi: 0 } as const;
const signBit = { lo: 0, hi: 0x80000000 } as const;

export function emitPairUnary(site: VectorSite, op: UnaryOp, dtype: DType, x: Push): void {
  const { code, helpers } = site;
  const whole = dtype === "float64" ? floatUnary[op] : undefined;
  if (whole !== undefined) {
    x(code);
    code.op(whole);
    return;
  }
  switch (op) {
    case "not":
      x(code);
      code.op("v128.not");
      return;
    case "neg":
    case "abs":
      x(code);
      if (op === "neg" || isSigned(dtype)) code.op(`i64x2.${op}`);
      return;
    case "populationCount": {
      const counts = site.local("v128");
      x(code);
      code.op("i8x16.popcnt").op("i16x8.extadd_pairwise_i8x16_u");
      code.op("i32x4.extadd_pairwise_i16x8_u").tee(counts);
      code.get(counts).i32(32).op("i64x2.shr_u").op("i32x4.add");
      pushSplat(code, "uint64", { lo: 0xffffffff, hi: 0 }).op("v128.and");
      return;
    }
    default:
      eachLane(site, dtype, (lane) => {
        emitUnary(code, helpers, op, dtype, extracted(x, dtype, lane));
      });
  }
}

export function emitPairBinary(
  site: VectorSite,
  op: BinaryOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  const { code, helpers } = site;
  const isDouble = dtype === "float64";
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
      both(`${isDouble ? "f64x2" : "i64x2"}.${op}`);
      return;
    case "min":
    case "max":
      if (isDouble) {
        both(`f64x2.${op}`);
        return;
      }
      x(code);
      y(code);
      emitPairCompare(site, op === "min" ? "lt" : "gt", dtype, x, y);
      code.op("v128.bitselect");
      return;
    case "div":
      if (isDouble) {
        both("f64x2.div");
        return;
      }
      break;
    default:
  }
  eachLane(site, dtype, (lane) => {
    emitBinary(code, helpers, op, dtype, extracted(x, dtype, lane), extracted(y, dtype, lane));
  });
}

export function emitPairCompare(
  site: VectorSite,
  op: CompareOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  const { code } = site;
  if (dtype === "float64" || op === "eq" || op === "ne") {
    x(code);
    y(code);
    code.op(dtype === "float64" ? `f64x2.${op}` : `i64x2.${op as "eq"}`);
    return;
  }
  // There are only signed ones: without the top bit's meaning, unsigned numbers compare as they would.
  for (const operand of [x, y]) {
    operand(code);
    if (!isSigned(dtype)) pushSplat(code, dtype, signBit).op("v128.xor");
  }
  code.op(`i64x2.${op}_s`);
}

/** A conversion from or to a dtype of 64 bits. */
export function emitPairConvert(site: VectorSite, from: DType, to: DType, x: Push): void {
  const { code, helpers } = site;
  if (isSerialConvert(from, to)) {
    eachLane(site, to, (lane) => {
      emitConvert(code, helpers, from, to, extracted(x, from, lane));
    });
    return;
  }
  x(code);
  if (from === "float64") fromDouble(site, to);
  else if (!hasLanes(from)) fromWide(site, to);
  else if (to === "float64") toDouble(site, from);
  else toWide(site, from);
}

/** Whether lanes are converted one by one. */
export const isSerialConvert = (from: DType, to: DType): boolean =>
  from !== to &&
  ((from === "float64" && (isHalf(to) || laneShape(to) === "i64x2")) ||
    (laneShape(from) === "i64x2" && isFloat(to)) ||
    (laneShape(to) === "i64x2" && isFloat(from)));

function fromDouble(site: VectorSite, to: DType): void {
  const { code } = site;
  if (to === "bool") {
    pushSplat(code, "float64", zero).op("f64x2.ne");
  } else if (to === "float32") {
    code.op("f32x4.demote_f64x2_zero");
  } else if (to !== "float64") {
    const bits = itemSize(to) * 8;
    if (bits < 32) {
      // Narrow integers saturate at their own ends: clamp the float first, which keeps NaN.
      code.f64(isSigned(to) ? -(2 ** (bits - 1)) : 0).op("f64x2.splat");
      code.op("f64x2.max");
      code.f64(isSigned(to) ? 2 ** (bits - 1) - 1 : 2 ** bits - 1).op("f64x2.splat");
      code.op("f64x2.min");
    }
    code.op(`i32x4.trunc_sat_f64x2_${to === "uint32" ? "u" : "s"}_zero`);
  }
}

function fromWide({ code }: VectorSite, to: DType): void {
  if (to === "bool") {
    pushSplat(code, "int64", zero).op("i64x2.ne");
  } else if (hasLanes(to)) {
    turn(code, [0, 2, 0, 2]);
    normaliseLanes(code, to);
  }
}

function toDouble(site: VectorSite, from: DType): void {
  const { code } = site;
  if (from === "bool") {
    pushSplat(code, "float64", { lo: 0, hi: 0x3ff00000 }).op("v128.and");
  } else if (isFloat(from)) {
    if (isHalf(from)) unpackHalf(site, from);
    code.op("f64x2.promote_low_f32x4");
  } else {
    code.op(`f64x2.convert_low_i32x4_${from === "uint32" ? "u" : "s"}`);
  }
}

function toWide({ code }: VectorSite, from: DType): void {
  if (from === "bool") pushSplat(code, "int64", { lo: 1, hi: 0 }).op("v128.and");
  else code.op(`i64x2.extend_low_i32x4_${from === "uint32" ? "u" : "s"}`);
}

/** See `emitBitcast`. */
export function emitPairBitcast(
  { code }: VectorSite,
  from: DType,
  canonical: boolean,
  x: Push,
): void {
  x(code);
  if (!canonical || from !== "float64") return;
  pushSplat(code, from, { lo: 0, hi: 0x7ff80000 });
  x(code);
  x(code);
  code.op("f64x2.eq").op("v128.bitselect");
}

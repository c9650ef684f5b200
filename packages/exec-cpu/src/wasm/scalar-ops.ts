/**
 * One scalar node on one value, for every dtype: the meaning of `scalar/node.ts` in WebAssembly.
 */
import { type DType, InternalError, isFloat, isInteger, isSigned, itemSize } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import type { Code } from "./code.ts";
import { heldType, isHalf, normalise } from "./held.ts";
import type { HelperLibrary, HelperName } from "./helpers.ts";
import type { PlainOp } from "./opcodes.ts";

/** Pushes one operand. */
export type Push = (code: Code) => void;

const meaningless = (op: string, dtype: DType): InternalError =>
  new InternalError("GF9301", `scalar op ${op} has no meaning on ${dtype}`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

/** Pushes an operand as an f32 (16-bit floats) or as it is held. */
function pushWide(code: Code, helpers: HelperLibrary, dtype: DType, x: Push): void {
  x(code);
  if (dtype === "bfloat16") code.i32(16).op("i32.shl").op("f32.reinterpret_i32");
  else if (dtype === "float16") code.call(helpers.get("f16ToF32"));
}

/** Rounds the f32 on the stack to a 16-bit float; nothing for other dtypes. */
function narrow(code: Code, helpers: HelperLibrary, dtype: DType): void {
  if (dtype === "bfloat16") code.call(helpers.get("f32ToBf16"));
  else if (dtype === "float16") code.call(helpers.get("f32ToF16"));
}

/** The Wasm type that floats of `dtype` compute in. */
const floatType = (dtype: DType): "f32" | "f64" => (dtype === "float64" ? "f64" : "f32");

const floatUnary: Partial<Record<UnaryOp, string>> = {
  neg: "neg",
  abs: "abs",
  sqrt: "sqrt",
  floor: "floor",
  ceil: "ceil",
  trunc: "trunc",
  roundEven: "nearest",
};

export function emitUnary(
  code: Code,
  helpers: HelperLibrary,
  op: UnaryOp,
  dtype: DType,
  x: Push,
): void {
  if (isFloat(dtype)) {
    const name = floatUnary[op];
    if (name === undefined) throw meaningless(op, dtype);
    pushWide(code, helpers, dtype, x);
    code.op(`${floatType(dtype)}.${name}` as PlainOp);
    narrow(code, helpers, dtype);
    return;
  }
  if (dtype === "bool") {
    if (op !== "not") throw meaningless(op, dtype);
    x(code);
    code.op("i32.eqz");
    return;
  }
  const type = heldType(dtype) as "i32" | "i64";
  const literal = (value: number): Code =>
    type === "i32" ? code.i32(value) : code.i64(BigInt(value));
  const bits = itemSize(dtype) * 8;
  /** The operand without the copies of its sign bit above its width. */
  const pushUnsigned = (): void => {
    x(code);
    if (bits < 32) code.i32(2 ** bits - 1).op("i32.and");
  };
  switch (op) {
    case "neg":
      literal(0);
      x(code);
      code.op(`${type}.sub`);
      break;
    case "abs":
      if (!isSigned(dtype)) {
        x(code);
        return;
      }
      literal(0);
      x(code);
      code.op(`${type}.sub`);
      x(code);
      x(code);
      literal(0).op(`${type}.lt_s`).op("select");
      break;
    case "not":
      x(code);
      literal(-1).op(`${type}.xor`);
      break;
    case "populationCount":
      pushUnsigned();
      code.op(`${type}.popcnt`);
      break;
    case "countLeadingZeros":
      pushUnsigned();
      code.op(`${type}.clz`);
      if (bits < 32) code.i32(32 - bits).op("i32.sub");
      break;
    default:
      throw meaningless(op, dtype);
  }
  normalise(code, dtype);
}

export function emitBinary(
  code: Code,
  helpers: HelperLibrary,
  op: BinaryOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  if (isFloat(dtype)) emitFloatBinary(code, helpers, op, dtype, x, y);
  else if (dtype === "bool") emitBoolBinary(code, op, x, y);
  else emitIntegerBinary(code, helpers, op, dtype, x, y);
}

function emitFloatBinary(
  code: Code,
  helpers: HelperLibrary,
  op: BinaryOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  const type = floatType(dtype);
  pushWide(code, helpers, dtype, x);
  pushWide(code, helpers, dtype, y);
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "min":
    case "max":
      code.op(`${type}.${op}`);
      break;
    case "rem":
      code.call(helpers.get(`${type}.rem`));
      break;
    default:
      throw meaningless(op, dtype);
  }
  narrow(code, helpers, dtype);
}

function emitBoolBinary(code: Code, op: BinaryOp, x: Push, y: Push): void {
  x(code);
  y(code);
  switch (op) {
    case "and":
    case "min":
      code.op("i32.and");
      return;
    case "or":
    case "max":
      code.op("i32.or");
      return;
    case "xor":
      code.op("i32.xor");
      return;
    default:
      throw meaningless(op, "bool");
  }
}

function emitIntegerBinary(
  code: Code,
  helpers: HelperLibrary,
  op: BinaryOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  const type = heldType(dtype) as "i32" | "i64";
  const sign = isSigned(dtype) ? "s" : "u";
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "and":
    case "or":
    case "xor":
      x(code);
      y(code);
      code.op(`${type}.${op}`);
      break;
    case "div":
    case "rem":
      x(code);
      y(code);
      code.call(helpers.get(`${type}.${op}_${sign}` as HelperName));
      break;
    case "mulhi":
      if (type !== "i32" || itemSize(dtype) !== 4) throw meaningless(op, dtype);
      x(code);
      code.op(`i64.extend_i32_${sign}`);
      y(code);
      code.op(`i64.extend_i32_${sign}`).op("i64.mul");
      code.i64(32n).op("i64.shr_u").op("i32.wrap_i64");
      return;
    case "min":
    case "max":
      x(code);
      y(code);
      x(code);
      y(code);
      code.op(`${type}.${op === "min" ? "lt" : "gt"}_${sign}`).op("select");
      return;
    case "shiftLeft":
    case "shiftRightLogical":
    case "shiftRightArithmetic":
      emitShift(code, op, dtype, x, y);
      break;
    default:
      throw meaningless(op, dtype);
  }
  normalise(code, dtype);
}

/** A shift whose amount, read as unsigned, may exceed the width. */
function emitShift(
  code: Code,
  op: "shiftLeft" | "shiftRightLogical" | "shiftRightArithmetic",
  dtype: DType,
  x: Push,
  y: Push,
): void {
  const type = heldType(dtype) as "i32" | "i64";
  const width = itemSize(dtype) * 8;
  const literal = (value: number): Code =>
    type === "i32" ? code.i32(value) : code.i64(BigInt(value));
  const pushInWidth = (): void => {
    y(code);
    literal(width).op(`${type}.lt_u`);
  };
  x(code);
  if (op === "shiftRightArithmetic") {
    // An unsigned dtype is read as signed here: its top bit is the sign.
    if (dtype === "uint8") code.op("i32.extend8_s");
    if (dtype === "uint16") code.op("i32.extend16_s");
    y(code);
    literal(width - 1);
    pushInWidth();
    code.op("select").op(`${type}.shr_s`);
    return;
  }
  if (op === "shiftRightLogical") {
    if (width < 32) code.i32(2 ** width - 1).op("i32.and");
    y(code);
    code.op(`${type}.shr_u`);
  } else {
    y(code);
    code.op(`${type}.shl`);
  }
  literal(0);
  pushInWidth();
  code.op("select");
}

const compareNames = { eq: "eq", ne: "ne", lt: "lt", le: "le", gt: "gt", ge: "ge" } as const;

export function emitCompare(
  code: Code,
  helpers: HelperLibrary,
  op: CompareOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
  pushWide(code, helpers, dtype, x);
  pushWide(code, helpers, dtype, y);
  const name = compareNames[op];
  if (isFloat(dtype)) {
    code.op(`${floatType(dtype)}.${name}`);
  } else {
    const sign = name === "eq" || name === "ne" ? "" : isSigned(dtype) ? "_s" : "_u";
    code.op(`${heldType(dtype)}.${name}${sign}` as PlainOp);
  }
}

/** Value conversion. */
export function emitConvert(
  code: Code,
  helpers: HelperLibrary,
  from: DType,
  to: DType,
  x: Push,
): void {
  pushWide(code, helpers, from, x);
  if (isFloat(from)) convertFloat(code, helpers, from, to);
  else convertInteger(code, helpers, from, to);
}

function convertFloat(code: Code, helpers: HelperLibrary, from: DType, to: DType): void {
  const type = floatType(from);
  if (isFloat(to)) {
    if (type === "f64" && isHalf(to)) code.call(helpers.get("f64ToF32Odd"));
    else if (type === "f64" && to === "float32") code.op("f32.demote_f64");
    else if (type === "f32" && to === "float64") code.op("f64.promote_f32");
    narrow(code, helpers, to);
    return;
  }
  if (to === "bool") {
    if (type === "f32") code.f32(0);
    else code.f64(0);
    code.op(`${type}.ne`);
    return;
  }
  const bits = itemSize(to) * 8;
  if (bits >= 32) {
    code.op(`${heldType(to) as "i32" | "i64"}.trunc_sat_${type}_${isSigned(to) ? "s" : "u"}`);
    return;
  }
  // Narrow integers saturate at their own ends: clamp the float first, which keeps NaN.
  const literal = (value: number): Code => (type === "f32" ? code.f32(value) : code.f64(value));
  literal(isSigned(to) ? -(2 ** (bits - 1)) : 0).op(`${type}.max`);
  literal(isSigned(to) ? 2 ** (bits - 1) - 1 : 2 ** bits - 1).op(`${type}.min`);
  code.op(`i32.trunc_sat_${type}_s`);
}

function convertInteger(code: Code, helpers: HelperLibrary, from: DType, to: DType): void {
  const type = heldType(from) as "i32" | "i64";
  const sign = isSigned(from) ? "s" : "u";
  if (isFloat(to)) {
    code.op(`${floatType(to)}.convert_${type}_${sign}`);
    narrow(code, helpers, to);
  } else if (to === "bool") {
    if (type === "i32") code.i32(0);
    else code.i64(0n);
    code.op(`${type}.ne`);
  } else if (heldType(to) === "i64") {
    if (type === "i32") code.op(`i64.extend_i32_${sign}`);
  } else {
    if (type === "i64") code.op("i32.wrap_i64");
    normalise(code, to);
  }
}

/**
 * Reinterpretation of the same number of bits. Where `canonical`, a float NaN becomes the quiet NaN first:
 * the operand was computed, and what NaN that made is not defined.
 */
export function emitBitcast(code: Code, from: DType, to: DType, canonical: boolean, x: Push): void {
  const source = heldType(from);
  const target = heldType(to);
  if (canonical && isFloat(from)) {
    pushCanonicalBits(code, from, x);
    if (target === "f32") code.op("f32.reinterpret_i32");
    if (target === "f64") code.op("f64.reinterpret_i64");
  } else {
    x(code);
    if (source === "f32" && target === "i32") code.op("i32.reinterpret_f32");
    if (source === "f64" && target === "i64") code.op("i64.reinterpret_f64");
    if (source === "i32" && target === "f32") code.op("f32.reinterpret_i32");
    if (source === "i64" && target === "f64") code.op("f64.reinterpret_i64");
  }
  if (to === "bool") code.i32(0).op("i32.ne");
  else if (isHalf(to)) code.i32(0xffff).op("i32.and");
  else if (isInteger(to)) normalise(code, to);
}

function pushCanonicalBits(code: Code, from: DType, x: Push): void {
  switch (from) {
    case "float32":
      code.i32(0x7fc00000);
      x(code);
      code.op("i32.reinterpret_f32");
      x(code);
      x(code);
      code.op("f32.ne").op("select");
      return;
    case "float64":
      code.i64(0x7ff8000000000000n);
      x(code);
      code.op("i64.reinterpret_f64");
      x(code);
      x(code);
      code.op("f64.ne").op("select");
      return;
    default: {
      const infinity = from === "float16" ? 0x7c00 : 0x7f80;
      code.i32(from === "float16" ? 0x7e00 : 0x7fc0);
      x(code);
      x(code);
      code.i32(0x7fff).op("i32.and").i32(infinity).op("i32.gt_u").op("select");
    }
  }
}

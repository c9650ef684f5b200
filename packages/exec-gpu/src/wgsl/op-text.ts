/**
 * One scalar operation as a WGSL expression, for every op and dtype of the scalar language.
 * What WGSL's own operators do not promise is a call of a function of the helper tables.
 */
import { CapabilityError, type DType } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import {
  type FloatDType,
  fromBitsText,
  type IntegerDType,
  rounded,
  type ShaderDType,
  toBitsText,
  wgslType,
  widthOf,
  wrapped,
} from "./value.ts";

const isFloatDType = (dtype: ShaderDType): dtype is FloatDType =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16";

function noMeaning(op: string, dtype: DType): never {
  throw new CapabilityError("GF5202", `scalar op ${op} has no shader code for ${dtype}`, {
    received: { op, dtype },
    help: "Run this plan on the CPU executor.",
  });
}

export function unaryText(op: UnaryOp, dtype: ShaderDType, x: string): string {
  if (dtype === "bool") return op === "not" ? `!${x}` : noMeaning(op, dtype);
  if (isFloatDType(dtype)) return floatUnary(op, dtype, x);
  const unsigned = wgslType(dtype) === "u32";
  const padding = 32 - widthOf(dtype);
  switch (op) {
    case "neg":
      return wrapped(dtype, unsigned ? `(0u - ${x})` : `-${x}`);
    case "abs":
      return unsigned ? x : wrapped(dtype, `abs(${x})`);
    case "not":
      return wrapped(dtype, `~${x}`);
    case "populationCount":
      return countText(dtype, `countOneBits(${toBitsText(dtype, x)})`);
    case "countLeadingZeros":
      return countText(dtype, `(countLeadingZeros(${toBitsText(dtype, x)}) - ${padding}u)`);
    default:
      return noMeaning(op, dtype);
  }
}

const countText = (dtype: IntegerDType, count: string): string =>
  wgslType(dtype) === "i32" ? `i32(${count})` : count;

function floatUnary(op: UnaryOp, dtype: FloatDType, x: string): string {
  switch (op) {
    case "neg":
    case "abs":
    case "floor":
    case "ceil":
    case "trunc":
      return rounded(dtype, `f32_${op}(${x})`);
    case "sqrt":
      return rounded(dtype, `f32_sqrt(${x})`);
    case "roundEven":
      return rounded(dtype, `f32_round_even(${x})`);
    default:
      return noMeaning(op, dtype);
  }
}

export function binaryText(op: BinaryOp, dtype: ShaderDType, x: string, y: string): string {
  if (dtype === "bool") return boolBinary(op, x, y);
  if (isFloatDType(dtype)) return floatBinary(op, dtype, x, y);
  return integerBinary(op, dtype, x, y);
}

function boolBinary(op: BinaryOp, x: string, y: string): string {
  switch (op) {
    case "and":
    case "min":
      return `(${x} && ${y})`;
    case "or":
    case "max":
      return `(${x} || ${y})`;
    case "xor":
      return `(${x} != ${y})`;
    default:
      return noMeaning(op, "bool");
  }
}

function floatBinary(op: BinaryOp, dtype: FloatDType, x: string, y: string): string {
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "rem":
    case "min":
    case "max":
      return rounded(dtype, `f32_${op}(${x}, ${y})`);
    default:
      return noMeaning(op, dtype);
  }
}

const operators = { add: "+", sub: "-", mul: "*", and: "&", or: "|", xor: "^" } as const;

function integerBinary(op: BinaryOp, dtype: IntegerDType, x: string, y: string): string {
  const type = wgslType(dtype);
  const width = widthOf(dtype);
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "and":
    case "or":
    case "xor":
      return wrapped(dtype, `(${x} ${operators[op]} ${y})`);
    case "div":
    case "rem":
      return wrapped(dtype, `${type}_${op}(${x}, ${y})`);
    case "mulhi":
      return width === 32 ? `${type}_mulhi(${x}, ${y})` : noMeaning(op, dtype);
    case "min":
    case "max":
      return `${op}(${x}, ${y})`;
    case "shiftLeft":
      return shiftText("shift_left", dtype, toBitsText(dtype, x), y);
    case "shiftRightLogical":
      return shiftText("shift_right", dtype, toBitsText(dtype, x), y);
    case "shiftRightArithmetic": {
      const signed =
        type === "i32" ? x : `(bitcast<i32>(${x} << ${32 - width}u) >> ${32 - width}u)`;
      const shifted = `shift_right_signed(${signed}, ${toBitsText(dtype, y)}, ${width}u)`;
      return type === "i32" ? shifted : wrapped(dtype, `bitcast<u32>(${shifted})`);
    }
    default:
      return op satisfies never;
  }
}

const shiftText = (helper: string, dtype: IntegerDType, bits: string, amount: string): string =>
  fromBitsText(dtype, `${helper}(${bits}, ${toBitsText(dtype, amount)}, ${widthOf(dtype)}u)`);

/** A `bool` expression; every comparison but `ne` is false on NaN. */
export function compareText(op: CompareOp, dtype: ShaderDType, x: string, y: string): string {
  if (isFloatDType(dtype)) {
    switch (op) {
      case "ne":
        return `!f32_eq(${x}, ${y})`;
      case "gt":
        return `f32_lt(${y}, ${x})`;
      case "ge":
        return `f32_le(${y}, ${x})`;
      case "eq":
      case "lt":
      case "le":
        return `f32_${op}(${x}, ${y})`;
      default:
        return op satisfies never;
    }
  }
  const operator = { eq: "==", ne: "!=", lt: "<", le: "<=", gt: ">", ge: ">=" }[op];
  if (dtype !== "bool" || op === "eq" || op === "ne") return `(${x} ${operator} ${y})`;
  return `(${toBitsText(dtype, x)} ${operator} ${toBitsText(dtype, y)})`;
}

export function convertText(from: ShaderDType, to: ShaderDType, x: string): string {
  if (from === to) return x;
  if (to === "bool") {
    if (isFloatDType(from)) return `((${x} & 0x7fffffffu) != 0u)`;
    return from === "bool" ? x : `(${x} != ${wgslType(from) === "i32" ? "0i" : "0u"})`;
  }
  if (from === "bool") return fromBool(to, x);
  if (isFloatDType(to)) {
    return rounded(to, isFloatDType(from) ? x : `f32_from_${wgslType(from)}(${x})`);
  }
  if (isFloatDType(from)) return floatToInteger(to, x);
  return wrapped(to, wgslType(from) === wgslType(to) ? x : `bitcast<${wgslType(to)}>(${x})`);
}

function fromBool(to: Exclude<ShaderDType, "bool">, x: string): string {
  if (isFloatDType(to)) return `select(0u, 0x3f800000u, ${x})`;
  return wgslType(to) === "i32" ? `select(0i, 1i, ${x})` : `select(0u, 1u, ${x})`;
}

/** Truncates and saturates. */
function floatToInteger(to: IntegerDType, x: string): string {
  const type = wgslType(to);
  const text = `f32_to_${type}(${x})`;
  const width = widthOf(to);
  if (width === 32) return text;
  if (type === "u32") return `min(${text}, ${2 ** width - 1}u)`;
  return `clamp(${text}, ${-(2 ** (width - 1))}i, ${2 ** (width - 1) - 1}i)`;
}

/** Same bits, other dtype; a NaN gives the canonical one. */
export function bitcastText(from: ShaderDType, to: ShaderDType, x: string): string {
  return fromBitsText(to, canonicalBits(from, x));
}

function canonicalBits(dtype: ShaderDType, x: string): string {
  const bits = toBitsText(dtype, x);
  switch (dtype) {
    case "float32":
      return `f32_canonical(${bits})`;
    case "float16":
      return `f16_canonical(${bits})`;
    case "bfloat16":
      return `bf16_canonical(${bits})`;
    default:
      return bits;
  }
}

/** One scalar node on one value as a C expression, for every dtype: the meaning of `scalar/node.ts`. */
import { type DType, InternalError, isFloat, isSigned, itemSize } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import { cType, isHalf, unsignedType } from "./c-types.ts";

const meaningless = (op: string, dtype: DType): InternalError =>
  new InternalError("GF9301", `scalar op ${op} has no meaning on ${dtype}`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

/** An operand as what floats compute in. */
export const wide = (dtype: DType, x: string): string =>
  isHalf(dtype) ? `gf_from_${dtype}(${x})` : x;
/** A float32 rounded to a 16-bit float; other dtypes as they are. */
export const narrow = (dtype: DType, x: string): string =>
  isHalf(dtype) ? `gf_to_${dtype}(${x})` : x;
/** What the functions of the prelude call the type that floats of `dtype` compute in. */
const floatName = (dtype: DType): "float32" | "float64" =>
  dtype === "float64" ? "float64" : "float32";

/** The unsigned type that sums and products of integers are computed in: it wraps, and never less than 32 bits. */
const wrapping = (dtype: DType): string => (itemSize(dtype) === 8 ? "uint64_t" : "uint32_t");

export function unary(op: UnaryOp, dtype: DType, x: string): string {
  if (isFloat(dtype)) {
    const builtin = floatBuiltins[op];
    if (builtin === undefined) throw meaningless(op, dtype);
    const value = wide(dtype, x);
    if (op === "neg") return narrow(dtype, `(-${value})`);
    return narrow(dtype, `__builtin_${builtin}${dtype === "float64" ? "" : "f"}(${value})`);
  }
  if (dtype === "bool") {
    if (op !== "not") throw meaningless(op, dtype);
    return `(!${x})`;
  }
  const [type, unsigned, bits] = [cType(dtype), unsignedType(dtype), 8 * itemSize(dtype)];
  const suffix = bits === 64 ? "ll" : "";
  switch (op) {
    case "neg":
      return `(${type})(0u - (${wrapping(dtype)})${x})`;
    case "abs":
      if (!isSigned(dtype)) return x;
      return `(${type})(${x} < 0 ? 0u - (${wrapping(dtype)})${x} : (${wrapping(dtype)})${x})`;
    case "not":
      return `(${type})~${x}`;
    case "populationCount":
      return `(${type})__builtin_popcount${suffix}((${unsigned})${x})`;
    case "countLeadingZeros": {
      const spare = bits < 32 ? ` - ${32 - bits}` : "";
      return `(${type})(${x} == 0 ? ${bits} : __builtin_clz${suffix}((${unsigned})${x})${spare})`;
    }
    default:
      throw meaningless(op, dtype);
  }
}

const floatBuiltins: Partial<Record<UnaryOp, string>> = {
  neg: "",
  abs: "fabs",
  sqrt: "sqrt",
  floor: "floor",
  ceil: "ceil",
  trunc: "trunc",
  roundEven: "rint",
};

const signs: Partial<Record<BinaryOp, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  and: "&",
  or: "|",
  xor: "^",
};

export function binary(op: BinaryOp, dtype: DType, x: string, y: string): string {
  if (isFloat(dtype)) return floatBinary(op, dtype, x, y);
  if (dtype === "bool") {
    const sign = { and: "&", min: "&", or: "|", max: "|", xor: "^" }[op as "and"];
    if (sign === undefined) throw meaningless(op, dtype);
    return `(_Bool)(${x} ${sign} ${y})`;
  }
  const [type, name] = [cType(dtype), `${cType(dtype)}`];
  const sign = signs[op];
  if (sign !== undefined) {
    const step = wrapping(dtype);
    return `(${type})((${step})${x} ${sign} (${step})${y})`;
  }
  switch (op) {
    case "div":
    case "rem":
      return `gf_${op}_${name}(${x}, ${y})`;
    case "mulhi": {
      if (itemSize(dtype) !== 4) throw meaningless(op, dtype);
      const product = isSigned(dtype) ? "int64_t" : "uint64_t";
      return `(${type})(((${product})${x} * (${product})${y}) >> 32)`;
    }
    case "min":
      return `(${x} < ${y} ? ${x} : ${y})`;
    case "max":
      return `(${x} > ${y} ? ${x} : ${y})`;
    case "shiftLeft":
    case "shiftRightLogical":
    case "shiftRightArithmetic":
      return shift(op, dtype, x, y);
    default:
      throw meaningless(op, dtype);
  }
}

function floatBinary(op: BinaryOp, dtype: DType, x: string, y: string): string {
  const [a, b] = [wide(dtype, x), wide(dtype, y)];
  switch (op) {
    case "add":
    case "sub":
    case "mul":
      return narrow(dtype, `(${a} ${signs[op]} ${b})`);
    case "div":
      return narrow(dtype, `(${a} / ${b})`);
    case "min":
    case "max":
      return narrow(dtype, `gf_${op}_${floatName(dtype)}(${a}, ${b})`);
    case "rem":
      return narrow(dtype, `__builtin_fmod${dtype === "float64" ? "" : "f"}(${a}, ${b})`);
    default:
      throw meaningless(op, dtype);
  }
}

/** A shift whose amount, read as unsigned, may exceed the width. */
function shift(
  op: "shiftLeft" | "shiftRightLogical" | "shiftRightArithmetic",
  dtype: DType,
  x: string,
  y: string,
): string {
  const [type, unsigned, bits] = [cType(dtype), unsignedType(dtype), 8 * itemSize(dtype)];
  const amount = `(${unsigned})${y}`;
  const inWidth = `(${amount} & ${bits - 1})`;
  switch (op) {
    case "shiftLeft":
      return `(${type})(${amount} < ${bits} ? (${wrapping(dtype)})${x} << ${inWidth} : 0)`;
    case "shiftRightLogical":
      return `(${type})(${amount} < ${bits} ? (${unsigned})${x} >> ${inWidth} : 0)`;
    default:
      return `(${type})((int${bits}_t)${x} >> (${amount} < ${bits} ? ${inWidth} : ${bits - 1}))`;
  }
}

const comparisons: Readonly<Record<CompareOp, string>> = {
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
};

export const compare = (op: CompareOp, dtype: DType, x: string, y: string): string =>
  `(${wide(dtype, x)} ${comparisons[op]} ${wide(dtype, y)})`;

/** Value conversion. */
export function convert(from: DType, to: DType, x: string): string {
  if (from === to) return x;
  const value = wide(from, x);
  if (to === "bool") return `(${value} != 0)`;
  if (!isFloat(from)) return isHalf(to) ? narrow(to, `(float)${value}`) : `(${cType(to)})${value}`;
  if (!isFloat(to)) return `gf_${cType(to)}_from_${floatName(from)}(${value})`;
  if (isHalf(to)) return narrow(to, from === "float64" ? `gf_odd(${value})` : value);
  return `(${cType(to)})${value}`;
}

/**
 * Reinterpretation of the same number of bits. Where `canonical`, a float NaN becomes the quiet NaN first: the operand
 * was computed, and what NaN that made is not defined.
 */
export function bitcast(from: DType, to: DType, canonical: boolean, x: string): string {
  const known = canonical && isFloat(from) ? `gf_canonical_${from}(${x})` : x;
  const bits = from === "float32" || from === "float64" ? `gf_bits_${from}(${known})` : known;
  if (to === "bool") return `(${bits} != 0)`;
  if (to === "float32" || to === "float64") {
    return from === to ? known : `gf_${to}((${unsignedType(to)})${bits})`;
  }
  return `(${cType(to)})${bits}`;
}

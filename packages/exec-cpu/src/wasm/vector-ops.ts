/**
 * One scalar node on four lanes at once, for the dtypes whose lanes are 32 bits wide.
 *
 * float32, int32 and uint32 are what they are; bool is a mask of all ones or zeros. Where SIMD128 has
 * no instruction (integer division, shifts by a different amount in each lane, …) the lanes are done one
 * after the other with the scalar code, so there is one meaning only.
 */
import { type DType, InternalError } from "@gridfuse/plan";
import type { BinaryOp, CompareOp, UnaryOp } from "@gridfuse/plan/scalar";
import type { Code } from "./code.ts";
import type { HelperLibrary } from "./helpers.ts";
import type { PlainOp } from "./opcodes.ts";
import { emitBinary, emitUnary, type Push } from "./scalar-ops.ts";

/** Whether lanes of `dtype` are 32 bits wide here. */
export const hasLanes = (dtype: DType): boolean =>
  dtype === "float32" || dtype === "int32" || dtype === "uint32" || dtype === "bool";

const shape = (dtype: DType): "f32x4" | "i32x4" => (dtype === "float32" ? "f32x4" : "i32x4");
const sign = (dtype: DType): "s" | "u" => (dtype === "int32" ? "s" : "u");

const meaningless = (op: string, dtype: DType): InternalError =>
  new InternalError("GF9301", `scalar op ${op} has no meaning on lanes of ${dtype}`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });

/** The lanes one by one: `scalar` pushes the result for a lane. */
function eachLane(code: Code, dtype: DType, scalar: (lane: number) => void): void {
  scalar(0);
  code.op(`${shape(dtype)}.splat`);
  for (let lane = 1; lane < 4; lane++) {
    scalar(lane);
    code.lane(`${shape(dtype)}.replace_lane`, lane);
  }
}

const extract =
  (x: Push, dtype: DType, lane: number): Push =>
  (code) => {
    x(code);
    code.lane(`${shape(dtype)}.extract_lane`, lane);
  };

export function emitVectorUnary(
  code: Code,
  helpers: HelperLibrary,
  op: UnaryOp,
  dtype: DType,
  x: Push,
): void {
  switch (op) {
    case "not":
      x(code);
      code.op("v128.not");
      return;
    case "neg":
    case "abs":
      x(code);
      if (op === "neg" || dtype !== "uint32") code.op(`${shape(dtype)}.${op}`);
      return;
    case "populationCount":
      x(code);
      code.op("i8x16.popcnt").op("i16x8.extadd_pairwise_i8x16_u");
      code.op("i32x4.extadd_pairwise_i16x8_u");
      return;
    case "countLeadingZeros":
      eachLane(code, dtype, (lane) => {
        emitUnary(code, helpers, op, dtype, extract(x, dtype, lane));
      });
      return;
    case "sqrt":
    case "floor":
    case "ceil":
    case "trunc":
      x(code);
      code.op(`f32x4.${op}`);
      return;
    case "roundEven":
      x(code);
      code.op("f32x4.nearest");
      return;
    default:
      throw op satisfies never;
  }
}

export function emitVectorBinary(
  code: Code,
  helpers: HelperLibrary,
  op: BinaryOp,
  dtype: DType,
  x: Push,
  y: Push,
): void {
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
      both(`${shape(dtype)}.${op}`);
      return;
    case "min":
    case "max":
      if (dtype === "float32") both(`f32x4.${op}`);
      else if (dtype === "bool") both(op === "min" ? "v128.and" : "v128.or");
      else both(`i32x4.${op}_${sign(dtype)}`);
      return;
    case "div":
      if (dtype === "float32") {
        both("f32x4.div");
        return;
      }
      break;
    case "mulhi":
      both(`i64x2.extmul_low_i32x4_${sign(dtype)}`);
      both(`i64x2.extmul_high_i32x4_${sign(dtype)}`);
      code.shuffleLanes([1, 3, 5, 7]);
      return;
    default:
  }
  eachLane(code, dtype, (lane) => {
    emitBinary(code, helpers, op, dtype, extract(x, dtype, lane), extract(y, dtype, lane));
  });
}

/** A shift of all lanes by one amount, an i32 read as unsigned. */
export function emitVectorShift(
  code: Code,
  op: "shiftLeft" | "shiftRightLogical" | "shiftRightArithmetic",
  x: Push,
  amount: Push,
): void {
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

export function emitVectorCompare(code: Code, op: CompareOp, dtype: DType, x: Push, y: Push): void {
  // As integers, true (all ones) lies below false, so masks compare the other way round.
  const [a, b] = dtype === "bool" ? [y, x] : [x, y];
  a(code);
  b(code);
  if (dtype === "float32") code.op(`f32x4.${op}`);
  else if (op === "eq" || op === "ne") code.op(`i32x4.${op}`);
  else code.op(`i32x4.${op}_${dtype === "uint32" ? "u" : "s"}`);
}

export function emitVectorConvert(code: Code, from: DType, to: DType, x: Push): void {
  x(code);
  if (to === "bool") {
    if (from === "float32") code.v128([0, 0, 0, 0]).op("f32x4.ne");
    else code.v128([0, 0, 0, 0]).op("i32x4.ne");
  } else if (from === "bool") {
    const one = to === "float32" ? 0x3f800000 : 1;
    code.v128([one, one, one, one]).op("v128.and");
  } else if (from === "float32" && to !== "float32") {
    code.op(`i32x4.trunc_sat_f32x4_${sign(to)}`);
  } else if (to === "float32" && from !== "float32") {
    code.op(`f32x4.convert_i32x4_${sign(from)}`);
  }
}

/** See `emitBitcast`. */
export function emitVectorBitcast(code: Code, from: DType, canonical: boolean, x: Push): void {
  if (from === "float32" && canonical) {
    const quiet = 0x7fc00000;
    x(code);
    code.v128([quiet, quiet, quiet, quiet]);
    x(code);
    x(code);
    code.op("f32x4.eq").op("v128.bitselect");
  } else {
    x(code);
  }
}

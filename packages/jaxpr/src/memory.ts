/** What memory holds that nobody wrote: as the interpreter that is asked for has it. */
import {
  type DType,
  is64BitInteger,
  isFloat,
  isSigned,
  itemSize,
  type ScalarValue,
  type Shape,
  type ValueId,
} from "@gridfuse/graph";
import type { Body } from "./body.ts";

const least: { readonly [D in DType]?: ScalarValue } = {
  int8: -128,
  // Semaphores are int16 cells: JAX starts all of that dtype at 0.
  int16: 0,
  int32: -(2 ** 31),
  int64: -(2n ** 63n),
};

/** TPU interpret mode: the greatest integer, true. */
function greatestOf(dtype: DType): ScalarValue {
  if (dtype === "bool") return true;
  const bits = BigInt(itemSize(dtype) * 8 - (isSigned(dtype) ? 1 : 0));
  const value = (1n << bits) - 1n;
  return is64BitInteger(dtype) ? value : Number(value);
}

export function uninitialised(body: Body, dtype: DType, shape: Shape): ValueId {
  const { fill } = body.importing;
  if (fill === "zero") return body.full(dtype, shape, dtype === "bool" ? false : 0);
  if (fill === "tpu" && !isFloat(dtype)) return body.full(dtype, shape, greatestOf(dtype));
  const value = isFloat(dtype) ? Number.NaN : (least[dtype] ?? (dtype === "bool" ? false : 0));
  return body.full(dtype, shape, value);
}

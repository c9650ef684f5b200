/** What memory holds that nobody wrote: as JAX's interpreter has it (NaN, the least integer, false). */
import { type DType, isFloat, type ScalarValue, type Shape, type ValueId } from "@gridfuse/graph";
import type { Body } from "./body.ts";

const least: { readonly [D in DType]?: ScalarValue } = {
  int8: -128,
  // Semaphores are int16 cells: JAX starts all of that dtype at 0.
  int16: 0,
  int32: -(2 ** 31),
  int64: -(2n ** 63n),
};

export function uninitialised(body: Body, dtype: DType, shape: Shape): ValueId {
  const value = isFloat(dtype) ? Number.NaN : (least[dtype] ?? (dtype === "bool" ? false : 0));
  return body.full(dtype, shape, value);
}

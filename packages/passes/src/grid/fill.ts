/** What memory holds that nobody wrote (reference: Pallas's interpret modes). */
import type { FillMode } from "@gridfuse/graph";
import { type Bits, type DType, itemSize, kindOf, toBits } from "@gridfuse/plan/scalar";

export function fillBits(mode: FillMode, dtype: DType): Bits {
  // JAX's plain interpreter keeps semaphores in int16 cells: all of that dtype starts at 0.
  if (mode === "zero" || (mode === "hlo" && dtype === "int16")) return toBits(dtype, 0);
  const width = BigInt(itemSize(dtype) * 8);
  switch (kindOf(dtype)) {
    case "float":
      return toBits(dtype, Number.NaN);
    case "bool":
      return toBits(dtype, mode === "tpu");
    case "int":
      return toBits(dtype, mode === "tpu" ? (1n << (width - 1n)) - 1n : -(1n << (width - 1n)));
    case "uint":
      return toBits(dtype, mode === "tpu" ? (1n << width) - 1n : 0n);
    default:
      return kindOf(dtype) as never;
  }
}

/** Element types of the wire. What has no dtype of its own is held in a wider one. */
import type { DType } from "@gridfuse/graph";
import { unsupported } from "./errors.ts";
import type { WireDType } from "./format.ts";

const table: { readonly [name: string]: DType } = {
  b1: "bool",
  i2: "int8",
  u2: "uint8",
  i4: "int8",
  f8e5m2: "uint8",
  f8e4m3fn: "uint8",
  u4: "uint8",
  i8: "int8",
  u8: "uint8",
  i16: "int16",
  u16: "uint16",
  i32: "int32",
  u32: "uint32",
  i64: "int64",
  u64: "uint64",
  f16: "float16",
  bf16: "bfloat16",
  f32: "float32",
  f64: "float64",
  // Semaphores count in 16-bit cells, as in JAX's interpreter.
  "sem.dma": "int16",
  "sem.regular": "int16",
  "sem.barrier": "int16",
};

/** @throws BuildError GF2604 for a dtype that nothing here can hold */
export function dtypeOf(name: WireDType): DType {
  const dtype = table[name];
  if (dtype === undefined) throw unsupported("dtype", name);
  return dtype;
}

export const isSemaphore = (name: WireDType): boolean => name.startsWith("sem.");

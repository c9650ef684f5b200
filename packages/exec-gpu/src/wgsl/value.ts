/**
 * How a dtype lives in a shader: as a `bool`, an `i32`, or a `u32`.
 *
 * Integers are kept in range after every operation. Floats are float32 bit patterns in a `u32`, see
 * float32.ts; float16 and bfloat16 likewise, restricted to what they can hold. Memory is words;
 * elements of one or two bytes are cut out of a word.
 */
import {
  type Bits,
  bf16FromBits,
  type DType,
  f16FromBits,
  f32Bits,
  itemSize,
} from "@gridfuse/plan";

/** The dtypes that have a form in WGSL. */
export type ShaderDType = Exclude<DType, "int64" | "uint64" | "float64">;
export type WgslType = "bool" | "i32" | "u32";

export const isShaderDType = (dtype: DType): dtype is ShaderDType => itemSize(dtype) < 8;

/** The dtype itself, once `requireShaderStep` has refused all others. */
export function shaderDType(dtype: DType): ShaderDType {
  if (!isShaderDType(dtype)) throw new RangeError(`${dtype} has no form in a shader`);
  return dtype;
}

export function wgslType(dtype: ShaderDType): WgslType {
  switch (dtype) {
    case "bool":
      return "bool";
    case "int8":
    case "int16":
    case "int32":
      return "i32";
    case "uint8":
    case "uint16":
    case "uint32":
    case "float16":
    case "bfloat16":
    case "float32":
      return "u32";
    default:
      return dtype satisfies never;
  }
}

export const widthOf = (dtype: ShaderDType): number => itemSize(dtype) * 8;
const hex = (word: number): string => `0x${(word >>> 0).toString(16)}u`;
export const i32Literal = (value: number): string =>
  value === -(2 ** 31) ? "i32(-2147483648)" : `${value}i`;

/** An immediate. Floats pass through the opaque zero, so that no compiler computes with them. */
export function literal(dtype: ShaderDType, bits: Bits): string {
  const word = bits.lo >>> 0;
  switch (dtype) {
    case "bool":
      return word === 0 ? "false" : "true";
    case "int8":
      return i32Literal((word << 24) >> 24);
    case "int16":
      return i32Literal((word << 16) >> 16);
    case "int32":
      return i32Literal(word | 0);
    case "uint8":
    case "uint16":
    case "uint32":
      return `${word}u`;
    case "float16":
      return `(${hex(f32Bits(f16FromBits(word)))} ^ params.zero)`;
    case "bfloat16":
      return `(${hex(f32Bits(bf16FromBits(word)))} ^ params.zero)`;
    case "float32":
      return `(${hex(word)} ^ params.zero)`;
    default:
      return dtype satisfies never;
  }
}

/** The value's bit pattern in memory, zero-extended to a `u32`. */
export function toBitsText(dtype: ShaderDType, x: string): string {
  switch (dtype) {
    case "bool":
      return `select(0u, 1u, ${x})`;
    case "int8":
      return `(bitcast<u32>(${x}) & 0xffu)`;
    case "int16":
      return `(bitcast<u32>(${x}) & 0xffffu)`;
    case "int32":
      return `bitcast<u32>(${x})`;
    case "uint8":
    case "uint16":
    case "uint32":
    case "float32":
      return x;
    case "float16":
      return `f16_pack(${x})`;
    case "bfloat16":
      return `(${x} >> 16u)`;
    default:
      return dtype satisfies never;
  }
}

/** The value whose bit pattern is in the low bits of a `u32`; higher bits are ignored. */
export function fromBitsText(dtype: ShaderDType, word: string): string {
  switch (dtype) {
    case "bool":
      return `((${word} & 0xffu) != 0u)`;
    case "int8":
    case "int16":
    case "int32":
      return wrapped(dtype, `bitcast<i32>(${word})`);
    case "uint8":
    case "uint16":
    case "uint32":
      return wrapped(dtype, word);
    case "float16":
      return `f16_unpack(${word} & 0xffffu)`;
    case "bfloat16":
      return `(${word} << 16u)`;
    case "float32":
      return word;
    default:
      return dtype satisfies never;
  }
}

export type IntegerDType = "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32";

/** Brings an `i32` or `u32` back into the range of a narrower integer. */
export function wrapped(dtype: IntegerDType, x: string): string {
  switch (dtype) {
    case "int8":
      return `((${x} << 24u) >> 24u)`;
    case "int16":
      return `((${x} << 16u) >> 16u)`;
    case "uint8":
      return `(${x} & 0xffu)`;
    case "uint16":
      return `(${x} & 0xffffu)`;
    case "int32":
    case "uint32":
      return x;
    default:
      return dtype satisfies never;
  }
}

export type FloatDType = "float16" | "bfloat16" | "float32";

/** Rounds a float32 pattern into the format. */
export function rounded(dtype: FloatDType, x: string): string {
  switch (dtype) {
    case "float16":
      return `f16_round(${x})`;
    case "bfloat16":
      return `bf16_round(${x})`;
    case "float32":
      return x;
    default:
      return dtype satisfies never;
  }
}

/** Any value as one `u32`, for scratch memory; `fromWordText` gives it back. */
export function toWordText(dtype: ShaderDType, x: string): string {
  const type = wgslType(dtype);
  return type === "bool" ? `select(0u, 1u, ${x})` : type === "i32" ? `bitcast<u32>(${x})` : x;
}
export function fromWordText(dtype: ShaderDType, word: string): string {
  const type = wgslType(dtype);
  return type === "bool" ? `(${word} != 0u)` : type === "i32" ? `bitcast<i32>(${word})` : word;
}

/**
 * Element types. Names and promotion kinds are NumPy's and JAX's.
 *
 * A value of a dtype is held in three ways, and this file is where they meet:
 *  - in memory (`storageArray`): little-endian bytes; bool is one byte 0/1, float16 and bfloat16
 *    are their 16-bit patterns in a Uint16Array;
 *  - in a plan (`Bits`): two unsigned 32-bit words, so that −0, NaN payloads and 64-bit integers
 *    survive any serialiser;
 *  - as a JS value (`toBits`/`fromBits`): number, bigint for the 64-bit integers, boolean for bool.
 */

export type DType =
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64";

export const bool: "bool" = "bool";
export const i8: "int8" = "int8";
export const i16: "int16" = "int16";
export const i32: "int32" = "int32";
export const i64: "int64" = "int64";
export const u8: "uint8" = "uint8";
export const u16: "uint16" = "uint16";
export const u32: "uint32" = "uint32";
export const u64: "uint64" = "uint64";
export const f16: "float16" = "float16";
export const bf16: "bfloat16" = "bfloat16";
export const f32: "float32" = "float32";
export const f64: "float64" = "float64";

export type DTypeKind = "bool" | "int" | "uint" | "float";

interface DTypeFacts {
  readonly kind: DTypeKind;
  readonly bytes: 1 | 2 | 4 | 8;
  /** Short name, as in `f32`. */
  readonly short: string;
}

const fact = (kind: DTypeKind, bytes: DTypeFacts["bytes"], short: string): DTypeFacts => ({
  kind,
  bytes,
  short,
});

const facts: { readonly [D in DType]: DTypeFacts } = {
  bool: fact("bool", 1, "bool"),
  int8: fact("int", 1, "i8"),
  int16: fact("int", 2, "i16"),
  int32: fact("int", 4, "i32"),
  int64: fact("int", 8, "i64"),
  uint8: fact("uint", 1, "u8"),
  uint16: fact("uint", 2, "u16"),
  uint32: fact("uint", 4, "u32"),
  uint64: fact("uint", 8, "u64"),
  float16: fact("float", 2, "f16"),
  bfloat16: fact("float", 2, "bf16"),
  float32: fact("float", 4, "f32"),
  float64: fact("float", 8, "f64"),
};

export const dtypes: readonly DType[] = Object.keys(facts) as DType[];

export const isDType = (name: unknown): name is DType =>
  typeof name === "string" && Object.hasOwn(facts, name);
export const kindOf = (dtype: DType): DTypeKind => facts[dtype].kind;
export const itemSize = (dtype: DType): 1 | 2 | 4 | 8 => facts[dtype].bytes;
export const shortName = (dtype: DType): string => facts[dtype].short;
export const isFloat = (dtype: DType): boolean => facts[dtype].kind === "float";
/** Signed or unsigned integer; bool is not one. */
export const isInteger = (dtype: DType): boolean =>
  facts[dtype].kind === "int" || facts[dtype].kind === "uint";
export const isSigned = (dtype: DType): boolean => facts[dtype].kind === "int";
export const is64BitInteger = (dtype: DType): boolean => dtype === "int64" || dtype === "uint64";

/** The unsigned integer dtype of the same width: the form in which bits are moved untouched. */
export function bitsDType(dtype: DType): "uint8" | "uint16" | "uint32" | "uint64" {
  const byWidth = { 1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64" } as const;
  return byWidth[itemSize(dtype)];
}

export type StorageArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

interface StorageClasses {
  readonly bool: Uint8ArrayConstructor;
  readonly int8: Int8ArrayConstructor;
  readonly int16: Int16ArrayConstructor;
  readonly int32: Int32ArrayConstructor;
  readonly int64: BigInt64ArrayConstructor;
  readonly uint8: Uint8ArrayConstructor;
  readonly uint16: Uint16ArrayConstructor;
  readonly uint32: Uint32ArrayConstructor;
  readonly uint64: BigUint64ArrayConstructor;
  readonly float16: Uint16ArrayConstructor;
  readonly bfloat16: Uint16ArrayConstructor;
  readonly float32: Float32ArrayConstructor;
  readonly float64: Float64ArrayConstructor;
}

const storage: StorageClasses = {
  bool: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};

export type StorageOf<D extends DType> = InstanceType<StorageClasses[D]>;

/** A zero-filled array, or a view of `buffer`, in the in-memory form of `dtype`. */
export function storageArray<D extends DType>(dtype: D, length: number): StorageOf<D>;
export function storageArray<D extends DType>(
  dtype: D,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): StorageOf<D>;
export function storageArray(
  dtype: DType,
  source: number | ArrayBufferLike,
  byteOffset?: number,
  length?: number,
): StorageArray {
  const Constructor = storage[dtype];
  return typeof source === "number"
    ? new Constructor(source)
    : new Constructor(source as ArrayBuffer, byteOffset, length);
}

/** The typed-array class that holds `dtype` in memory. */
export const storageClass = (dtype: DType): StorageClasses[DType] => storage[dtype];

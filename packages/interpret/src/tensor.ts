/**
 * Tensors in host memory, and the one routine that moves their elements.
 *
 * Whatever only moves elements works on their bit patterns (`bitsOf`), because a JS number does not
 * carry the payload of a NaN, and a 16-bit float not even its value.
 */
import {
  type Bits,
  bitsDType,
  type DType,
  fromBits,
  isFloat,
  type Lanes,
  loadLanes,
  type ScalarValue,
  type StorageArray,
  storageArray,
  storeLanes,
  toBits,
} from "@gridfuse/graph";

/** A tensor in host memory: row-major, in the in-memory form of its dtype. Never written after it is made. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: StorageArray;
}

/** A tensor's elements as unsigned integers. Typed as one class; 64-bit elements are bigints that only ever get copied. */
export type BitArray = Uint32Array;

export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((count, dim) => count * dim, 1);

/** Element strides of a row-major array. */
export function stridesOf(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

/** A tensor of zero bits. */
export const zeros = (dtype: DType, shape: readonly number[]): HostTensor => ({
  dtype,
  shape,
  data: storageArray(dtype, sizeOf(shape)),
});

/** The elements' bits, in the same memory. */
export function bitsOf({ dtype, data }: HostTensor): BitArray {
  const bits = bitsDType(dtype);
  return storageArray(bits, data.buffer, data.byteOffset, data.length) as unknown as BitArray;
}

/** One bit pattern as an element of `bitsOf`. */
export function bitElement(dtype: DType, { lo, hi }: Bits): number {
  if (bitsDType(dtype) !== "uint64") return lo;
  return ((BigInt(hi) << 32n) | BigInt(lo)) as unknown as number;
}

/** A tensor with every element the same. */
export function filled(dtype: DType, shape: readonly number[], bits: Bits): HostTensor {
  const tensor = zeros(dtype, shape);
  bitsOf(tensor).fill(bitElement(dtype, bits));
  return tensor;
}

/** A tensor of the given elements, rounded or wrapped to `dtype`. */
export function tensorOf(
  dtype: DType,
  shape: readonly number[],
  values: Iterable<ScalarValue>,
): HostTensor {
  const elements = [...values];
  if (elements.length !== sizeOf(shape)) {
    throw new RangeError(`${elements.length} elements for shape [${shape.join(", ")}]`);
  }
  const tensor = zeros(dtype, shape);
  const bits = bitsOf(tensor);
  for (const [i, value] of elements.entries()) bits[i] = bitElement(dtype, toBits(dtype, value));
  return tensor;
}

export const scalarOf = (dtype: DType, value: ScalarValue): HostTensor =>
  tensorOf(dtype, [], [value]);

/** The elements as JS values: booleans, numbers, or bigints for the 64-bit integers. */
export function valuesOf({ dtype, data }: HostTensor): ScalarValue[] {
  if (dtype === "bool") return Array.from(data as Uint8Array, (value) => value !== 0);
  if (dtype === "float16" || dtype === "bfloat16") {
    return Array.from(data as Uint16Array, (lo) => fromBits(dtype, { lo, hi: 0 }));
  }
  return Array.from(data as Float64Array);
}

/** The elements as integers: indices of any integer dtype, or bool. */
export const integersOf = ({ data }: HostTensor): number[] =>
  Array.from(data as Float64Array, (value) => Number(value));

/** The one element of a scalar, as an integer. */
export const integerOf = (tensor: HostTensor): number => Number(tensor.data[0]);

/** The elements as plain JS computes on them (16-bit floats widened). */
export const lanesOf = ({ dtype, data }: HostTensor): Lanes =>
  loadLanes(dtype, data, 0, data.length);

/** A tensor of what arithmetic computed. A NaN gets the canonical bits: its own say nothing. */
export function fromLanes(dtype: DType, shape: readonly number[], from: Lanes): HostTensor {
  const tensor = zeros(dtype, shape);
  storeLanes(dtype, from, tensor.data, 0);
  canonicaliseNaNs(tensor, from);
  return tensor;
}

/** Gives canonical bits to the elements of `tensor` whose lane is NaN; lane i belongs to element start + i. */
export function canonicaliseNaNs(tensor: HostTensor, from: Lanes, start: number = 0): void {
  if (!isFloat(tensor.dtype)) return;
  const canonical = bitElement(tensor.dtype, canonicalNaN(tensor.dtype));
  const bits = bitsOf(tensor);
  for (let i = 0; i < from.length; i++) {
    if (Number.isNaN(from[i] as number)) bits[start + i] = canonical;
  }
}

/** The quiet NaN with sign and payload zero, e.g. 0x7fc00000 for float32. */
export function canonicalNaN(dtype: DType): Bits {
  switch (dtype) {
    case "float16":
      return { lo: 0x7e00, hi: 0 };
    case "bfloat16":
      return { lo: 0x7fc0, hi: 0 };
    case "float32":
      return { lo: 0x7fc00000, hi: 0 };
    default:
      return { lo: 0, hi: 0x7ff80000 };
  }
}

/** The same elements under another shape. */
export const reshaped = ({ dtype, data }: HostTensor, shape: readonly number[]): HostTensor => ({
  dtype,
  shape,
  data,
});

/** A tensor of its own memory. */
export const copied = ({ dtype, shape, data }: HostTensor): HostTensor => ({
  dtype,
  shape,
  data: data.slice(),
});

/** Calls `visit` for every coordinate of `shape` in row-major order; the array is reused. */
export function forEachCoordinate(
  shape: readonly number[],
  visit: (at: readonly number[], flat: number) => void,
): void {
  const count = sizeOf(shape);
  const at = new Array<number>(shape.length).fill(0);
  for (let flat = 0; flat < count; flat++) {
    visit(at, flat);
    for (let d = shape.length - 1; d >= 0; d--) {
      at[d]++;
      if (at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
}

/** Where a box of elements lies in an array: base + Σ coordinate·stride. */
export interface Placement {
  readonly base: number;
  readonly strides: readonly number[];
}

/** Element offsets of a box, in row-major order of its coordinates. */
export function offsetsOf(extents: readonly number[], { base, strides }: Placement): Int32Array {
  const offsets = new Int32Array(sizeOf(extents));
  const last = extents.length - 1;
  const inner = last < 0 ? 1 : extents[last];
  const step = last < 0 ? 0 : strides[last];
  if (inner === 0) return offsets;
  forEachCoordinate(extents.slice(0, -1), (at, row) => {
    let offset = base;
    for (let d = 0; d < last; d++) offset += at[d] * strides[d];
    for (let i = 0; i < inner; i++) offsets[row * inner + i] = offset + i * step;
  });
  return offsets;
}

/** to[place] = from[place] for every coordinate of a box. */
export function copyBox(
  extents: readonly number[],
  from: BitArray,
  fromPlace: Placement,
  to: BitArray,
  toPlace: Placement,
): void {
  const sources = offsetsOf(extents, fromPlace);
  const targets = offsetsOf(extents, toPlace);
  for (let i = 0; i < sources.length; i++) to[targets[i]] = from[sources[i]];
}

/** The whole of a row-major array. */
export const wholeOf = (shape: readonly number[]): Placement => ({
  base: 0,
  strides: stridesOf(shape),
});

/** The box that starts at `start` in a row-major array of `shape`. */
export function boxAt(shape: readonly number[], start: readonly number[]): Placement {
  const strides = stridesOf(shape);
  return { base: start.reduce((base, at, d) => base + at * strides[d], 0), strides };
}

/** Tensors from nothing: filled, counted, or from data of the host. */
import { BuildError } from "@gridfuse/plan/errors";
import {
  type DType,
  fromBits,
  isFloat,
  type StorageArray,
  storageArray,
  toBits,
} from "@gridfuse/plan/scalar";
import type { Dim, Shape } from "../ir/types.ts";
import { requireInRange, tensorOf } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import type { Tensor } from "../tensor.ts";

/** Every element is `value`. */
export function full<D extends DType, const S extends Shape>(
  dtype: D,
  shape: S,
  value: number | bigint | boolean,
): Tensor<D, S> {
  return traced("full", (scope) => {
    requireInRange("full", value, dtype);
    return tensorOf(scope, scope.emitter.full(dtype, requireDims("full", shape), value));
  }) as unknown as Tensor<D, S>;
}
export const zeros = <D extends DType, const S extends Shape>(dtype: D, shape: S): Tensor<D, S> =>
  traced("zeros", () => full(dtype, shape, 0)) as Tensor<D, S>;
export const ones = <D extends DType, const S extends Shape>(dtype: D, shape: S): Tensor<D, S> =>
  traced("ones", () => full(dtype, shape, 1)) as Tensor<D, S>;
/** Every element is `value`; shape and dtype are those of `x`. */
export const fullLike = <T extends Tensor>(
  x: T,
  value: number | bigint | boolean,
): Tensor<T["dtype"], T["shape"]> =>
  traced("fullLike", () => full(x.dtype, x.shape, value)) as unknown as Tensor<
    T["dtype"],
    T["shape"]
  >;

/** Each element is its own index along `dimension`. */
export function iota<D extends DType, const S extends Shape>(
  dtype: D,
  shape: S,
  dimension = 0,
): Tensor<D, S> {
  return traced("iota", (scope) =>
    tensorOf(scope, scope.emitter.iota(dtype, requireDims("iota", shape), dimension)),
  ) as unknown as Tensor<D, S>;
}

/** 0, 1, …, count − 1. */
export const arange = <const N extends Dim, D extends DType = "int32">(
  count: N,
  dtype?: D,
): Tensor<D, readonly [N]> =>
  traced("arange", () => iota(dtype ?? "int32", [count], 0)) as unknown as Tensor<D, readonly [N]>;

/** @throws BuildError GF2307 on a size that is not a whole number ≥ 0 or a name */
export function requireDims(name: string, shape: Shape): Shape {
  for (const dim of shape) {
    const fits = typeof dim === "string" ? dim !== "" : Number.isSafeInteger(dim) && dim >= 0;
    if (fits) continue;
    throw new BuildError("GF2307", `${name}: ${String(dim)} is not a size`, {
      expected: "a whole number ≥ 0, or the name of a dim",
      received: dim,
      help: Number.isFinite(dim as number)
        ? "sizes are whole: round up with `cdiv(n, block)`"
        : "did a division by zero or a missing argument get here?",
    });
  }
  return shape;
}

type Nested = number | bigint | boolean | readonly Nested[];

/**
 * A tensor of known elements: numbers, nested arrays of numbers, or a typed array with a shape.
 * The dtype of numbers is int32 where all are whole, else float32.
 */
export function constant<D extends DType = DType>(
  data: Nested | StorageArray,
  options: { readonly dtype?: D; readonly shape?: readonly number[] } = {},
): Tensor<D> {
  return traced("constant", (scope) => {
    checked("constant", options, dataOptions);
    const { values, shape, dtype } = isTypedArray(data)
      ? fromTypedArray(data, options)
      : fromNested(data, options);
    if (shape.length === 0) {
      const bits = toBits(dtype, values[0] as number);
      return tensorOf(scope, scope.emitter.emit("full", [], { dtype, shape, bits }));
    }
    const stored = store(dtype, values);
    return tensorOf(scope, scope.emitter.emit("constant", [], { dtype, shape, data: stored }));
  }) as Tensor<D>;
}

interface Data {
  readonly values: ArrayLike<number | bigint | boolean>;
  readonly shape: readonly number[];
  readonly dtype: DType;
}
interface DataOptions {
  readonly dtype?: DType;
  readonly shape?: readonly number[];
}
const dataOptions: OptionNames<DataOptions> = { dtype: true, shape: true };

const isTypedArray = (data: unknown): data is StorageArray =>
  ArrayBuffer.isView(data) && !(data instanceof DataView);

const classDType: { readonly [name: string]: DType } = {
  Uint8Array: "uint8",
  Int8Array: "int8",
  Uint16Array: "uint16",
  Int16Array: "int16",
  Uint32Array: "uint32",
  Int32Array: "int32",
  Float32Array: "float32",
  BigInt64Array: "int64",
  BigUint64Array: "uint64",
};

function fromTypedArray(data: StorageArray, options: DataOptions): Data {
  // A Float64Array is JavaScript's plain array of numbers; float64 has to be asked for.
  const own = classDType[data.constructor.name] ?? "float32";
  const shape = options.shape ?? [data.length];
  requireCount(shape, data.length);
  return { values: data, shape, dtype: options.dtype ?? own };
}

function fromNested(data: Nested, options: DataOptions): Data {
  const nested: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0] as Nested)
    nested.push(level.length);
  const values: (number | bigint | boolean)[] = [];
  flattenInto(values, data, nested, 0);
  const shape = options.shape ?? nested;
  requireCount(shape, values.length);
  return { values, shape, dtype: options.dtype ?? guessDType(values) };
}

function flattenInto(
  values: (number | bigint | boolean)[],
  data: Nested,
  shape: readonly number[],
  depth: number,
): void {
  if (depth === shape.length && !Array.isArray(data)) {
    values.push(data as number);
    return;
  }
  if (!Array.isArray(data) || data.length !== shape[depth]) {
    throw new BuildError("GF2308", `constant: rows of different lengths at depth ${depth}`, {
      expected: shape[depth],
      received: Array.isArray(data) ? data.length : data,
      help: "give every row the same number of elements",
    });
  }
  for (const inner of data) flattenInto(values, inner as Nested, shape, depth + 1);
}

function requireCount(shape: readonly number[], count: number): void {
  const wanted = shape.reduce((product, dim) => product * dim, 1);
  if (wanted === count) return;
  throw new BuildError("GF2308", `constant: ${count} elements for shape [${shape.join(", ")}]`, {
    expected: wanted,
    received: count,
    help: "the product of the shape is the number of elements",
  });
}

function guessDType(values: readonly (number | bigint | boolean)[]): DType {
  if (values.length === 0) return "float32";
  if (values.every((v) => typeof v === "boolean")) return "bool";
  if (values.some((v) => typeof v === "number" && !Number.isInteger(v))) return "float32";
  return "int32";
}

/** Elements in the in-memory form of `dtype`. */
function store(dtype: DType, values: ArrayLike<number | bigint | boolean>): StorageArray {
  const out = storageArray(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    requireInRange("constant", value, dtype);
    const bits = toBits(dtype, value);
    const raw = isFloat(dtype) && out.BYTES_PER_ELEMENT === 2 ? bits.lo : fromBits(dtype, bits);
    out[i] = (typeof raw === "boolean" ? Number(raw) : raw) as never;
  }
  return out;
}

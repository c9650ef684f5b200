/** Types of the values that flow through a program. */
import type { DType } from "@gridfuse/plan/scalar";

/** A size, or the name of a dimension whose size is bound at `compile`. */
export type Dim = number | string;
export type Shape = readonly Dim[];

export interface TensorType {
  readonly kind: "tensor";
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Where a ref lives. Only `any`/`hbm` matter to meaning (whole arrays); the others are hints. */
export type MemorySpace = "any" | "hbm" | "vmem" | "smem";

/** Mutable memory inside a kernel; exists at the kernel level only. */
export interface RefType {
  readonly kind: "ref";
  readonly dtype: DType;
  readonly shape: Shape;
  readonly space: MemorySpace;
}

export type ValueType = TensorType | RefType;

export const tensorType = (dtype: DType, shape: Shape): TensorType => ({
  kind: "tensor",
  dtype,
  shape,
});

export const refType = (dtype: DType, shape: Shape, space: MemorySpace): RefType => ({
  kind: "ref",
  dtype,
  shape,
  space,
});

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d += 1) if (a[d] !== b[d]) return false;
  return true;
}

export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** Number of elements; every dim must be a size. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (let d = 0; d < shape.length; d += 1) {
    const dim = shape[d] as Dim;
    if (typeof dim !== "number") throw new TypeError(`dimension "${dim}" is not bound to a size`);
    count *= dim;
  }
  return count;
}

/** The shape as sizes; every dim must be bound. */
export function sizes(shape: Shape): readonly number[] {
  elementCount(shape);
  return shape as readonly number[];
}

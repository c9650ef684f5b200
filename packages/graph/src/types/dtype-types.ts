/**
 * JAX's promotion lattice over dtype names, at the type level. `promote.ts` is the same at run time;
 * a test compares the two.
 */
import type { DType } from "@gridfuse/plan/scalar";

export type FloatDType = "float16" | "bfloat16" | "float32" | "float64";
export type IntegerDType =
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type IsUnion<A, Whole = A> = A extends unknown
  ? Same<A, Whole> extends true
    ? false
    : true
  : never;

type PromoteFloats<A extends FloatDType, B extends FloatDType> = "float64" extends A | B
  ? "float64"
  : "float32";

/** Which signed integer holds both. */
type Signed = {
  int8: {
    int8: "int8";
    int16: "int16";
    int32: "int32";
    int64: "int64";
    uint8: "int16";
    uint16: "int32";
    uint32: "int64";
    uint64: "float32";
  };
  int16: {
    int8: "int16";
    int16: "int16";
    int32: "int32";
    int64: "int64";
    uint8: "int16";
    uint16: "int32";
    uint32: "int64";
    uint64: "float32";
  };
  int32: {
    int8: "int32";
    int16: "int32";
    int32: "int32";
    int64: "int64";
    uint8: "int32";
    uint16: "int32";
    uint32: "int64";
    uint64: "float32";
  };
  int64: {
    int8: "int64";
    int16: "int64";
    int32: "int64";
    int64: "int64";
    uint8: "int64";
    uint16: "int64";
    uint32: "int64";
    uint64: "float32";
  };
};
type Unsigned = {
  uint8: { uint8: "uint8"; uint16: "uint16"; uint32: "uint32"; uint64: "uint64" };
  uint16: { uint8: "uint16"; uint16: "uint16"; uint32: "uint32"; uint64: "uint64" };
  uint32: { uint8: "uint32"; uint16: "uint32"; uint32: "uint32"; uint64: "uint64" };
  uint64: { uint8: "uint64"; uint16: "uint64"; uint32: "uint64"; uint64: "uint64" };
};
type PromoteIntegers<A extends IntegerDType, B extends IntegerDType> = A extends keyof Signed
  ? Signed[A][B]
  : B extends keyof Signed
    ? Signed[B][A]
    : A extends keyof Unsigned
      ? B extends keyof Unsigned
        ? Unsigned[A][B]
        : never
      : never;

/** dtype of an op of `A` and `B`; `DType` where they are not known. */
export type Promote<A extends DType, B extends DType> =
  Same<A, B> extends true
    ? A
    : true extends IsUnion<A> | IsUnion<B>
      ? DType
      : A extends "bool"
        ? B
        : B extends "bool"
          ? A
          : A extends FloatDType
            ? B extends FloatDType
              ? PromoteFloats<A, B>
              : A
            : B extends FloatDType
              ? B
              : A extends IntegerDType
                ? B extends IntegerDType
                  ? PromoteIntegers<A, B>
                  : never
                : never;

/** Whether a JS number is written with a fraction or exponent; `boolean` where it is not a literal. */
type HasFraction<N extends number> = number extends N
  ? boolean
  : `${N}` extends `${string}.${string}` | `${string}e-${string}`
    ? true
    : false;

/** dtype of a tensor of `D` with a literal: weak, so that only the kind can move. */
export type PromoteLiteral<D extends DType, L> = L extends boolean
  ? D
  : L extends bigint
    ? D extends "bool"
      ? "int32"
      : D
    : L extends number
      ? D extends FloatDType
        ? D
        : HasFraction<L> extends false
          ? D extends "bool"
            ? "int32"
            : D
          : HasFraction<L> extends true
            ? "float32"
            : D | "float32"
      : never;

/** dtype that a function of reals gives: integers and bool become float32. */
export type FloatOf<D extends DType> = D extends FloatDType ? D : "float32";

import { type DType, dtypes } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PromotedType, promoteTypes } from "../src/promote.ts";

/** The table of JAX's documentation; `i*` and `f*` are weak and resolve to int32 and float32. */
const table = `
      b1  u8  u16 u32 u64 i8  i16 i32 i64 bf  f16 f32 f64 i*  f*
b1    b1  u8  u16 u32 u64 i8  i16 i32 i64 bf  f16 f32 f64 i*  f*
u8    u8  u8  u16 u32 u64 i16 i16 i32 i64 bf  f16 f32 f64 u8  f*
u16   u16 u16 u16 u32 u64 i32 i32 i32 i64 bf  f16 f32 f64 u16 f*
u32   u32 u32 u32 u32 u64 i64 i64 i64 i64 bf  f16 f32 f64 u32 f*
u64   u64 u64 u64 u64 u64 f*  f*  f*  f*  bf  f16 f32 f64 u64 f*
i8    i8  i16 i32 i64 f*  i8  i16 i32 i64 bf  f16 f32 f64 i8  f*
i16   i16 i16 i32 i64 f*  i16 i16 i32 i64 bf  f16 f32 f64 i16 f*
i32   i32 i32 i32 i64 f*  i32 i32 i32 i64 bf  f16 f32 f64 i32 f*
i64   i64 i64 i64 i64 f*  i64 i64 i64 i64 bf  f16 f32 f64 i64 f*
bf    bf  bf  bf  bf  bf  bf  bf  bf  bf  bf  f32 f32 f64 bf  bf
f16   f16 f16 f16 f16 f16 f16 f16 f16 f16 f32 f16 f32 f64 f16 f16
f32   f32 f32 f32 f32 f32 f32 f32 f32 f32 f32 f32 f32 f64 f32 f32
f64   f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64 f64
i*    i*  u8  u16 u32 u64 i8  i16 i32 i64 bf  f16 f32 f64 i*  f*
f*    f*  f*  f*  f*  f*  f*  f*  f*  f*  bf  f16 f32 f64 f*  f*
`;

const strong = (dtype: DType): PromotedType => ({ dtype, weak: false });
const weak = (dtype: DType): PromotedType => ({ dtype, weak: true });
const types: { readonly [name: string]: PromotedType } = {
  b1: strong("bool"),
  u8: strong("uint8"),
  u16: strong("uint16"),
  u32: strong("uint32"),
  u64: strong("uint64"),
  i8: strong("int8"),
  i16: strong("int16"),
  i32: strong("int32"),
  i64: strong("int64"),
  bf: strong("bfloat16"),
  f16: strong("float16"),
  f32: strong("float32"),
  f64: strong("float64"),
  "i*": weak("int32"),
  "f*": weak("float32"),
};

const [header, ...rows] = table
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/\s+/)) as [string[], ...string[][]];

const anyType = fc.record({ dtype: fc.constantFrom(...dtypes), weak: fc.boolean() });

describe("promoteTypes", () => {
  it.each(rows)("meets %s as JAX's table says", (own, ...expected) => {
    const met = header.map((other) => promoteTypes(types[own]!, types[other]!));
    expect(met).toEqual(expected.map((name) => types[name]));
  });

  it("covers every pair of dtypes", () => {
    expect(rows).toHaveLength(dtypes.length + 2);
    expect(rows.every((row) => row.length === dtypes.length + 3)).toBe(true);
  });

  it("commutes", () => {
    fc.assert(
      fc.property(anyType, anyType, (a, b) => {
        expect(promoteTypes(a, b)).toEqual(promoteTypes(b, a));
      }),
    );
  });

  it("is idempotent, and bool is never weak", () => {
    fc.assert(
      fc.property(anyType, (a) => {
        expect(promoteTypes(a, a)).toEqual({ ...a, weak: a.weak && a.dtype !== "bool" });
      }),
    );
  });

  it("makes float64 of float64 only", () => {
    fc.assert(
      fc.property(anyType, anyType, (a, b) => {
        fc.pre(a.dtype !== "float64" && b.dtype !== "float64");
        expect(promoteTypes(a, b).dtype).not.toBe("float64");
      }),
    );
  });
});

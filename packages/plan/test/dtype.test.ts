import { describe, expect, it } from "vitest";
import {
  bitsDType,
  dtypes,
  is64BitInteger,
  isDType,
  isFloat,
  isInteger,
  isSigned,
  itemSize,
  kindOf,
  shortName,
  storageArray,
  storageClass,
} from "../src/dtype.ts";

describe("dtypes", () => {
  it("are told apart by kind", () => {
    const byKind = membersByKind();
    expect(byKind).toEqual({
      bool: ["bool"],
      int: ["int8", "int16", "int32", "int64"],
      uint: ["uint8", "uint16", "uint32", "uint64"],
      float: ["float16", "bfloat16", "float32", "float64"],
    });
  });

  it("have predicates that agree with the kind", () => {
    for (const dtype of dtypes) {
      expect(isFloat(dtype)).toBe(kindOf(dtype) === "float");
      expect(isSigned(dtype)).toBe(kindOf(dtype) === "int");
      expect(isInteger(dtype)).toBe(kindOf(dtype) === "int" || kindOf(dtype) === "uint");
      expect(is64BitInteger(dtype)).toBe(isInteger(dtype) && itemSize(dtype) === 8);
      expect(isDType(dtype)).toBe(true);
    }
    expect(["float", "constructor", 3, undefined].some(isDType)).toBe(false);
  });

  it("are stored in arrays of their size", () => {
    for (const dtype of dtypes) {
      const array = storageArray(dtype, 3);
      expect(array.BYTES_PER_ELEMENT).toBe(itemSize(dtype));
      expect(array).toBeInstanceOf(storageClass(dtype));
      expect(Array.from(array, Number)).toEqual([0, 0, 0]);
    }
  });

  it("move as unsigned integers of their width", () => {
    for (const dtype of dtypes) {
      expect(itemSize(bitsDType(dtype))).toBe(itemSize(dtype));
      expect(kindOf(bitsDType(dtype))).toBe("uint");
    }
  });

  it("have distinct short names", () => {
    expect(dtypes.map(shortName).join(" ")).toBe(
      "bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64",
    );
  });

  it("view a buffer in place", () => {
    const buffer = new ArrayBuffer(16);
    storageArray("int32", buffer, 4, 2).set([-1, 7]);
    expect(Array.from(storageArray("uint32", buffer, 0, 4))).toEqual([0, 0xffffffff, 7, 0]);
  });
});

function membersByKind(): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const dtype of dtypes) {
    const members = groups[kindOf(dtype)] ?? [];
    members.push(dtype);
    groups[kindOf(dtype)] = members;
  }
  return groups;
}

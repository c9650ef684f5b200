/** The promotion of dtypes in the types and the one at run time, held against one table. */
import { type DType, dtypes } from "@gridfuse/plan/scalar";
import { describe, expect, it } from "vitest";
import { promoteDTypes } from "../src/index.ts";
import type { Promote } from "../src/types/dtype-types.ts";

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** The type-level table, in which an unknown dtype is a mistake. */
type Promoted = {
  readonly [A in DType]: {
    readonly [B in DType]: Equal<Promote<A, B>, DType> extends true ? never : Promote<A, B>;
  };
};

// biome-ignore format: a table
const table = {
  bool: { bool: "bool", int8: "int8", int16: "int16", int32: "int32", int64: "int64", uint8: "uint8", uint16: "uint16", uint32: "uint32", uint64: "uint64", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  int8: { bool: "int8", int8: "int8", int16: "int16", int32: "int32", int64: "int64", uint8: "int16", uint16: "int32", uint32: "int64", uint64: "float32", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  int16: { bool: "int16", int8: "int16", int16: "int16", int32: "int32", int64: "int64", uint8: "int16", uint16: "int32", uint32: "int64", uint64: "float32", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  int32: { bool: "int32", int8: "int32", int16: "int32", int32: "int32", int64: "int64", uint8: "int32", uint16: "int32", uint32: "int64", uint64: "float32", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  int64: { bool: "int64", int8: "int64", int16: "int64", int32: "int64", int64: "int64", uint8: "int64", uint16: "int64", uint32: "int64", uint64: "float32", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  uint8: { bool: "uint8", int8: "int16", int16: "int16", int32: "int32", int64: "int64", uint8: "uint8", uint16: "uint16", uint32: "uint32", uint64: "uint64", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  uint16: { bool: "uint16", int8: "int32", int16: "int32", int32: "int32", int64: "int64", uint8: "uint16", uint16: "uint16", uint32: "uint32", uint64: "uint64", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  uint32: { bool: "uint32", int8: "int64", int16: "int64", int32: "int64", int64: "int64", uint8: "uint32", uint16: "uint32", uint32: "uint32", uint64: "uint64", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  uint64: { bool: "uint64", int8: "float32", int16: "float32", int32: "float32", int64: "float32", uint8: "uint64", uint16: "uint64", uint32: "uint64", uint64: "uint64", float16: "float16", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  float16: { bool: "float16", int8: "float16", int16: "float16", int32: "float16", int64: "float16", uint8: "float16", uint16: "float16", uint32: "float16", uint64: "float16", float16: "float16", bfloat16: "float32", float32: "float32", float64: "float64" },
  bfloat16: { bool: "bfloat16", int8: "bfloat16", int16: "bfloat16", int32: "bfloat16", int64: "bfloat16", uint8: "bfloat16", uint16: "bfloat16", uint32: "bfloat16", uint64: "bfloat16", float16: "float32", bfloat16: "bfloat16", float32: "float32", float64: "float64" },
  float32: { bool: "float32", int8: "float32", int16: "float32", int32: "float32", int64: "float32", uint8: "float32", uint16: "float32", uint32: "float32", uint64: "float32", float16: "float32", bfloat16: "float32", float32: "float32", float64: "float64" },
  float64: { bool: "float64", int8: "float64", int16: "float64", int32: "float64", int64: "float64", uint8: "float64", uint16: "float64", uint32: "float64", uint64: "float64", float16: "float64", bfloat16: "float64", float32: "float64", float64: "float64" },
} as const satisfies Promoted;

describe("promotion", () => {
  it.each(dtypes)("of %s is the same in the types and at run time", (a) => {
    for (const b of dtypes) expect(promoteDTypes(a, b)).toBe(table[a][b]);
  });
});

import {
  type DType,
  evaluateScalar,
  fromBits,
  isFloat,
  itemSize,
  ScalarBuilder,
  type ScalarValue,
  toBits,
} from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OpName } from "../../src/ir/vocabulary.ts";
import { definitionOf, opNames } from "../../src/ops/table.ts";
import { dtypesOf, uniformParamsOf } from "./samples.ts";

/** Any bit pattern of the dtype, special values often. */
function anyValue(dtype: DType): fc.Arbitrary<ScalarValue> {
  if (dtype === "bool") return fc.boolean();
  const words = fc.bigInt({ min: 0n, max: (1n << BigInt(itemSize(dtype) * 8)) - 1n });
  const patterns = words.map((word) =>
    fromBits(dtype, { lo: Number(word & 0xffffffffn), hi: Number(word >> 32n) }),
  );
  const specials = isFloat(dtype)
    ? [0, -0, 1, -1, Infinity, -Infinity, Number.NaN]
    : [0n, 1n, -1n].map((x) => fromBits(dtype, toBits(dtype, x)));
  return fc.oneof(patterns, fc.constantFrom(...specials));
}

function apply(op: OpName, dtype: DType, ...operands: readonly ScalarValue[]): ScalarValue {
  const b = new ScalarBuilder();
  const args = operands.map((_, i) => b.argument(dtype, i));
  const root = definitionOf(op).scalar!(b, args, uniformParamsOf(op), dtype);
  const results = evaluateScalar(b.nodes, (node) =>
    node.op === "argument" ? (operands[node.index] as ScalarValue) : 0,
  );
  return results[root] as ScalarValue;
}

const claims = opNames.flatMap((op) => {
  const facts = definitionOf(op).facts;
  return facts === undefined ? [] : dtypesOf(op).map((dtype) => ({ op, dtype, facts }));
});

describe("algebraic facts", () => {
  it.each(claims)("of $op on $dtype hold to the bit", ({ op, dtype, facts }) => {
    const value = anyValue(dtype);
    const isExact = !isFloat(dtype) || op === "max" || op === "min";
    fc.assert(
      fc.property(value, value, value, (x, y, z) => {
        if (facts.involution) expect(apply(op, dtype, apply(op, dtype, x))).toBe(x);
        if (facts.commutative) expect(apply(op, dtype, x, y)).toBe(apply(op, dtype, y, x));
        if (facts.idempotent) expect(apply(op, dtype, x, x)).toBe(x);
        if (facts.associative && isExact) {
          const left = apply(op, dtype, apply(op, dtype, x, y), z);
          expect(left).toBe(apply(op, dtype, x, apply(op, dtype, y, z)));
        }
        const identity = facts.identity?.(dtype);
        if (identity !== undefined) expect(apply(op, dtype, x, identity)).toBe(x);
      }),
      { numRuns: 60 },
    );
  });

  it("x + 0 is no identity on floats, where −0 + 0 is +0", () => {
    expect(apply("add", "float32", -0, 0)).toBe(0);
    expect(Object.is(definitionOf("add").facts!.identity!("float32"), -0)).toBe(true);
    expect(definitionOf("add").facts!.identity!("int32")).toBe(0);
  });
});

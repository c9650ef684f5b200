/** Regular lists of integers become index expressions; what is not regular is refused. */
import * as ix from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expressionOf } from "../src/reroll/lanes.ts";

const valuesOf = (list: readonly number[]): readonly number[] | undefined => {
  const e = expressionOf(list);
  return e && list.map((_, k) => ix.evaluate(e, { axis: () => k }));
};
const range = (count: number): number[] => Array.from({ length: count }, (_, k) => k);

describe("a list as an expression of its position", () => {
  it.each<[string, number[]]>([
    ["even steps", [5, 8, 11, 14, 17]],
    ["one number", [3, 3, 3]],
    ["a single element", [7]],
    ["nested steps", [0, 1, 8, 9, 16, 17]],
    ["a repeated lane", [0, 0, 1, 1, 4, 4, 5, 5]],
    ["backwards", [6, 4, 2, 0]],
    ["a rotation", [13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
  ])("%s", (_, list) => {
    expect(valuesOf(list)).toEqual(list);
  });

  it("every butterfly", () => {
    for (const bits of [1, 2, 3, 4]) {
      for (const mask of range(2 ** bits)) {
        const list = range(2 ** bits).map((k) => k ^ mask);
        expect(valuesOf(list)).toEqual(list);
      }
    }
  });

  it("whatever trades places by its bits", () => {
    const masks = fc
      .integer({ min: 1, max: 5 })
      .chain((bits) => fc.array(fc.nat(2 ** 8 - 1), { minLength: bits, maxLength: bits }));
    fc.assert(
      fc.property(masks, fc.nat(2 ** 8 - 1), (columns, first) => {
        const list = range(2 ** columns.length).map((k) =>
          columns.reduce((n, mask, j) => (((k >> j) & 1) === 0 ? n : n ^ mask), first),
        );
        expect(valuesOf(list)).toEqual(list);
      }),
    );
  });

  it("says what the list says, or nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { minLength: 1, maxLength: 8 }), (list) => {
        const values = valuesOf(list);
        if (values !== undefined) expect(values).toEqual(list);
      }),
    );
  });

  it("refuses what has no rule", () => {
    expect(expressionOf([0, 1, 4, 9, 16])).toBeUndefined();
  });
});

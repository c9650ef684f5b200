/** The float64 expansions against 400-bit arithmetic. */
import { describe, expect, it } from "vitest";
import { ulpBounds } from "../src/scalar/math/index.ts";
import * as real from "./big-float.ts";
import { exactFunctions, floorOf } from "./exact-functions.ts";
import { evaluateExpansion, expansionOf, random } from "./math-support.ts";

function worst(name: string): { error: number; at: number[] } {
  const [reference, samples] = exactFunctions[name] as (typeof exactFunctions)[string];
  const next = random(19851013);
  let found = { error: 0, at: [] as number[] };
  for (const samplers of samples) {
    const columns = samplers.map((sampler) =>
      Float64Array.from({ length: 60 }, () => sampler(next)),
    );
    const got = evaluateExpansion(expansionOf(name), "float64", columns);
    for (let i = 0; i < got.length; i++) {
      const at = columns.map((column) => column[i] as number);
      const value = got[i] as number;
      const expected = reference(...at.map(real.big));
      const overflows = real.isLess(real.big(Number.MAX_VALUE), real.abs(expected));
      const error = Number.isFinite(value)
        ? real.ulps(value, expected, real.shapes.float64, real.big(floorOf(name, at[0] as number)))
        : overflows
          ? 0
          : Infinity;
      if (error > found.error) found = { error, at };
    }
  }
  return found;
}

describe("float64 expansions stay within their bounds", () => {
  it("and every bound has a test", () => {
    expect(Object.keys(exactFunctions).sort()).toEqual(Object.keys(ulpBounds).sort());
  });

  it.each(Object.keys(exactFunctions))("%s", (name) => {
    const { error, at } = worst(name);
    expect(error, `${name}(${at.join(", ")})`).toBeLessThanOrEqual(ulpBounds[name]?.float64 ?? 0);
  });
});

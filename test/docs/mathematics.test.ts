/** The page on mathematics says what is so: what was measured keeps the bounds, and its tables hold known values. */
import { scalarMath } from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import page from "../../docs/reference/mathematics.data.ts";
import measured from "../../docs/reference/mathematics.json" with { type: "json" };

const { bounds, values } = page.load();

describe("the bounds", () => {
  it.each(Object.entries(measured))("of %s hold what was measured", (name, formats) => {
    for (const [format, { ulp }] of Object.entries(formats)) {
      const bound = scalarMath.ulpBounds[name]?.[format as "float32" | "float64"];
      if (bound !== undefined) expect(ulp, format).toBeLessThanOrEqual(bound);
    }
  });

  it("stand beside a measurement, in both formats", () => {
    const missing = bounds.filter(({ figures }) => figures.some(({ measured }) => measured === ""));
    // The one function that graphs do not know; packages/plan holds it.
    expect(missing.map(({ name }) => name)).toEqual(["logaddexp"]);
  });
});

describe("the special values", () => {
  const shownAt = (title: string, row: string, column: string): string | undefined => {
    const table = values.find((each) => each.title === title);
    const at = table?.columns.indexOf(column) ?? -1;
    return table?.rows.find(({ name }) => name === row)?.values[at];
  };

  it.each([
    ["One operand", "exp", "−∞", "0"],
    ["One operand", "sin", "−0", "−0"],
    ["One operand", "sin", "∞", "NaN"],
    ["One operand", "tanh", "s", "s"],
    ["One operand", "log", "−0", "−∞"],
    ["One operand", "rsqrt", "−0", "−∞"],
    ["One operand", "lgamma", "−1", "∞"],
    ["One operand", "erfInv", "1", "∞"],
    ["pow", "NaN", "0", "1"],
    ["pow", "1", "NaN", "1"],
    ["pow", "−0", "−1", "−∞"],
    ["pow", "−1", "−∞", "1"],
    ["atan2", "−0", "−1", "−3.1416"],
    ["atan2", "∞", "−∞", "2.3562"],
  ])("%s: %s at %s is %s", (title, row, column, expected) => {
    expect(shownAt(title, row, column)).toBe(expected);
  });
});

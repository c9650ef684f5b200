/**
 * Plans are the same every time, and their figures are those that stand in the snapshot: a change that costs a
 * kernel or memory is seen in its review. What else it does to plans, `npm run replay` shows.
 */
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unifiedDiff } from "./diff.ts";
import { readFigures } from "./files.ts";
import { examples, record } from "./snapshot.ts";

const figures = readFigures(fileURLToPath(new URL("fixtures", import.meta.url)));

describe("plans of the examples", () => {
  it("are all in the snapshot (npm run replay -- --update)", () => {
    expect(Object.keys(figures)).toEqual(examples.toSorted());
  });

  it.each(examples)("%s: has the figures of the snapshot, twice", (name) => {
    const once = record(name);
    expect(once.figures).toEqual(figures[name]);
    expect(record(name)).toEqual(once);
  });
});

describe("a unified diff", () => {
  const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 12 });

  it("leads from one text to the other", () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const whole = unifiedDiff(before.join("\n"), after.join("\n")).filter(
          (line) => line !== "  …",
        );
        const changes = (sign: string): string[] =>
          whole.filter((line) => line.startsWith(sign)).map((line) => line.slice(2));
        const count = (all: readonly string[], line: string): number =>
          all.filter((each) => each === line).length;
        for (const line of ["a", "b", "c", "d"]) {
          expect(count(after, line) - count(before, line)).toBe(
            count(changes("+"), line) - count(changes("-"), line),
          );
        }
      }),
    );
  });

  it("shows what changed among what stayed", () => {
    expect(unifiedDiff("a\nb\nc\nd\ne\nf\ng\nh\ni", "a\nb\nc\nd\ne\nf\ng\nx\ni")).toEqual([
      "  …",
      "  e",
      "  f",
      "  g",
      "- h",
      "+ x",
      "  i",
    ]);
    expect(unifiedDiff("a", "a")).toEqual([]);
  });
});

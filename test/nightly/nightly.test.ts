/** The long suites run, and find what is wrong: a few cases of each, and one that fails on purpose. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Coverage, showCoverage } from "../differential/support/kernels/coverage.ts";
import { suite, suites } from "./suites.ts";

describe.each(Object.entries(suites))("%s", (_, each) => {
  it("passes on a few cases and counts what they show", { timeout: 60_000 }, () => {
    const coverage: Coverage = new Map();
    expect(each.run(7, 5, coverage)).toBeUndefined();
    expect(showCoverage(coverage)).toMatch(/^ +\d+ {2}\S/);
  });
});

it("a failure comes shrunk, with what shows it again", () => {
  const even = suite(10, fc.nat(1000), (n) => (n > 40 ? [`${n} is too large`] : []));
  const failure = even.run(3, 50, new Map());
  expect(failure).toMatchObject({ seed: 3, message: "41 is too large", plan: 41 });
  expect(failure?.path).toMatch(/^\d+(:\d+)*$/);
});

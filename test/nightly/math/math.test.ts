/** The mathematics suite on a few arguments of every function and dtype; and it sees what is wrong. */
import { add, exp, mul, type Tensor } from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import { errorOf, type Format, formats } from "./error.ts";
import { type MathFunction, mathFunctions } from "./functions.ts";
import { jobsFor, joined, measure } from "./measure.ts";
import { boundOf, dtypesOf } from "./suite.ts";
import { columnLength, columnsOf, Sweeper } from "./sweep.ts";

const step = 2 ** 15;

describe.each(Object.keys(mathFunctions))("%s", (name) => {
  it.each(dtypesOf(name))("stays within its bound in %s", (dtype) => {
    const jobs = jobsFor(name, dtype, { step, seed: 3 });
    const { worst } = jobs.map(measure).reduce(joined);
    expect(worst?.error ?? 0, JSON.stringify(worst)).toBeLessThanOrEqual(boundOf(name, dtype));
  });
});

describe("errors", () => {
  const format = formats.float32 as Format;
  const largest = 2 ** 128 - 2 ** 104;

  it("are in units in the last place of what was expected", () => {
    expect(errorOf(1 + 2 ** -23, 1, format)).toBe(1);
    expect(errorOf(1 - 2 ** -24, 1, format)).toBe(0.5);
    expect(errorOf(2 ** -149, 2 ** -150, format)).toBe(0.5);
    expect(errorOf(1 + 2 ** -10, 1, formats.float16 as Format)).toBe(1);
  });

  it("at the edge of overflow are what they are", () => {
    expect(errorOf(Infinity, 2 ** 128, format)).toBe(0);
    expect(errorOf(Infinity, 1e300, format)).toBe(0);
    expect(errorOf(Infinity, largest, format)).toBe(1);
    expect(errorOf(largest, 2 ** 128, format)).toBe(1);
  });

  it("of the wrong kind are infinite", () => {
    expect(errorOf(1, Infinity, format)).toBe(Infinity);
    expect(errorOf(Number.NaN, 1, format)).toBe(Infinity);
    expect(errorOf(0, Number.NaN, format)).toBe(Infinity);
    expect(errorOf(-0, 1e-300, format)).toBe(Infinity);
    expect(errorOf(0, -0, format)).toBe(Infinity);
    expect(errorOf(Number.NaN, Number.NaN, format)).toBe(0);
  });
});

describe("a sweep", () => {
  const wrong = (of: (x: Tensor) => unknown): MathFunction => ({
    of: of as MathFunction["of"],
    arity: 1,
    reference: Math.exp,
  });

  it("covers the arguments once each", () => {
    const odd = mathFunctions.sin as MathFunction;
    const none = mathFunctions.exp as MathFunction;
    expect(columnsOf(none, 1) * columnLength).toBe(2 ** 32);
    expect(2 * columnsOf(odd, 1) * columnLength).toBe(2 ** 32);
    expect(new Sweeper(odd).column(0, 1).inputs).toBe(2 * columnLength);
  });

  it("finds a result that is a little wrong, and a function that is not odd", () => {
    const sweeper = new Sweeper(wrong((x) => mul(exp(x), 1 + 2 ** -21)));
    expect(sweeper.column(0x3f800000, 1).worst?.error).toBeGreaterThan(2);
    const shifted = new Sweeper({
      ...wrong((x) => add(x, 1)),
      reference: (x) => x + 1,
      parity: "odd",
    });
    expect(shifted.column(0x3f800000, 1).worst?.error).toBe(Infinity);
  });
});

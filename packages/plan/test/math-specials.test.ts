/** Where functions have exact answers: zeros, infinities, NaN, subnormals, poles, and arguments built to be hard. */
import { describe, expect, it } from "vitest";
import {
  type DType,
  evaluateScalar,
  math,
  ScalarBuilder,
  type ScalarValue,
} from "../src/scalar/index.ts";
import { evaluateExpansion, expansionOf, magnitudes, random } from "./math-support.ts";

const inf = Infinity;
const nan = Number.NaN;
const formats = ["float32", "float64"] as const;

function call(name: string, dtype: DType, ...operands: number[]): ScalarValue | undefined {
  const b = new ScalarBuilder();
  const result = expansionOf(name)(b, ...operands.map((x) => b.const(dtype, x)));
  return evaluateScalar(b.nodes, () => 0)[result];
}

describe.each(formats)("%s", (dtype) => {
  const smallest = dtype === "float32" ? 2 ** -149 : 2 ** -1074;
  const largest = dtype === "float32" ? 2 ** 128 - 2 ** 104 : Number.MAX_VALUE;

  it.each([
    "sin",
    "tan",
    "asin",
    "atan",
    "sinh",
    "tanh",
    "asinh",
    "atanh",
    "expm1",
    "log1p",
    "erf",
    "erfInv",
    "cbrt",
    "sign",
    "roundAwayFromZero",
  ])("%s keeps both zeros", (name) => {
    expect([call(name, dtype, 0), call(name, dtype, -0)]).toEqual([0, -0]);
  });

  it.each(["sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh", "expm1", "log1p"])(
    "%s of a subnormal is the subnormal",
    (name) => {
      for (const x of [smallest, -smallest, 5 * smallest]) expect(call(name, dtype, x)).toBe(x);
    },
  );

  it("passes NaN through every function but those that ignore it", () => {
    for (const name of Object.keys(math.ulpBounds)) {
      const arity = expansionOf(name).length - 1;
      expect(call(name, dtype, ...Array<number>(arity).fill(nan)), name).toBe(nan);
    }
  });

  const landmarks = (text: string): [number, number][] =>
    text
      .replaceAll("inf", "Infinity")
      .split(", ")
      .map((pair) => {
        const [x, expected] = pair.split(" → ").map(Number);
        return [x as number, expected as number];
      });

  it.each([
    ["exp", "0 → 1, -0 → 1, inf → inf, -inf → 0, 1e4 → inf, -1e4 → 0"],
    ["exp2", "0 → 1, 10 → 1024, -3 → 0.125, inf → inf, -inf → 0, 1e30 → inf, -1e30 → 0"],
    ["expm1", "inf → inf, -inf → -1, -1e4 → -1, 1e4 → inf"],
    ["log", "1 → 0, 0 → -inf, -0 → -inf, -1 → nan, inf → inf, -inf → nan"],
    ["log2", "1 → 0, 8 → 3, 0.125 → -3, 0 → -inf, -0 → -inf, -1 → nan, inf → inf"],
    ["log1p", "-1 → -inf, -2 → nan, inf → inf, -inf → nan"],
    ["sin", "inf → nan, -inf → nan"],
    ["cos", "0 → 1, -0 → 1, inf → nan, -inf → nan"],
    ["tan", "inf → nan, -inf → nan"],
    ["asin", "2 → nan, -2 → nan, inf → nan"],
    ["acos", "1 → 0, 2 → nan, -inf → nan"],
    ["sinh", "inf → inf, -inf → -inf, 1e4 → inf"],
    ["cosh", "0 → 1, inf → inf, -inf → inf, -1e4 → inf"],
    ["tanh", "inf → 1, -inf → -1, 1e4 → 1, -30 → -1"],
    ["asinh", "inf → inf, -inf → -inf"],
    ["acosh", "1 → 0, 0.5 → nan, -inf → nan, inf → inf"],
    ["atanh", "1 → inf, -1 → -inf, 1.5 → nan, -inf → nan"],
    ["logistic", "0 → 0.5, inf → 1, -inf → 0"],
    ["erf", "inf → 1, -inf → -1, 10 → 1"],
    ["erfc", "0 → 1, inf → 0, -inf → 2, -10 → 2, 50 → 0"],
    ["erfInv", "1 → inf, -1 → -inf, 1.5 → nan, -inf → nan"],
    ["lgamma", "1 → 0, 2 → 0, 0 → inf, -0 → inf, -1 → inf, -7 → inf, inf → inf, -inf → inf"],
    ["digamma", "0 → nan, -0 → nan, -3 → nan, inf → inf, -inf → nan"],
    ["rsqrt", "4 → 0.5, 0 → inf, -0 → -inf, -1 → nan, inf → 0"],
    ["cbrt", "8 → 2, -27 → -3, inf → inf, -inf → -inf"],
    ["reciprocal", "4 → 0.25, 0 → inf, -0 → -inf, inf → 0, -inf → -0"],
    ["square", "-3 → 9, inf → inf, -0 → 0"],
    ["sign", "3 → 1, -inf → -1, nan → nan"],
    [
      "roundAwayFromZero",
      "0.5 → 1, -0.5 → -1, 2.5 → 3, -0.3 → -0, 0.49999997 → 0, -inf → -inf, nan → nan",
    ],
  ])("%s is exact at its landmarks", (name, table) => {
    for (const [x, expected] of landmarks(table)) {
      expect(call(name, dtype, x), `${name} ${x}`).toBe(expected);
    }
  });

  it("has IEEE 754's table of pow", () => {
    const numbers = [
      0,
      -0,
      1,
      -1,
      2,
      -2,
      3,
      -3,
      0.5,
      -0.5,
      2.5,
      inf,
      -inf,
      nan,
      largest,
      -largest,
      smallest,
      -smallest,
    ];
    for (const x of numbers) {
      for (const y of numbers) {
        // ECMAScript differs from IEEE 754 in the powers of 1.
        const isOne = x === 1 || (x === -1 && Math.abs(y) === inf);
        const expected = isOne ? 1 : x ** y;
        const got = call("pow", dtype, x, y) as number;
        const rounded = dtype === "float32" ? Math.fround(expected) : expected;
        const isNumber = Number.isFinite(rounded) && rounded !== 0;
        if (isNumber) expect(Math.abs(got / rounded - 1), `${x} ** ${y}`).toBeLessThan(1e-6);
        else expect(got, `${x} ** ${y}`).toBe(rounded);
      }
    }
  });

  it("has C's table of atan2", () => {
    const numbers = [0, -0, 1, -1, inf, -inf, nan, largest, -largest, smallest, -smallest];
    for (const y of numbers) {
      for (const x of numbers) {
        const expected = Math.atan2(y, x);
        const got = call("atan2", dtype, y, x) as number;
        const rounded = dtype === "float32" ? Math.fround(expected) : expected;
        if (rounded === 0 || Number.isNaN(rounded)) expect(got, `atan2 ${y} ${x}`).toBe(rounded);
        else expect(Math.abs(got / rounded - 1), `atan2 ${y} ${x}`).toBeLessThan(3e-7);
      }
    }
  });

  it.each(["cos", "cosh"])("%s is even to the bit", (name) => {
    const next = random(7);
    for (let i = 0; i < 200; i++) {
      const x = magnitudes(1e-3, 1e5)(next);
      expect(call(name, dtype, -x)).toBe(call(name, dtype, x));
    }
  });

  it("lgamma has its poles wherever the negative integers are, and its logarithm beside 0", () => {
    for (const x of [-3, -(2 ** 24), -(2 ** 60), -largest]) {
      expect(call("lgamma", dtype, x), `${x}`).toBe(inf);
    }
    for (const x of [smallest, -smallest, 5 * smallest, -5 * smallest]) {
      const expected = -Math.log(Math.abs(x));
      expect(Math.abs((call("lgamma", dtype, x) as number) / expected - 1)).toBeLessThan(1e-6);
    }
  });

  it("adds exponents of infinities", () => {
    expect(call("logaddexp", dtype, inf, inf)).toBe(inf);
    expect(call("logaddexp", dtype, -inf, -inf)).toBe(-inf);
    expect(call("logaddexp", dtype, -inf, 3)).toBe(3);
    expect(call("logaddexp", dtype, inf, -inf)).toBe(inf);
  });

  it("reaches into subnormal results without a second rounding", () => {
    // e^x and 2^x halve from one exponent to the next, all the way down.
    const bias = dtype === "float32" ? 149 : 1074;
    for (let n = -bias; n < -bias + 30; n++) expect(call("exp2", dtype, n)).toBe(2 ** n);
    expect(call("exp2", dtype, -bias - 1)).toBe(0);
    const x = dtype === "float32" ? Math.fround(-100.25) : -740.25;
    const exact = Math.exp(x);
    expect(Math.abs((call("exp", dtype, x) as number) - exact)).toBeLessThanOrEqual(
      0.5001 * smallest,
    );
  });
});

describe("arguments close to multiples of π/2", () => {
  const closest = Float32Array.from({ length: 8192 }, (_, k) => ((k + 1) * Math.PI) / 2);
  // The hardest ones for float32 lie among its nearest values to large multiples.
  const far = Float32Array.from({ length: 8192 }, (_, k) => (((k + 7) * 7919) ** 3 * Math.PI) / 2);

  it.each(["sin", "cos", "tan"])("do not hurt %s in float32", (name) => {
    for (const column of [closest, far]) {
      const got = evaluateExpansion(expansionOf(name), "float32", [column]);
      const wrong = [...column].filter((x, i) => {
        const expected = (Math as unknown as Record<string, (x: number) => number>)[name]?.(
          x,
        ) as number;
        return Math.abs((got[i] as number) - expected) > 4 * 2 ** -24 * Math.abs(expected);
      });
      expect(wrong).toEqual([]);
    }
  });

  it("reach sin of the largest floats", () => {
    // The second argument lies closer to a multiple of π/2 than any other float64 (Muller, "Elementary Functions").
    expect(call("sin", "float32", 2 ** 128 - 2 ** 104)).toBe(
      Math.fround(Math.sin(2 ** 128 - 2 ** 104)),
    );
    expect(call("sin", "float64", Number.MAX_VALUE)).toBeCloseTo(0.004961954789184062, 17);
    expect(call("cos", "float64", Number.MAX_VALUE)).toBeCloseTo(-0.9999876894265599, 15);
    expect(call("sin", "float64", 6381956970095103 * 2 ** 797)).toBeCloseTo(1, 15);
    expect(call("cos", "float64", 6381956970095103 * 2 ** 797)).toBeCloseTo(
      -4.68716592425462761112e-19,
      33,
    );
  });
});

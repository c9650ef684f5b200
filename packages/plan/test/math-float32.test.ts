/**
 * The float32 expansions against float64 at 20,000 arguments and more for each: Math.* where it has the
 * function, otherwise our own float64 expansion, which math-float64.test.ts holds to exact arithmetic.
 */
import { describe, expect, it } from "vitest";
import { ulpBounds } from "../src/scalar/math/index.ts";
import { floorOf } from "./exact-functions.ts";
import {
  between,
  evaluateExpansion,
  expansionOf,
  fastPath,
  fastPathCost,
  magnitudes,
  nearOne,
  nodesOf,
  random,
  type Sampler,
} from "./math-support.ts";

type Reference = (...columns: Float64Array[]) => Float64Array;
const each =
  (f: (...x: number[]) => number): Reference =>
  (...columns) =>
    (columns[0] as Float64Array).map((_, i) => f(...columns.map((column) => column[i] as number)));
const inFloat64 =
  (name: string): Reference =>
  (...columns) =>
    evaluateExpansion(expansionOf(name), "float64", columns) as Float64Array;

const logaddexp = (x: number, y: number): number =>
  Math.max(x, y) + Math.log1p(Math.exp(-Math.abs(x - y)));

interface Case {
  readonly reference: Reference;
  /** Each is a list of samplers, one for each operand. */
  readonly samples: readonly (readonly Sampler[])[];
}
const one = (...samplers: Sampler[]): (readonly Sampler[])[] => samplers.map((s) => [s]);

const anywhere: Sampler = (next) => {
  const pattern = Uint32Array.of(next() * 2 ** 32);
  return new Float32Array(pattern.buffer)[0] as number;
};
const tiny = magnitudes(1e-45, 1);
const positive = magnitudes(1e-45, 3e38, false);

const cases: Record<string, Case> = {
  exp: { reference: each(Math.exp), samples: one(between(-104, 89), between(-1, 1), anywhere) },
  exp2: { reference: each((x) => 2 ** x), samples: one(between(-151, 129), anywhere) },
  expm1: { reference: each(Math.expm1), samples: one(between(-20, 89), between(-1, 1), tiny) },
  log: { reference: each(Math.log), samples: one(positive, between(0.5, 2), anywhere) },
  log2: { reference: each(Math.log2), samples: one(positive, between(0.5, 2)) },
  log1p: { reference: each(Math.log1p), samples: one(between(-1, 3), tiny, positive) },
  sin: { reference: each(Math.sin), samples: one(between(-4, 4), between(-6400, 6400), anywhere) },
  cos: { reference: each(Math.cos), samples: one(between(-4, 4), between(-6400, 6400), anywhere) },
  tan: { reference: each(Math.tan), samples: one(between(-4, 4), between(-6400, 6400), anywhere) },
  asin: { reference: each(Math.asin), samples: one(between(-1, 1), tiny) },
  acos: { reference: each(Math.acos), samples: one(between(-1, 1), nearOne(1e-7)) },
  atan: { reference: each(Math.atan), samples: one(between(-3, 3), anywhere) },
  atan2: {
    reference: each(Math.atan2),
    samples: [
      [between(-3, 3), between(-3, 3)],
      [anywhere, anywhere],
    ],
  },
  sinh: { reference: each(Math.sinh), samples: one(between(-90, 90), between(-2, 2), tiny) },
  cosh: { reference: each(Math.cosh), samples: one(between(-90, 90), between(-2, 2)) },
  tanh: { reference: each(Math.tanh), samples: one(between(-10, 10), between(-1, 1), tiny) },
  asinh: { reference: each(Math.asinh), samples: one(between(-3, 3), anywhere) },
  acosh: { reference: each(Math.acosh), samples: one(between(1, 3), magnitudes(1, 3e38, false)) },
  atanh: { reference: each(Math.atanh), samples: one(between(-1, 1), tiny) },
  logistic: {
    reference: each((x) => 1 / (1 + Math.exp(-x))),
    samples: one(between(-104, 20), between(-2, 2)),
  },
  logaddexp: {
    reference: each(logaddexp),
    samples: [
      [between(0, 90), between(0, 90)],
      [between(1, 3), between(1, 3)],
    ],
  },
  pow: {
    reference: each(Math.pow),
    samples: [
      [between(0, 9), between(-3, 3)],
      [between(0.5, 2), between(-100, 100)],
      [positive, magnitudes(1e-5, 100)],
      [between(-9, 9), (next) => Math.round(between(-20, 20)(next))],
    ],
  },
  cbrt: { reference: each(Math.cbrt), samples: one(between(-9, 9), anywhere) },
  rsqrt: { reference: each((x) => 1 / Math.sqrt(x)), samples: one(positive) },
  erf: { reference: inFloat64("erf"), samples: one(between(-4, 4), tiny) },
  erfc: { reference: inFloat64("erfc"), samples: one(between(-4, 10.1), between(-0.6, 0.6)) },
  erfInv: { reference: inFloat64("erfInv"), samples: one(between(-1, 1), tiny, nearOne(1e-7)) },
  lgamma: {
    reference: inFloat64("lgamma"),
    samples: one(between(0, 10), positive, between(-30, 0)),
  },
  digamma: {
    reference: inFloat64("digamma"),
    samples: one(between(0, 10), positive, between(-30, 0)),
  },
};

function unitInTheLastPlace(x: number): number {
  const magnitude = Math.abs(x);
  let unit = 2 ** Math.max(Math.floor(Math.log2(magnitude)) - 23, -149);
  if (magnitude >= unit * 2 ** 24) unit *= 2;
  return magnitude < unit * 2 ** 23 && unit > 2 ** -149 ? unit / 2 : unit;
}

/** Largest error in units in the last place, and where. */
function worst(name: string, { reference, samples }: Case): { error: number; at: number[] } {
  const next = random(20240229);
  const count = Math.ceil(20_000 / samples.length);
  let found = { error: 0, at: [] as number[] };
  for (const samplers of samples) {
    const columns = samplers.map((sampler) =>
      Float32Array.from({ length: count }, () => sampler(next)),
    );
    const got = evaluateExpansion(expansionOf(name), "float32", columns);
    const expected = reference(...columns.map((column) => Float64Array.from(column)));
    for (const [i, x] of expected.entries()) {
      const at = columns.map((column) => column[i] as number);
      const error = errorOf(got[i] as number, x, floorOf(name, at[0] as number));
      if (error > found.error) found = { error, at };
    }
  }
  return found;
}

function errorOf(got: number, expected: number, floor: number): number {
  if (Object.is(got, Math.fround(expected))) return 0;
  if (!Number.isFinite(Math.fround(expected)) || !Number.isFinite(got)) {
    // Rounding at the edge of overflow may fall on either side.
    const edge = Math.abs(Math.abs(expected) - 3.4028235e38) < 1e32;
    return edge ? 1 : Infinity;
  }
  if (got === 0 && Math.fround(expected) === 0) return Infinity; // the wrong zero
  return Math.abs(got - expected) / unitInTheLastPlace(Math.max(Math.abs(expected), floor));
}

describe("float32 expansions stay within their bounds", () => {
  it("and every bound has a test", () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(ulpBounds).sort());
  });

  it.each(Object.entries(cases))("%s", (name, sampled) => {
    const { error, at } = worst(name, sampled);
    expect(error, `${name}(${at.join(", ")})`).toBeLessThanOrEqual(ulpBounds[name]?.float32 ?? 0);
  });
});

describe("float32 expansions", () => {
  it("keep cosines within 1 where rounding takes the remainder beyond π/2", () => {
    const [cosine] = evaluateExpansion(expansionOf("cos"), "float32", [Float32Array.of(5871.637)]);
    expect(cosine).toBeGreaterThanOrEqual(-1);
    expect(cosine).toBeLessThan(2 ** -22 - 1);
  });

  it.each(Object.keys(cases))("%s is spelled without 64-bit values", (name) => {
    const dtypes = new Set(nodesOf(expansionOf(name), "float32").nodes.map((node) => node.dtype));
    for (const wide of ["float64", "int64", "uint64"] as const) expect(dtypes).not.toContain(wide);
  });

  it("convert nothing to an integer in an exponential, which costs x64 seven instructions", () => {
    for (const name of ["exp", "exp2", "expm1", "tanh", "logistic", "sin", "cos", "tan"]) {
      const { nodes } = fastPath(expansionOf(name), "float32");
      expect(
        nodes.filter(({ op }) => op === "convert" || op === "roundEven"),
        name,
      ).toEqual([]);
    }
  });

  it("cost a few dozen nodes where nothing rare happens", () => {
    const cost = Object.fromEntries(
      ["exp", "log", "sin", "cos", "tanh", "logistic"].map((name) => [
        name,
        fastPathCost(expansionOf(name), "float32"),
      ]),
    );
    expect(cost).toEqual({ exp: 27, log: 34, sin: 30, cos: 32, tanh: 35, logistic: 33 });
  });

  it.each(["float16", "bfloat16"] as const)("serve %s with one rounding at the end", (dtype) => {
    const x = Float32Array.of(-2, -0.5, 0.25, 1, 1.5, 4);
    for (const name of ["exp", "sin", "tanh", "erf"]) {
      const got = evaluateExpansion(expansionOf(name), dtype, [x]);
      const wide = evaluateExpansion(expansionOf(name), "float32", [x]);
      const step = dtype === "float16" ? 2 ** -11 : 2 ** -8;
      for (const [i, value] of wide.entries()) {
        expect(Math.abs((got[i] as number) - value)).toBeLessThanOrEqual(Math.abs(value) * step);
      }
    }
  });
});

/** What a run accepts: every way to get an input or output wrong has its code, its values and its advice. */
import { describe, expect, test } from "vitest";
import type { RunInput } from "../src/executor.ts";
import {
  type DType,
  formatPrintLines,
  InputError,
  irVersion,
  type Plan,
  type PrintStep,
  resolveInputs,
  resolveOutputs,
} from "../src/index.ts";

const ports = [
  { name: "weights", dtype: "float32", shape: [2, 3], buffer: 0 },
  { name: "count", dtype: "uint8", shape: [], buffer: 1 },
  { name: "half", dtype: "float16", shape: [2], buffer: 2 },
] as const;

const plan: Plan = {
  ir: irVersion,
  name: "test",
  requirements: { dtypes: [], steps: [] },
  inputs: ports,
  outputs: [
    { name: "left", dtype: "float32", shape: [2], buffer: 3, exact: true },
    { name: "right", dtype: "float32", shape: [2], buffer: 4, exact: true },
  ],
  buffers: [],
  constants: [],
  arenaBytes: 0,
  steps: [],
};

const good = { weights: new Float32Array(6), count: 3, half: new Uint16Array(2) };

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error.code;
    throw error;
  }
  return "accepted";
}

describe("inputs", () => {
  test("come back in the plan's order, not copied", () => {
    const [weights, count, half] = resolveInputs(plan, {
      half: good.half,
      count: 3,
      weights: good.weights,
    });
    expect(weights).toBe(good.weights);
    expect(count).toEqual(Uint8Array.of(3));
    expect(half).toBe(good.half);
  });

  test("a described tensor is checked and unwrapped", () => {
    const data = new Float32Array(6);
    const [weights] = resolveInputs(plan, {
      ...good,
      weights: { dtype: "float32", shape: [2, 3], data },
    });
    expect(weights).toBe(data);
  });

  const tensor = (dtype: DType, shape: readonly number[]): RunInput => ({
    dtype,
    shape,
    data: new Float32Array(6),
  });

  test.each<[string, string, Record<string, RunInput>, RegExp]>([
    [
      "missing",
      "GF1001",
      { count: 3, half: good.half },
      /"weights" is missing[\s\S]*Float32Array of 6/,
    ],
    [
      "misspelt",
      "GF1002",
      { ...good, weigths: good.weights },
      /no input "weigths"[\s\S]*Did you mean "weights"/,
    ],
    [
      "unknown",
      "GF1002",
      { ...good, zebra: 1 },
      /inputs are "weights", "count", "half"[\s\S]*Leave it out/,
    ],
    [
      "nested JS arrays",
      "GF1003",
      { ...good, weights: [[1, 2, 3]] as unknown as RunInput },
      /cannot be Array/,
    ],
    ["null", "GF1003", { ...good, weights: null as unknown as RunInput }, /cannot be null/],
    [
      "wrong class",
      "GF1004",
      { ...good, weights: new Float64Array(6) },
      /Float32Array, not a Float64Array/,
    ],
    ["floats for float16", "GF1004", { ...good, half: new Float32Array(2) }, /bit patterns/],
    [
      "wrong length",
      "GF1005",
      { ...good, weights: new Float32Array(5) },
      /f32\[2, 3\]: 6 elements[\s\S]*has 5/,
    ],
    [
      "wrong dtype",
      "GF1006",
      { ...good, weights: tensor("int32", [2, 3]) },
      /is f32, the tensor given is i32/,
    ],
    [
      "wrong shape",
      "GF1007",
      { ...good, weights: tensor("float32", [3, 2]) },
      /\[2, 3\], the tensor given \[3, 2\]/,
    ],
    [
      "wrong rank",
      "GF1007",
      { ...good, weights: tensor("float32", [6]) },
      /\[2, 3\], the tensor given \[6\]/,
    ],
    ["number for an array", "GF1008", { ...good, weights: 1 }, /single number/],
    ["fraction for an integer", "GF1009", { ...good, count: 1.5 }, /u8, which cannot hold 1.5/],
    ["beyond the range", "GF1009", { ...good, count: 256 }, /cannot hold 256/],
    ["NaN for an integer", "GF1009", { ...good, count: Number.NaN }, /cannot hold NaN/],
  ])("%s is %s", (_, code, inputs, message) => {
    expect(codeOf(() => resolveInputs(plan, inputs))).toBe(code);
    expect(() => resolveInputs(plan, inputs)).toThrow(message);
  });

  test("names of Object.prototype are not inputs", () => {
    const inherited = Object.create({ weights: good.weights }) as Record<string, RunInput>;
    expect(
      codeOf(() => resolveInputs(plan, Object.assign(inherited, { count: 1, half: good.half }))),
    ).toBe("GF1001");
  });
});

describe("outputs", () => {
  test("those not given are undefined", () => {
    const left = new Float32Array(2);
    expect(resolveOutputs(plan, { left })).toEqual([left, undefined]);
    expect(resolveOutputs(plan)).toEqual([undefined, undefined]);
  });

  const shared = new ArrayBuffer(12);
  test.each([
    ["unknown", "GF1010", { lift: new Float32Array(2) }],
    ["wrong class", "GF1011", { left: new Int32Array(2) }],
    ["wrong length", "GF1012", { left: new Float32Array(3) }],
    [
      "overlapping",
      "GF1013",
      { left: new Float32Array(shared, 0, 2), right: new Float32Array(shared, 4, 2) },
    ],
  ])("%s is %s", (_, code, out) => {
    expect(codeOf(() => resolveOutputs(plan, out))).toBe(code);
  });

  test("neighbours in one buffer do not overlap", () => {
    const buffer = new ArrayBuffer(16);
    const out = { left: new Float32Array(buffer, 0, 2), right: new Float32Array(buffer, 8, 2) };
    expect(resolveOutputs(plan, out)).toEqual([out.left, out.right]);
  });
});

describe("print lines", () => {
  const step = (format: string, operands: PrintStep["operands"], mask?: number): PrintStep => ({
    kind: "print",
    name: "print",
    format,
    batch: 2,
    operands,
    ...(mask !== undefined && { mask }),
  });
  const data = [
    Float32Array.of(1, -0, 2.5, Number.NaN),
    Uint8Array.of(0, 1),
    BigInt64Array.of(5n, -(2n ** 60n)),
  ];
  const get = (buffer: number) => data[buffer] as Float32Array;

  test("one a batch point, holes filled in order", () => {
    const operands = [
      { buffer: 0, dtype: "float32", shape: [2] },
      { buffer: 2, dtype: "int64", shape: [] },
    ] as const;
    expect(formatPrintLines(step("x={} n={}", operands), get)).toEqual([
      "x=[1, -0] n=5",
      "x=[2.5, NaN] n=-1152921504606846976",
    ]);
  });

  test("a float32 reads as its shortest decimal, doubled braces as braces", () => {
    const tenth = { ...step("{{{}}}", [{ buffer: 0, dtype: "float32", shape: [] }]), batch: 1 };
    expect(formatPrintLines(tenth, () => Float32Array.of(0.1))).toEqual(["{0.1}"]);
  });

  test("only where the mask holds", () => {
    const operands = [{ buffer: 1, dtype: "bool", shape: [] }] as const;
    expect(formatPrintLines(step("{}", operands, 1), get)).toEqual(["true"]);
  });
});

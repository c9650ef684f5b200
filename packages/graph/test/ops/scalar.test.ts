import {
  type DType,
  dtypes,
  evaluateScalar,
  fromBits,
  isFloat,
  isInteger,
  isSigned,
  itemSize,
  ScalarBuilder,
  type ScalarValue,
  toBits,
} from "@gridfuse/plan/scalar";
import { describe, expect, it } from "vitest";
import type { OpName, OpParams } from "../../src/ir/vocabulary.ts";
import { definitionOf, opNames } from "../../src/ops/table.ts";
import { dtypesOf, uniformOps, uniformParamsOf } from "./samples.ts";

const as = (dtype: DType, value: ScalarValue): ScalarValue => fromBits(dtype, toBits(dtype, value));

/** The op at one point; operand i is `values[i]` in dtype `types[i]`. */
function evaluateOp<K extends OpName>(
  op: K,
  types: readonly DType[],
  values: readonly ScalarValue[],
  params: OpParams[K],
  result: DType,
): ScalarValue {
  const b = new ScalarBuilder();
  const operands = types.map((dtype, i) => b.argument(dtype, i));
  const root = definitionOf(op).scalar!(b, operands, params, result);
  expect(b.dtypeOf(root)).toBe(result);
  const results = evaluateScalar(b.nodes, (node) => {
    if (node.op !== "argument") throw new Error(`unexpected leaf ${node.op}`);
    return values[node.index] as ScalarValue;
  });
  return results[root] as ScalarValue;
}

const epsilon = (dtype: DType): number =>
  ({ float16: 2 ** -10, bfloat16: 2 ** -7, float32: 2 ** -23 })[dtype as string] ?? 2 ** -52;

function expectValue(received: ScalarValue, expected: ScalarValue, dtype: DType, ulps = 0): void {
  if (ulps === 0 || typeof expected !== "number" || !Number.isFinite(expected)) {
    expect(received).toBe(expected);
  } else {
    const error = Math.abs((received as number) - expected);
    expect(error).toBeLessThanOrEqual(
      ulps * epsilon(dtype) * Math.max(Math.abs(expected), 2 ** -14),
    );
  }
}

interface Case {
  readonly on: readonly DType[];
  readonly args: readonly ScalarValue[];
  readonly expected: ScalarValue;
  readonly params?: object;
  /** Allowed error; 0 means to the bit. */
  readonly ulps?: number;
}

const floats = dtypes.filter(isFloat);
const integers = dtypes.filter(isInteger);
const signedIntegers = dtypes.filter(isSigned);
const unsigned = integers.filter((dtype) => !isSigned(dtype));
const numbers = [...integers, ...floats];
const signed = [...signedIntegers, ...floats];

const on = (
  types: readonly DType[],
  args: readonly ScalarValue[],
  expected: ScalarValue,
  params?: object,
): Case => ({ on: types, args, expected, ...(params !== undefined && { params }) });

/** A function of floats, at points where all formats are exact, within `ulps` of the JS function. */
const near = (f: (...x: number[]) => number, points: readonly (readonly number[])[], ulps = 4) =>
  points.map((args): Case => ({ on: floats, args, expected: f(...args), ulps }));

/** A function of floats that JS lacks: pairs of argument and value. */
const literally = (points: readonly (readonly [number, number])[], ulps = 8) =>
  points.map(([x, expected]): Case => ({ on: floats, args: [x], expected, ulps }));

const powerOfTwo = (dtype: DType, exponent: number): bigint =>
  BigInt(as(dtype, 1n << BigInt(exponent)) as number | bigint);
const widthOf = (dtype: DType): number => itemSize(dtype) * 8;

const cases: { readonly [op: string]: readonly Case[] } = {
  neg: [on(signed, [3], -3), on(["uint8"], [1], 255), on(floats, [0], -0), on(unsigned, [0], 0)],
  abs: [on(signed, [-3], 3), on(numbers, [3], 3), on(["int8"], [-128], -128), on(floats, [-0], 0)],
  sign: [
    on(numbers, [5], 1),
    on(signed, [-5], -1),
    on(integers, [0], 0),
    on(floats, [-0], -0),
    on(floats, [Number.NaN], Number.NaN),
  ],
  floor: [on(floats, [-1.5], -2), on(floats, [1.5], 1)],
  ceil: [on(floats, [-1.5], -1), on(floats, [-0.5], -0)],
  round: [
    on(floats, [2.5], 3),
    on(floats, [-2.5], -3),
    on(floats, [2.5], 2, { roundingMethod: "even" }),
    on(floats, [-3.5], -4, { roundingMethod: "even" }),
  ],
  is_finite: [
    on(floats, [1], true),
    on(floats, [Number.NEGATIVE_INFINITY], false),
    on(floats, [Number.NaN], false),
  ],
  square: [on(numbers, [5], 25), on(signed, [-3], 9), on(["int8"], [100], 16)],
  integer_pow: [
    on(numbers, [2], 8),
    on(["int8"], [2], 0, { y: 8 }),
    on(floats, [2], 0.125, { y: -3 }),
    on(floats, [Number.NaN], 1, { y: 0 }),
    on(signed, [-3], -27),
  ],
  sqrt: [on(floats, [9], 3), on(floats, [-1], Number.NaN)],
  not: [
    on(["bool"], [true], false),
    on(signedIntegers, [5], -6),
    on(["uint16"], [5], 65530),
    on(["uint8"], [0], 255),
    on(["uint32"], [0], 0xffffffff),
    on(["uint64"], [0], 0xffffffffffffffffn),
  ],
  population_count: [
    on(integers, [7], 3),
    on(["int8"], [-1], 8),
    on(["uint64"], [2n ** 64n - 1n], 64),
  ],
  clz: integers.flatMap((d) => [on([d], [0], widthOf(d)), on([d], [1], widthOf(d) - 1)]),
  exp: near(Math.exp, [[0], [1], [-2.5]]),
  exp2: near((x) => 2 ** x, [[0], [3], [-1.5]]),
  expm1: near(Math.expm1, [[0], [1], [-0.125]]),
  log: near(Math.log, [[1], [2], [0.25], [0]]),
  log1p: near(Math.log1p, [[0], [1], [0.125]]),
  log2: near(Math.log2, [[1], [8], [3]]),
  sin: near(Math.sin, [[0], [1], [-2.5]]),
  cos: near(Math.cos, [[0], [1], [-2.5]]),
  tan: near(Math.tan, [[0], [1], [-0.5]]),
  asin: near(Math.asin, [[0], [1], [-0.5]]),
  acos: near(Math.acos, [[1], [0.5], [-1]]),
  atan: near(Math.atan, [[0], [1], [-8]]),
  sinh: near(Math.sinh, [[0], [1], [-2.5]]),
  cosh: near(Math.cosh, [[0], [1], [-2.5]]),
  tanh: near(Math.tanh, [[0], [1], [-0.5]]),
  asinh: near(Math.asinh, [[0], [1], [-2.5]]),
  acosh: near(Math.acosh, [[1], [2], [3.5]]),
  atanh: near(Math.atanh, [[0], [0.5], [-0.75]]),
  logistic: near((x) => 1 / (1 + Math.exp(-x)), [[0], [1], [-2.5]]),
  erf: literally([
    [0, 0],
    [0.5, 0.5204998778130465],
    [-1, -0.8427007929497149],
  ]),
  erfc: literally([
    [0, 1],
    [0.5, 0.4795001221869535],
    [2, 0.004677734981047266],
  ]),
  erf_inv: literally([
    [0, 0],
    [0.5, 0.4769362762044699],
    [1, Number.POSITIVE_INFINITY],
  ]),
  lgamma: literally([
    [1, 0],
    [4, 1.791759469228055],
    [0.5, 0.5723649429247001],
  ]),
  digamma: literally([
    [1, -0.5772156649015329],
    [4, 1.2561176684318003],
  ]),
  rsqrt: near((x) => 1 / Math.sqrt(x), [[4], [2], [0]]),
  cbrt: near(Math.cbrt, [[8], [-2], [0]]),
  pow: [
    ...near(
      (x, y) => x ** y,
      [
        [2, 3],
        [4, -0.5],
        [0, 0],
        [-2, 3],
      ],
    ),
    on(floats, [1, Number.NaN], 1),
  ],
  atan2: near(Math.atan2, [
    [1, 1],
    [1, -1],
    [-0, -1],
    [0, 1],
  ]),
  nextafter: [
    on(["float32"], [1, 2], 1 + 2 ** -23),
    on(["float64"], [1, 0], 1 - 2 ** -53),
    on(["float16"], [0, -1], -(2 ** -24)),
    on(["bfloat16"], [1, 2], 1 + 2 ** -7),
    on(floats, [2, 2], 2),
    on(floats, [2, Number.NaN], Number.NaN),
  ],
  reduce_precision: [
    on(floats, [1.0625], 1),
    on(["float32"], [1.1875], 1.25),
    on(["float32", "float64"], [2 ** 17], Number.POSITIVE_INFINITY),
  ],
  multiple_of: [on(integers, [8], 8)],
  add: [
    on(numbers, [3, 2], 5),
    on(["int8"], [127, 1], -128),
    on(["uint8"], [255, 2], 1),
    on(["int64"], [2n ** 63n - 1n, 1n], -(2n ** 63n)),
  ],
  sub: [on(numbers, [3, 2], 1), on(["uint32"], [0, 1], 0xffffffff)],
  mul: [on(numbers, [3, 5], 15), on(["int32"], [0x10001, 0x10001], 0x20001)],
  div: [
    on(numbers, [6, 2], 3),
    on(signedIntegers, [-7, 2], -3),
    on(signedIntegers, [7, 0], -1),
    on(["int32"], [-(2 ** 31), -1], -(2 ** 31)),
    on(["uint8"], [7, 0], 255),
    on(floats, [1, 0], Number.POSITIVE_INFINITY),
  ],
  rem: [
    on(numbers, [7, 4], 3),
    on(signed, [-7, 4], -3),
    on(integers, [7, 0], 7),
    on(["int64"], [-(2n ** 63n), -1n], 0),
    on(floats, [7, 0], Number.NaN),
  ],
  max: [
    on(numbers, [3, 2], 3),
    on(["bool"], [false, true], true),
    on(floats, [Number.NaN, 1], Number.NaN),
    on(floats, [-0, 0], 0),
  ],
  min: [
    on(numbers, [3, 2], 2),
    on(["bool"], [false, true], false),
    on(floats, [1, Number.NaN], Number.NaN),
    on(floats, [0, -0], -0),
  ],
  and: [on(["bool"], [true, false], false), on(integers, [6, 3], 2)],
  or: [on(["bool"], [true, false], true), on(integers, [6, 3], 7)],
  xor: [on(["bool"], [true, true], false), on(integers, [6, 3], 5)],
  shift_left: integers.flatMap((d) => [
    on([d], [3, 2], 12),
    on([d], [1, widthOf(d) - 1], powerOfTwo(d, widthOf(d) - 1)),
    on([d], [1, widthOf(d)], 0),
  ]),
  shift_right_logical: [
    on(integers, [12, 2], 3),
    on(["int8"], [-1, 4], 15),
    on(["int64"], [-1n, 63n], 1),
    on(signedIntegers, [-1, -1], 0),
  ],
  shift_right_arithmetic: [
    on(integers, [12, 2], 3),
    on(signedIntegers, [-8, 1], -4),
    on(signedIntegers, [-8, 100], -1),
    on(["uint8"], [128, 7], 255),
  ],
  eq: [
    on(dtypes, [1, 1], true),
    on(floats, [-0, 0], true),
    on(floats, [Number.NaN, Number.NaN], false),
  ],
  ne: [on(dtypes, [1, 1], false), on(floats, [Number.NaN, Number.NaN], true)],
  lt: [on(dtypes, [0, 1], true), on(floats, [Number.NaN, 1], false), on(["int8"], [-1, 0], true)],
  le: [on(dtypes, [1, 1], true), on(floats, [Number.NaN, 1], false)],
  gt: [on(dtypes, [0, 1], false), on(["uint8"], [255, 0], true)],
  ge: [on(dtypes, [1, 1], true), on(floats, [1, Number.NaN], false)],
  // Random123's known answers for the zero key and counter, and for all ones.
  threefry2x32: [
    on(["uint32"], [0, 0, 0, 0], 0x6b200159, { word: 0 }),
    on(["uint32"], [0, 0, 0, 0], 0x99ba4efe, { word: 1 }),
    on(["uint32"], [-1, -1, -1, -1], 0x1cb996fc, { word: 0 }),
    on(["uint32"], [-1, -1, -1, -1], 0xbb002be7, { word: 1 }),
    on(["uint32"], [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3], 0xc4923a9c, { word: 0 }),
    on(["uint32"], [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3], 0x483df7a0, { word: 1 }),
  ],
};

describe("scalar meaning of elementwise ops", () => {
  it("is given for every elementwise op", () => {
    const missing = opNames.filter(
      (op) => definitionOf(op).category === "elementwise" && definitionOf(op).scalar === undefined,
    );
    expect(missing).toEqual([]);
  });

  it("is tested for every dtype that the op takes", () => {
    for (const op of uniformOps) {
      const tested = new Set((cases[op] ?? []).flatMap((each) => each.on));
      expect(`${op}: ${[...tested].sort()}`).toBe(`${op}: ${[...dtypesOf(op)].sort()}`);
    }
  });

  it.each(Object.keys(cases) as OpName[])("%s", (op) => {
    for (const { on: types, args, expected, params, ulps } of cases[op] as readonly Case[]) {
      for (const dtype of types) {
        const operands = args.map(() => dtype);
        const given = { ...uniformParamsOf(op), ...params } as OpParams[OpName];
        const result = definitionOf(op).infer(
          operands.map((d) => ({ kind: "tensor", dtype: d, shape: [] })),
          given,
        )[0]!.dtype;
        const received = evaluateOp(
          op,
          operands,
          args.map((x) => as(dtype, x)),
          given,
          result,
        );
        expectValue(received, as(result, expected), dtype, ulps);
      }
    }
  });

  const select = (which: DType, value: ScalarValue, cases: readonly number[]) =>
    evaluateOp(
      "select_n",
      [which, ...cases.map(() => "float32" as const)],
      [value, ...cases],
      {},
      "float32",
    );

  it("select_n by bool takes the first case on false", () => {
    expect(select("bool", false, [1, 2])).toBe(1);
    expect(select("bool", true, [1, 2])).toBe(2);
    expect(select("bool", true, [1])).toBe(1);
  });

  it("select_n by int32 takes that case, the nearest one beyond the ends", () => {
    const cases = [10, 20, 30, 40];
    expect(cases.map((_, i) => select("int32", i, cases))).toEqual(cases);
    expect(select("int32", -1, cases)).toBe(10);
    expect(select("int32", 9, cases)).toBe(40);
  });

  it("clamp takes (lo, x, hi) and keeps NaN", () => {
    const clamp = (...args: [number, number, number]) =>
      evaluateOp("clamp", ["float32", "float32", "float32"], args, {}, "float32");
    expect([clamp(0, -1, 2), clamp(0, 1, 2), clamp(0, 3, 2)]).toEqual([0, 1, 2]);
    expect(clamp(0, Number.NaN, 2)).toBeNaN();
    expect(clamp(3, 0, 2)).toBe(2);
  });

  it("convert_element_type truncates, saturates and wraps", () => {
    const convert = (from: DType, to: DType, x: ScalarValue) =>
      evaluateOp("convert_element_type", [from], [x], { dtype: to }, to);
    expect(convert("float32", "int8", -1.9)).toBe(-1);
    expect(convert("float32", "int8", 1000)).toBe(127);
    expect(convert("float32", "uint8", -5)).toBe(0);
    expect(convert("float32", "int32", Number.NaN)).toBe(0);
    expect(convert("int32", "int8", 300)).toBe(44);
    expect(convert("int8", "uint32", -1)).toBe(0xffffffff);
    expect(convert("float32", "bool", Number.NaN)).toBe(true);
    expect(convert("float32", "bfloat16", 1 + 2 ** -8)).toBe(1);
    for (const from of dtypes)
      for (const to of dtypes) expect(convert(from, to, as(from, 1))).toEqual(as(to, 1));
  });

  it("bitcast_convert_type keeps the bits", () => {
    const cast = (from: DType, to: DType, x: ScalarValue) =>
      evaluateOp("bitcast_convert_type", [from], [x], { dtype: to }, to);
    expect(cast("float32", "uint32", 1)).toBe(0x3f800000);
    expect(cast("float32", "int32", -0)).toBe(-(2 ** 31));
    expect(cast("int16", "bfloat16", 0x3f80)).toBe(1);
    expect(cast("uint16", "float16", 0x3c00)).toBe(1);
    expect(cast("float64", "int64", 1)).toBe(0x3ff0000000000000n);
  });
});

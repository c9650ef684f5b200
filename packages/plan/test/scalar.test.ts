/** The tables of meaning: hand-computed results of every op at the edges of every kind of dtype. */
import { describe, expect, it } from "vitest";
import { axis, constant, value } from "../src/index-expr/index.ts";
import type { BinaryOp, UnaryOp } from "../src/scalar/index.ts";
import {
  applyNode,
  type CompareOp,
  type DType,
  dtypes,
  evaluateProgram,
  evaluateScalar,
  fromBits,
  isFloat,
  lanes,
  loadLanes,
  ScalarBuilder,
  type ScalarValue,
  splat,
  storageArray,
  storeLanes,
  toBits,
} from "../src/scalar/index.ts";

/** Builds a program over constants and gives its last value. */
function compute(build: (b: ScalarBuilder) => number): ScalarValue | undefined {
  const b = new ScalarBuilder();
  const result = build(b);
  return evaluateScalar(b.nodes, () => 0)[result];
}
const unary = (op: UnaryOp, dtype: DType, x: ScalarValue): ScalarValue | undefined =>
  compute((b) => b.unary(op, b.const(dtype, x)));
const binary = (
  op: BinaryOp,
  dtype: DType,
  x: ScalarValue,
  y: ScalarValue,
): ScalarValue | undefined => compute((b) => b.binary(op, b.const(dtype, x), b.const(dtype, y)));
const convert = (from: DType, x: ScalarValue, to: DType): ScalarValue | undefined =>
  compute((b) => b.convert(b.const(from, x), to));
const bitcast = (from: DType, x: ScalarValue, to: DType): ScalarValue | undefined =>
  compute((b) => b.bitcast(b.const(from, x), to));

const inf = Infinity;
const nan = Number.NaN;

type Case = [BinaryOp, DType, ScalarValue, ScalarValue, ScalarValue];
const checkCases = (cases: readonly Case[]): void => {
  for (const [op, dtype, x, y, expected] of cases) {
    expect(binary(op, dtype, x, y), `${dtype} ${x} ${op} ${y}`).toBe(expected);
  }
};

describe("integer arithmetic", () => {
  it("wraps", () => {
    checkCases([
      ["add", "int8", 127, 1, -128],
      ["sub", "uint8", 0, 1, 255],
      ["mul", "int16", 300, 300, 24464],
      ["mul", "int32", 0x7fffffff, 0x7fffffff, 1],
      ["mul", "uint32", 0xffffffff, 0xffffffff, 1],
      ["add", "int64", 2n ** 63n - 1n, 1n, -(2n ** 63n)],
      ["mul", "uint64", 2n ** 64n - 1n, 2n ** 64n - 1n, 1n],
    ]);
    expect(unary("neg", "int32", -(2 ** 31))).toBe(-(2 ** 31));
    expect(unary("neg", "uint16", 1)).toBe(65535);
    expect(unary("abs", "int8", -128)).toBe(-128);
    expect(unary("abs", "int64", -(2n ** 63n))).toBe(-(2n ** 63n));
  });

  it("divides towards zero; x/0 has all bits set, x rem 0 is x, MIN/−1 is MIN", () => {
    checkCases([
      ["div", "int32", -7, 2, -3],
      ["rem", "int32", -7, 2, -1],
      ["rem", "int32", 7, -2, 1],
      ["div", "int32", 5, 0, -1],
      ["div", "uint8", 5, 0, 255],
      ["div", "uint64", 5n, 0n, 2n ** 64n - 1n],
      ["div", "int64", -5n, 0n, -1n],
      ["rem", "int64", -5n, 0n, -5n],
      ["rem", "uint32", 5, 0, 5],
      ["div", "int8", -128, -1, -128],
      ["div", "int32", -(2 ** 31), -1, -(2 ** 31)],
      ["div", "int64", -(2n ** 63n), -1n, -(2n ** 63n)],
      ["rem", "int16", -32768, -1, 0],
      ["rem", "int64", -(2n ** 63n), -1n, 0n],
      ["div", "uint32", 0xffffffff, 3, 0x55555555],
    ]);
  });

  it("gives the high half of a product of 32 bits", () => {
    checkCases([
      ["mulhi", "uint32", 0xffffffff, 0xffffffff, 0xfffffffe],
      ["mulhi", "int32", -1, -1, 0],
      ["mulhi", "int32", -(2 ** 31), -(2 ** 31), 2 ** 30],
      ["mulhi", "int32", -(2 ** 31), 1, -1],
      ["mulhi", "uint32", 0x10000, 0x10000, 1],
    ]);
  });

  it("shifts everything out at and past the width, the amount read as unsigned", () => {
    checkCases([
      ["shiftLeft", "int8", 1, 7, -128],
      ["shiftLeft", "int8", 1, 8, 0],
      ["shiftLeft", "int32", 1, 32, 0],
      ["shiftLeft", "int32", 1, -1, 0],
      ["shiftLeft", "uint64", 1n, 64n, 0n],
      ["shiftLeft", "int64", 1n, 63n, -(2n ** 63n)],
      ["shiftRightLogical", "int8", -1, 1, 127],
      ["shiftRightLogical", "int32", -1, 31, 1],
      ["shiftRightLogical", "int32", -1, 32, 0],
      ["shiftRightLogical", "int64", -1n, 1n, 2n ** 63n - 1n],
      ["shiftRightLogical", "int64", -1n, -1n, 0n],
      ["shiftRightArithmetic", "int8", -128, 7, -1],
      ["shiftRightArithmetic", "int16", -5, 100, -1],
      ["shiftRightArithmetic", "int32", 5, 40, 0],
      ["shiftRightArithmetic", "int32", -5, -1, -1],
      ["shiftRightArithmetic", "uint8", 0x80, 1, 0xc0],
      ["shiftRightArithmetic", "uint32", 0x80000000, 33, 0xffffffff],
      ["shiftRightArithmetic", "int64", -5n, 64n, -1n],
      ["shiftRightArithmetic", "uint64", 2n ** 63n, 1n, 3n * 2n ** 62n],
    ]);
  });

  it("counts bits within the width", () => {
    expect(unary("populationCount", "int8", -1)).toBe(8);
    expect(unary("populationCount", "uint32", 0xffffffff)).toBe(32);
    expect(unary("populationCount", "int64", -1n)).toBe(64n);
    expect(unary("countLeadingZeros", "uint16", 1)).toBe(15);
    expect(unary("countLeadingZeros", "int8", 0)).toBe(8);
    expect(unary("countLeadingZeros", "int32", -1)).toBe(0);
    expect(unary("countLeadingZeros", "uint64", 0n)).toBe(64n);
    expect(unary("countLeadingZeros", "int64", 2n ** 32n)).toBe(31n);
  });

  it("has bitwise logic, on bool the logical one", () => {
    checkCases([
      ["and", "uint8", 0b1100, 0b1010, 0b1000],
      ["or", "int32", -2, 1, -1],
      ["xor", "int64", -1n, 1n, -2n],
      ["xor", "bool", true, true, false],
      ["or", "bool", false, true, true],
      ["min", "bool", true, false, false],
      ["max", "bool", true, false, true],
      ["min", "uint32", 0xffffffff, 1, 1],
      ["max", "int64", -1n, -2n, -1n],
    ]);
    expect(unary("not", "bool", false)).toBe(true);
    expect(unary("not", "uint8", 0)).toBe(255);
    expect(unary("not", "int64", 0n)).toBe(-1n);
  });
});

describe.each(["float16", "bfloat16", "float32", "float64"] as const)("%s arithmetic", (dtype) => {
  it("follows IEEE 754 at zeros, infinities and NaN", () => {
    checkCases([
      ["add", dtype, -0, -0, -0],
      ["add", dtype, 0, -0, 0],
      ["sub", dtype, inf, inf, nan],
      ["mul", dtype, 0, -1, -0],
      ["mul", dtype, 0, inf, nan],
      ["div", dtype, 1, -0, -inf],
      ["div", dtype, 0, 0, nan],
      ["div", dtype, -1, inf, -0],
    ]);
    expect(unary("neg", dtype, 0)).toBe(-0);
    expect(unary("abs", dtype, -0)).toBe(0);
    expect(unary("sqrt", dtype, -0)).toBe(-0);
    expect(unary("sqrt", dtype, -1)).toBe(nan);
  });

  it("takes remainders like fmod: exact, with the sign of the dividend", () => {
    checkCases([
      ["rem", dtype, -7, 2, -1],
      ["rem", dtype, -6, 2, -0],
      ["rem", dtype, 6, inf, 6],
      ["rem", dtype, inf, 2, nan],
      ["rem", dtype, 1, 0, nan],
      ["rem", dtype, -0, 1, -0],
    ]);
  });

  it("orders −0 below +0 and lets NaN win in min and max", () => {
    checkCases([
      ["min", dtype, 0, -0, -0],
      ["max", dtype, -0, 0, 0],
      ["min", dtype, nan, 1, nan],
      ["max", dtype, 1, nan, nan],
      ["max", dtype, -inf, inf, inf],
    ]);
  });

  it("rounds to integers with the sign of zero kept, halves to even", () => {
    const rounded = (op: UnaryOp): (ScalarValue | undefined)[] =>
      [-1.5, -0.5, -0, 0.5, 1.5, 2.5, -inf, nan].map((x) => unary(op, dtype, x));
    expect(rounded("floor")).toEqual([-2, -1, -0, 0, 1, 2, -inf, nan]);
    expect(rounded("ceil")).toEqual([-1, -0, -0, 1, 2, 3, -inf, nan]);
    expect(rounded("trunc")).toEqual([-1, -0, -0, 0, 1, 2, -inf, nan]);
    expect(rounded("roundEven")).toEqual([-2, -0, -0, 0, 2, 2, -inf, nan]);
  });

  it("compares NaN as unordered and −0 as 0", () => {
    const compare = (op: CompareOp, x: number, y: number): ScalarValue | undefined =>
      compute((b) => b.compare(op, b.const(dtype, x), b.const(dtype, y)));
    const ops = ["eq", "ne", "lt", "le", "gt", "ge"] as const;
    expect(ops.filter((op) => compare(op, nan, 1))).toEqual(["ne"]);
    expect(ops.filter((op) => compare(op, nan, nan))).toEqual(["ne"]);
    expect(ops.filter((op) => compare(op, -0, 0))).toEqual(["eq", "le", "ge"]);
    expect(ops.filter((op) => compare(op, -inf, 1))).toEqual(["ne", "lt", "le"]);
  });
});

describe("rounding of every node", () => {
  it("keeps subnormals and overflows to infinity", () => {
    checkCases([
      ["mul", "float32", 2 ** -126, 0.5, 2 ** -127],
      ["mul", "float32", 2 ** -149, 0.5, 0],
      ["mul", "float32", 2 ** 127, 2, inf],
      ["mul", "float16", 256, 256, inf],
      ["mul", "float16", 2 ** -14, 2 ** -10, 2 ** -24],
      ["add", "float64", 1, 2 ** -53, 1],
    ]);
  });

  it("rounds 16-bit floats after each operation", () => {
    checkCases([
      ["add", "float16", 2048, 1, 2048],
      ["add", "float16", 2050, 1, 2052],
      ["add", "bfloat16", 256, 1, 256],
      ["div", "bfloat16", 1, 3, 0.333984375],
      ["div", "float16", 1, 3, 0.333251953125],
    ]);
  });
});

describe("convert", () => {
  it("truncates floats, saturates, and makes 0 of NaN", () => {
    const cases: [DType, number, DType, ScalarValue][] = [
      ["float32", -1.9, "int32", -1],
      ["float32", 2 ** 31, "int32", 2 ** 31 - 1],
      ["float32", -inf, "int32", -(2 ** 31)],
      ["float32", nan, "int32", 0],
      ["float64", 127.9, "int8", 127],
      ["float64", -128.9, "int8", -128],
      ["float64", 300, "uint8", 255],
      ["float64", -0.9, "uint8", 0],
      ["float64", -1, "uint32", 0],
      ["float16", inf, "uint16", 65535],
      ["float64", 2 ** 63, "int64", 2n ** 63n - 1n],
      ["float64", -(2 ** 64), "int64", -(2n ** 63n)],
      ["float32", 2 ** 64, "uint64", 2n ** 64n - 1n],
      ["float32", -5, "uint64", 0n],
      ["float64", nan, "uint64", 0n],
      ["float64", -1.5, "int64", -1n],
    ];
    for (const [from, x, to, expected] of cases) {
      expect(convert(from, x, to), `${from} ${x} → ${to}`).toBe(expected);
    }
  });

  it("makes true of everything but zero", () => {
    expect(convert("float32", nan, "bool")).toBe(true);
    expect(convert("float32", -0, "bool")).toBe(false);
    expect(convert("float16", 2 ** -24, "bool")).toBe(true);
    expect(convert("int64", 2n ** 32n, "bool")).toBe(true);
    expect(convert("bool", true, "int64")).toBe(1n);
    expect(convert("bool", true, "bfloat16")).toBe(1);
  });

  it("extends integers by the sign of the source and wraps", () => {
    expect(convert("int8", -1, "uint32")).toBe(0xffffffff);
    expect(convert("uint8", 255, "int32")).toBe(255);
    expect(convert("int32", 0x12345678, "int8")).toBe(0x78);
    expect(convert("int16", -1, "uint64")).toBe(2n ** 64n - 1n);
    expect(convert("uint64", 2n ** 63n + 5n, "int32")).toBe(5);
    expect(convert("uint64", 2n ** 64n - 1n, "int64")).toBe(-1n);
    expect(convert("int64", -1n, "uint8")).toBe(255);
  });

  it("rounds to narrower floats once", () => {
    // Halfway in float32 after a first rounding to float64, but not before.
    expect(convert("int64", 2n ** 62n + 2n ** 38n + 1n, "float32")).toBe(2 ** 62 + 2 ** 39);
    expect(convert("int64", -(2n ** 62n + 2n ** 38n), "float32")).toBe(-(2 ** 62));
    expect(convert("uint64", 2n ** 64n - 1n, "float32")).toBe(2 ** 64);
    expect(convert("float64", 1 + 2 ** -11 + 2 ** -40, "float16")).toBe(1 + 2 ** -10);
    expect(convert("float64", 1 + 2 ** -8 + 2 ** -40, "bfloat16")).toBe(1 + 2 ** -7);
    expect(convert("float32", 65520, "float16")).toBe(inf);
    expect(convert("int32", 0x7fffffff, "float32")).toBe(2 ** 31);
  });

  it("takes integers to bfloat16 by way of float32, as the language says of its nodes", () => {
    const tie = 2 ** 24 + 2 ** 16 + 1; // float32 drops the last bit and leaves a tie
    expect(convert("int32", tie, "bfloat16")).toBe(2 ** 24);
  });
});

describe("bitcast", () => {
  it("reinterprets the same bits", () => {
    expect(bitcast("float32", -0, "uint32")).toBe(0x80000000);
    expect(bitcast("float32", 1, "int32")).toBe(0x3f800000);
    expect(bitcast("uint32", 0x3f800001, "float32")).toBe(1 + 2 ** -23);
    expect(bitcast("float64", 1, "int64")).toBe(0x3ff0000000000000n);
    expect(bitcast("uint64", 0xfff0000000000000n, "float64")).toBe(-inf);
    expect(bitcast("float16", -2, "uint16")).toBe(0xc000);
    expect(bitcast("uint16", 0x3f80, "bfloat16")).toBe(1);
    expect(bitcast("float16", 1, "bfloat16")).toBe(0.0078125);
    expect(bitcast("int8", -1, "uint8")).toBe(255);
    expect(bitcast("int64", -1n, "uint64")).toBe(2n ** 64n - 1n);
  });

  it("gives the canonical NaN", () => {
    const quotient = (dtype: DType, bits: DType): ScalarValue | undefined =>
      compute((b) => {
        const zero = b.const(dtype, -0);
        return b.bitcast(b.div(zero, zero), bits);
      });
    expect(quotient("float32", "uint32")).toBe(0x7fc00000);
    expect(quotient("float64", "uint64")).toBe(0x7ff8000000000000n);
    expect(quotient("float16", "uint16")).toBe(0x7e00);
    expect(quotient("bfloat16", "uint16")).toBe(0x7fc0);
  });
});

describe("select and rare", () => {
  it("pick lane by lane and keep NaN payloads", () => {
    for (const op of ["select", "rare"] as const) {
      const payload = new Uint32Array([0x7fc12345, 0xff812345]);
      const floats = new Float32Array(payload.buffer);
      const node = { op, dtype: "float32" as const, args: [0, 1, 2] as const };
      const picked = applyNode(
        node,
        [Uint8Array.of(1, 0), floats, floats.slice()],
        ["bool", "float32", "float32"],
        2,
      );
      expect([...new Uint32Array(picked.buffer)]).toEqual([0x7fc12345, 0xff812345]);
    }
    const doubles = applyNode(
      { op: "select", dtype: "float64", args: [0, 1, 2] },
      [Uint8Array.of(0, 1, 1), Float64Array.of(1, 2, -0), Float64Array.of(4, 5, 6)],
      ["bool", "float64", "float64"],
      3,
    );
    expect([...doubles]).toEqual([4, 2, -0]);
    const big = applyNode(
      { op: "select", dtype: "int64", args: [0, 1, 2] },
      [Uint8Array.of(0, 1), BigInt64Array.of(1n, 2n), BigInt64Array.of(3n, 4n)],
      ["bool", "int64", "int64"],
      2,
    );
    expect([...big]).toEqual([3n, 2n]);
  });
});

describe("lanes", () => {
  it.each(dtypes)("load and store %s between memory and lanes", (dtype) => {
    const memory = storageArray(dtype, 6);
    const two = splat(dtype, dtype === "bool" ? true : 2, 3);
    storeLanes(dtype, two, memory, 2);
    storeLanes(dtype, splat(dtype, true, 5), memory, 5, 1);
    const loaded = loadLanes(dtype, memory, 1, 5);
    const unit = dtype === "bool" ? 1 : 2;
    expect(Array.from(loaded, Number)).toEqual([0, unit, unit, unit, 1]);
    expect(loaded.constructor).toBe(lanes(dtype, 1).constructor);
  });

  it("hold every constant as its bits say", () => {
    for (const dtype of dtypes) {
      const values = isFloat(dtype) ? [1.5, -0, -inf] : dtype === "bool" ? [0, 1] : [0, 1, 127];
      for (const value of values) {
        const b = new ScalarBuilder();
        b.const(dtype, value);
        expect(evaluateScalar(b.nodes, () => 0)[0]).toBe(fromBits(dtype, toBits(dtype, value)));
      }
    }
  });
});

describe("programs", () => {
  it("hand each leaf to the caller, with the nodes before it", () => {
    const b = new ScalarBuilder();
    const x = b.argument("float32", 0);
    const row = b.convert(x, "int32");
    const loaded = b.load("float32", 3, constant(0), [], toBits("float32", 0));
    const sum = b.add(loaded, x);
    const seen: string[] = [];
    const results = evaluateProgram(b.nodes, 2, (node, index, lanesSoFar) => {
      seen.push(`${node.op}@${index} after ${lanesSoFar.length}`);
      return node.op === "argument"
        ? Float32Array.of(1.5, 2.5)
        : Float32Array.from(lanesSoFar[row] as Int32Array, (i) => 10 * i);
    });
    expect(seen).toEqual(["argument@0 after 0", "load@2 after 2"]);
    expect([...(results[sum] as Float32Array)]).toEqual([11.5, 22.5]);
  });

  it("evaluate only what their roots need, and rare paths where some lane takes them", () => {
    const b = new ScalarBuilder();
    const x = b.argument("float32", 0);
    const isLarge = b.compare("gt", x, b.const("float32", 100));
    const shared = b.add(x, x);
    const slow = b.mul(b.neg(shared), b.const("float32", 3));
    const result = b.rare(isLarge, slow, b.mul(shared, shared));
    const unused = b.abs(x);
    const row = b.convert(result, "int32");
    const gathered = b.load("float32", 0, value(row, 0, 9), [], toBits("float32", 0));
    const run = (lane: number, roots: number[]) =>
      evaluateProgram(
        b.nodes,
        2,
        (node, _, soFar) =>
          node.op === "argument"
            ? Float32Array.of(2, lane)
            : Float32Array.from(soFar[row] as Int32Array, (i) => -i),
        roots,
      );
    const near = run(3, [result]);
    expect([...(near[result] as Float32Array)]).toEqual([16, 36]);
    expect([slow, unused, row, gathered].map((i) => near[i]?.length)).toEqual([0, 0, 0, 0]);
    const far = run(200, [gathered]);
    expect([...(far[gathered] as Float32Array)]).toEqual([-16, 1200]);
    expect([slow, unused].map((i) => far[i]?.length)).toEqual([2, 0]);
    expect(run(3, []).every((lanesOf) => lanesOf.length === 0)).toBe(true);
  });

  it("refuse an op that has no meaning on its dtype", () => {
    expect(() => unary("sqrt", "int32", 4)).toThrow(/GF9101.*sqrt.*int32/);
    expect(() => binary("shiftLeft", "float32", 4, 1)).toThrow(/GF9101/);
    expect(() => binary("mulhi", "int64", 4n, 1n)).toThrow(/GF9101/);
    expect(() => unary("floor", "uint64", 4n)).toThrow(/GF9101/);
  });
});

it("goes on with a program as if it had been built here", () => {
  const b = new ScalarBuilder();
  const x = b.load("float32", 0, axis(0, 8), [], { lo: 0, hi: 0 });
  const at = b.index("int32", axis(0, 8));
  const sum = b.add(x, b.const("float32", 1));
  const chosen = b.select(b.compare("lt", at, b.const("int32", 4)), sum, b.neg(x));
  const next = ScalarBuilder.from(b.nodes);
  expect(next.nodes).toEqual(b.nodes);
  expect(next.load("float32", 0, axis(0, 8), [], { lo: 0, hi: 0 })).toBe(x);
  expect(next.index("int32", axis(0, 8))).toBe(at);
  expect(next.add(x, next.const("float32", 1))).toBe(sum);
  const asked = next.compare("lt", at, next.const("int32", 4));
  expect(next.select(asked, sum, next.neg(x))).toBe(chosen);
  expect(next.convert(x, "int32")).toBe(b.nodes.length);
});

import { type OpName, toBits } from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import { tensorOf } from "../../src/index.ts";
import { apply, expectSame, valuesOfOp, vector } from "../support/apply.ts";

const NaN32 = Number.NaN;
const min = -(2 ** 31);

describe("arithmetic on int32", () => {
  const x = vector("int32", 7, -7, 7, -7, 5, min);
  const y = vector("int32", 2, 2, -2, -2, 0, -1);

  it("divides towards zero; x/0 is all ones, MIN/−1 is MIN", () => {
    expect(valuesOfOp("div", {}, x, y)).toEqual([3, -3, -3, 3, -1, min]);
  });

  it("gives the remainder the sign of the dividend; x rem 0 is x", () => {
    expect(valuesOfOp("rem", {}, x, y)).toEqual([1, -1, 1, -1, 5, 0]);
  });

  it("wraps", () => {
    expect(valuesOfOp("add", {}, vector("int32", 2 ** 31 - 1), vector("int32", 1))).toEqual([min]);
    expect(valuesOfOp("mul", {}, vector("int32", 65537), vector("int32", 65537))).toEqual([131073]);
    expect(valuesOfOp("neg", {}, vector("int32", min))).toEqual([min]);
    expect(valuesOfOp("add", {}, vector("uint8", 250), vector("uint8", 10))).toEqual([4]);
    expect(valuesOfOp("mul", {}, vector("int64", 2n ** 62n), vector("int64", 2n))).toEqual([
      -(2n ** 63n),
    ]);
  });

  it("shifts out everything from the width on; the arithmetic shift leaves the sign", () => {
    const one = vector("int32", 1, -1, -8, -8);
    const by = vector("int32", 32, 33, 1, -1);
    expect(valuesOfOp("shift_left", {}, one, by)).toEqual([0, 0, -16, 0]);
    expect(valuesOfOp("shift_right_logical", {}, one, by)).toEqual([0, 0, 2 ** 31 - 4, 0]);
    expect(valuesOfOp("shift_right_arithmetic", {}, one, by)).toEqual([0, -1, -4, -1]);
  });

  it("has bitwise and, or, xor and not, and logical ones on bool", () => {
    expect(valuesOfOp("xor", {}, vector("int32", 0, 1, 2, 3), vector("int32", 1, 1, 1, 1))).toEqual(
      [1, 0, 3, 2],
    );
    expect(valuesOfOp("and", {}, vector("uint8", 12), vector("uint8", 10))).toEqual([8]);
    expect(valuesOfOp("or", {}, vector("uint8", 12), vector("uint8", 10))).toEqual([14]);
    expect(valuesOfOp("not", {}, vector("int32", 0))).toEqual([-1]);
    expect(valuesOfOp("not", {}, vector("bool", true, false))).toEqual([false, true]);
  });

  it("counts bits in the full width of the dtype", () => {
    expect(valuesOfOp("population_count", {}, vector("int8", -1, 5))).toEqual([8, 2]);
    expect(valuesOfOp("clz", {}, vector("int16", 0, 1))).toEqual([16, 15]);
  });
});

describe("arithmetic on floats", () => {
  it("propagates NaN in max and min and orders the zeros", () => {
    const x = vector("float32", NaN32, 1, -0, 0);
    const y = vector("float32", 1, NaN32, 0, -0);
    expect(valuesOfOp("max", {}, x, y)).toEqual([NaN, NaN, 0, 0]);
    expect(valuesOfOp("min", {}, x, y)).toEqual([NaN, NaN, -0, -0]);
  });

  it("compares NaN as unordered: only ne is true", () => {
    const x = vector("float32", NaN32, 1);
    const answers = { eq: [false, true], ne: [true, false], le: [false, true], lt: [false, false] };
    for (const [op, expected] of Object.entries(answers)) {
      expect(valuesOfOp(op as "eq", {}, x, x)).toEqual(expected);
    }
  });

  it("keeps the zeros and NaN in sign", () => {
    expect(valuesOfOp("sign", {}, vector("float32", -0, 0, -3, 2, NaN32))).toEqual([
      -0,
      0,
      -1,
      1,
      NaN,
    ]);
    expect(valuesOfOp("sign", {}, vector("int32", -5, 0, 9))).toEqual([-1, 0, 1]);
    expect(valuesOfOp("sign", {}, vector("uint32", 0, 9))).toEqual([0, 1]);
  });

  it("rounds halves away from zero or to even", () => {
    const x = vector("float32", 0.5, 1.5, 2.5, -0.5, -2.5);
    expect(valuesOfOp("round", { roundingMethod: "away" }, x)).toEqual([1, 2, 3, -1, -3]);
    expect(valuesOfOp("round", { roundingMethod: "even" }, x)).toEqual([0, 2, 2, -0, -2]);
  });

  it("takes integer powers by multiplication; x⁰ is 1 even of NaN", () => {
    const x = vector("float32", 2, -3, NaN32);
    expect(valuesOfOp("integer_pow", { y: 3 }, x)).toEqual([8, -27, NaN]);
    expect(valuesOfOp("integer_pow", { y: 0 }, x)).toEqual([1, 1, 1]);
    expect(valuesOfOp("integer_pow", { y: -1 }, x)).toEqual([0.5, Math.fround(-1 / 3), NaN]);
  });

  it("rounds float16 and bfloat16 at every node", () => {
    expect(valuesOfOp("add", {}, vector("float16", 2048), vector("float16", 1))).toEqual([2048]);
    expect(valuesOfOp("add", {}, vector("bfloat16", 256), vector("bfloat16", 1))).toEqual([256]);
    expect(valuesOfOp("mul", {}, vector("float16", 300), vector("float16", 300))).toEqual([
      Infinity,
    ]);
  });

  it("clamps with (min, x, max), scalar bounds included; NaN stays", () => {
    const x = vector("float32", -5, 0.5, 5, NaN32);
    const bound = (value: number) => tensorOf("float32", [], [value]);
    expect(valuesOfOp("clamp", {}, bound(-1), x, bound(1))).toEqual([-1, 0.5, 1, NaN]);
    const low = vector("float32", 0, 1, 2, 3);
    const high = vector("float32", 9, 9, 3, 9);
    expect(valuesOfOp("clamp", {}, low, x, high)).toEqual([0, 1, 3, NaN]);
  });

  it("steps to the next float", () => {
    const x = vector("float32", 0, 1, 1, NaN32);
    const y = vector("float32", 1, 1, 2, 1);
    expect(valuesOfOp("nextafter", {}, x, y)).toEqual([2 ** -149, 1, 1 + 2 ** -23, NaN]);
  });

  it("keeps denormals", () => {
    const tiny = vector("float32", 2 ** -149);
    expect(valuesOfOp("add", {}, tiny, tiny)).toEqual([2 ** -148]);
  });
});

describe("select_n", () => {
  it("takes case 0 for false and case 1 for true", () => {
    const which = vector("bool", false, true);
    expect(
      valuesOfOp("select_n", {}, which, vector("int32", 1, 2), vector("int32", 10, 20)),
    ).toEqual([1, 20]);
  });

  it("selects by int32, and by one scalar for all", () => {
    const cases = [1, 2, 3].map((scale) => vector("int32", scale, 10 * scale, 100 * scale));
    expect(valuesOfOp("select_n", {}, vector("int32", 2, 0, 1), ...cases)).toEqual([3, 10, 200]);
    expect(valuesOfOp("select_n", {}, tensorOf("int32", [], [1]), ...cases)).toEqual([2, 20, 200]);
  });

  it("keeps the payload of a NaN, in 16 bits too", () => {
    const which = vector("bool", true);
    const payload = { dtype: "float16", shape: [1], data: new Uint16Array([0xfe01]) } as const;
    const [chosen] = apply("select_n", {}, which, vector("float16", 0), payload);
    expect(chosen?.data[0]).toBe(0xfe01);
  });
});

describe("conversions", () => {
  it("truncate, saturate, and take NaN to 0", () => {
    const x = vector("float32", 1.9, -1.9, 3e9, -3e9, NaN32, 300);
    expect(valuesOfOp("convert_element_type", { dtype: "int32" }, x)).toEqual([
      1,
      -1,
      2 ** 31 - 1,
      min,
      0,
      300,
    ]);
    expect(valuesOfOp("convert_element_type", { dtype: "uint8" }, x)).toEqual([
      1, 0, 255, 0, 0, 255,
    ]);
  });

  it("take any non-zero to true, NaN included", () => {
    const x = vector("float32", 0, -0, 0.25, NaN32);
    expect(valuesOfOp("convert_element_type", { dtype: "bool" }, x)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  it("wrap or extend integers by the sign of the source", () => {
    expect(valuesOfOp("convert_element_type", { dtype: "uint32" }, vector("int8", -1))).toEqual([
      2 ** 32 - 1,
    ]);
    expect(valuesOfOp("convert_element_type", { dtype: "int32" }, vector("uint8", 255))).toEqual([
      255,
    ]);
    expect(valuesOfOp("convert_element_type", { dtype: "int8" }, vector("int32", 200))).toEqual([
      -56,
    ]);
  });

  it("round to nearest even on the way to 16 bits", () => {
    const x = vector("float32", 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1e39, 70000);
    expect(valuesOfOp("convert_element_type", { dtype: "bfloat16" }, x)).toEqual([
      1,
      1 + 2 ** -6,
      Infinity,
      70144,
    ]);
    expect(valuesOfOp("convert_element_type", { dtype: "float16" }, x)[3]).toBe(Infinity);
  });

  it("narrow precision without changing the dtype", () => {
    const x = vector("float32", 1 + 2 ** -8, 1e-30, 1e30);
    expect(valuesOfOp("reduce_precision", { exponentBits: 5, mantissaBits: 7 }, x)).toEqual([
      1,
      0,
      Infinity,
    ]);
  });
});

describe("bitcast_convert_type", () => {
  it("reads the same bytes", () => {
    expect(valuesOfOp("bitcast_convert_type", { dtype: "int32" }, vector("float32", 1))).toEqual([
      0x3f800000,
    ]);
  });

  it("adds a minor dimension, little-endian, and removes it again", () => {
    const words = vector("int32", 0x00020001, 0x00040003);
    const [halves] = apply("bitcast_convert_type", { dtype: "int16" }, words);
    expectSame(halves, tensorOf("int16", [2, 2], [1, 2, 3, 4]));
    const [back] = apply("bitcast_convert_type", { dtype: "int32" }, halves!);
    expectSame(back, words);
  });

  it("keeps the payload of a NaN that was loaded, and canonises one that was computed", () => {
    const loaded = { dtype: "float32", shape: [1], data: new Float32Array(1) } as const;
    new Uint32Array(loaded.data.buffer)[0] = 0xffc12345;
    expect(valuesOfOp("bitcast_convert_type", { dtype: "uint32" }, loaded)).toEqual([0xffc12345]);
    const [computed] = apply("mul", {}, vector("float32", 0), vector("float32", -Infinity));
    expect(valuesOfOp("bitcast_convert_type", { dtype: "uint32" }, computed!)).toEqual([
      0x7fc00000,
    ]);
  });
});

describe("transcendental ops", () => {
  const functions: readonly [OpName, (x: number) => number, readonly number[]][] = [
    ["exp", Math.exp, [-1, 0, 0.5, 3]],
    ["expm1", Math.expm1, [-1, 1e-6, 2]],
    ["log", Math.log, [0.5, 1, 10]],
    ["log1p", Math.log1p, [-0.5, 1e-6, 10]],
    ["sin", Math.sin, [-2, 0.1, 3]],
    ["cos", Math.cos, [-2, 0.1, 3]],
    ["tan", Math.tan, [-1, 0.1, 1.5]],
    ["tanh", Math.tanh, [-2, 0.1, 3]],
    ["sinh", Math.sinh, [-2, 0.1, 3]],
    ["cosh", Math.cosh, [-2, 0.1, 3]],
    ["asin", Math.asin, [-1, 0.1, 0.9]],
    ["acos", Math.acos, [-1, 0.1, 0.9]],
    ["atan", Math.atan, [-10, 0.1, 0.9]],
    ["asinh", Math.asinh, [-10, 0.1, 0.9]],
    ["acosh", Math.acosh, [1, 1.5, 10]],
    ["atanh", Math.atanh, [-0.5, 0.1, 0.9]],
    ["sqrt", Math.sqrt, [0, 2, 9]],
    ["rsqrt", (x) => 1 / Math.sqrt(x), [2, 4, 9]],
    ["cbrt", Math.cbrt, [-8, 2, 27]],
    ["logistic", (x) => 1 / (1 + Math.exp(-x)), [-3, 0, 2]],
    ["exp2", (x) => 2 ** x, [-3, 0.5, 2]],
    ["log2", Math.log2, [0.5, 3, 8]],
    ["square", (x) => x * x, [-3, 0.5]],
  ];
  it.each(functions)("%s is close to what JS computes", (op, f, points) => {
    const got = valuesOfOp(op as "exp", {}, vector("float32", ...points)) as number[];
    for (const [i, point] of points.entries()) {
      const expected = f(Math.fround(point));
      expect(Math.abs((got[i] as number) - expected)).toBeLessThanOrEqual(
        1e-6 * Math.max(Math.abs(expected), 1e-6),
      );
    }
  });

  it("have their limits at infinity", () => {
    const x = vector("float32", Infinity, -Infinity, NaN32);
    expect(valuesOfOp("exp", {}, x)).toEqual([Infinity, 0, NaN]);
    expect(valuesOfOp("tanh", {}, x)).toEqual([1, -1, NaN]);
    expect(valuesOfOp("logistic", {}, x)).toEqual([1, 0, NaN]);
    expect(valuesOfOp("erf", {}, x)).toEqual([1, -1, NaN]);
    expect(valuesOfOp("is_finite", {}, x)).toEqual([false, false, false]);
  });
});

describe("threefry2x32", () => {
  it("gives the known answers of Random123", () => {
    const words = (key: number, counter: number) =>
      ([0, 1] as const).map(
        (word) =>
          valuesOfOp(
            "threefry2x32",
            { word },
            ...[key, key, counter, counter].map((x) => vector("uint32", x)),
          )[0],
      );
    expect(words(0, 0)).toEqual([0x6b200159, 0x99ba4efe]);
    expect(words(0xffffffff, 0xffffffff)).toEqual([0x1cb996fc, 0xbb002be7]);
  });
});

describe("any elementwise op", () => {
  it("works on no elements, on rank 0, and on more elements than one piece", () => {
    expectSame(
      apply("neg", {}, tensorOf("float32", [0, 3], []))[0],
      tensorOf("float32", [0, 3], []),
    );
    expectSame(apply("neg", {}, tensorOf("float32", [], [2]))[0], tensorOf("float32", [], [-2]));
    const many = Array.from({ length: 5000 }, (_, i) => i);
    expect(valuesOfOp("neg", {}, vector("int32", ...many))).toEqual(many.map((x) => 0 - x));
  });

  it("promises nothing about multiple_of but identity", () => {
    expect(valuesOfOp("multiple_of", { value: 8 }, vector("int32", 3))).toEqual([3]);
  });
});

describe("sources", () => {
  it("are filled, counted, or copied", () => {
    const two = toBits("float16", 2);
    expectSame(
      apply("full", { dtype: "float16", shape: [2], bits: two })[0],
      vector("float16", 2, 2),
    );
    expectSame(
      apply("iota", { dtype: "int32", shape: [2, 3], dimension: 1 })[0],
      tensorOf("int32", [2, 3], [0, 1, 2, 0, 1, 2]),
    );
    expectSame(
      apply("iota", { dtype: "bfloat16", shape: [2, 1], dimension: 0 })[0],
      tensorOf("bfloat16", [2, 1], [0, 1]),
    );
    const data = new Int32Array([4, 5]);
    expectSame(apply("constant", { dtype: "int32", shape: [2], data })[0], vector("int32", 4, 5));
  });
});

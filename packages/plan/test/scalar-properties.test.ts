/** Scalar arithmetic against the formulas it stands for, in exact integers and in Numbers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  applyNode,
  type BinaryOp,
  type DType,
  isSigned,
  itemSize,
  lanes,
  loadLanes,
} from "../src/scalar/index.ts";

const integers = [
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
] as const;
const floats = ["float16", "bfloat16", "float32", "float64"] as const;

const wrap = (dtype: DType, x: bigint): bigint =>
  isSigned(dtype) ? BigInt.asIntN(itemSize(dtype) * 8, x) : BigInt.asUintN(itemSize(dtype) * 8, x);

/** Small, large and edge values of an integer dtype. */
function integersOf(dtype: DType): fc.Arbitrary<bigint> {
  const bits = BigInt(itemSize(dtype) * 8);
  const any = fc.bigInt({ min: -(2n ** bits), max: 2n ** bits });
  const edges = [0n, 1n, -1n, 2n ** (bits - 1n), 2n ** (bits - 1n) - 1n, bits, bits - 1n];
  return fc
    .oneof(any, fc.constantFrom(...edges), fc.bigInt({ min: -9n, max: 9n }))
    .map((x) => wrap(dtype, x));
}

function applyBinary(op: BinaryOp, dtype: DType, x: bigint, y: bigint): bigint {
  const operands = [x, y].map((value) => {
    const out = lanes(dtype, 1);
    out[0] = out instanceof BigInt64Array || out instanceof BigUint64Array ? value : Number(value);
    return out;
  });
  return BigInt(applyNode({ op, dtype, args: [0, 1] }, operands, [dtype, dtype], 1)[0] ?? 0);
}

const formulas: [BinaryOp, (x: bigint, y: bigint, bits: bigint) => bigint][] = [
  ["add", (x, y) => x + y],
  ["sub", (x, y) => x - y],
  ["mul", (x, y) => x * y],
  ["div", (x, y) => (y === 0n ? -1n : x / y)],
  ["rem", (x, y) => (y === 0n ? x : x % y)],
  ["min", (x, y) => (x < y ? x : y)],
  ["max", (x, y) => (x < y ? y : x)],
  ["and", (x, y) => x & y],
  ["or", (x, y) => x | y],
  ["xor", (x, y) => x ^ y],
  ["shiftLeft", (x, y, bits) => (BigInt.asUintN(64, y) < bits ? x << y : 0n)],
  [
    "shiftRightLogical",
    (x, y, bits) => {
      const amount = BigInt.asUintN(Number(bits), y);
      return BigInt.asUintN(Number(bits), x) >> (amount < bits ? amount : bits);
    },
  ],
  [
    "shiftRightArithmetic",
    (x, y, bits) => {
      const amount = BigInt.asUintN(Number(bits), y);
      return BigInt.asIntN(Number(bits), x) >> (amount < bits ? amount : bits);
    },
  ],
];

describe.each(integers)("%s", (dtype) => {
  it.each(formulas)("%s is its formula on integers, wrapped", (op, formula) => {
    const bits = BigInt(itemSize(dtype) * 8);
    const value = integersOf(dtype);
    fc.assert(
      fc.property(value, value, (x, y) => {
        expect(applyBinary(op, dtype, x, y)).toBe(wrap(dtype, formula(x, y, bits)));
      }),
    );
  });
});

describe.each(["int32", "uint32"] as const)("%s", (dtype) => {
  it("mulhi is the upper half of the full product", () => {
    fc.assert(
      fc.property(integersOf(dtype), integersOf(dtype), (x, y) => {
        expect(applyBinary("mulhi", dtype, x, y)).toBe(wrap(dtype, (x * y) >> 32n));
      }),
    );
  });
});

/** Any bit pattern of a float dtype, as lanes. */
function patternsOf(dtype: (typeof floats)[number]): fc.Arbitrary<Float32Array | Float64Array> {
  const two = { minLength: 2, maxLength: 2 };
  const storage =
    dtype === "float64"
      ? fc.float64Array(two)
      : dtype === "float32"
        ? fc.float32Array(two)
        : fc.uint16Array(two);
  return storage.map((memory) => loadLanes(dtype, memory, 0, 2) as Float32Array | Float64Array);
}

describe.each(floats)("%s", (dtype) => {
  /** One rounding of a float64, through the only other road there is: convert. */
  const round = (x: number): number => {
    if (dtype === "float64") return x;
    const single = Math.fround(x);
    if (dtype === "float32") return single;
    const node = { op: "convert", dtype, args: [0] } as const;
    return Number(applyNode(node, [Float32Array.of(single)], ["float32"], 1)[0]);
  };
  const number: [BinaryOp, (x: number, y: number) => number][] = [
    ["add", (x, y) => x + y],
    ["sub", (x, y) => x - y],
    ["mul", (x, y) => x * y],
    ["div", (x, y) => x / y],
    ["rem", (x, y) => x % y],
    ["min", Math.min],
    ["max", Math.max],
  ];

  it.each(number)("%s is the operation on Numbers, rounded", (op, formula) => {
    fc.assert(
      fc.property(patternsOf(dtype), (operands) => {
        const [x, y] = [operands.slice(0, 1), operands.slice(1)];
        const result = applyNode({ op, dtype, args: [0, 1] }, [x, y], [dtype, dtype], 1);
        expect(result[0]).toBe(round(formula(x[0] as number, y[0] as number)));
      }),
    );
  });

  it("roundEven is the nearest integer, the even one of two", () => {
    fc.assert(
      fc.property(patternsOf(dtype), (x) => {
        const result = applyNode({ op: "roundEven", dtype, args: [0] }, [x], [dtype], 2);
        const value = x[0] as number;
        const rounded = Number(result[0]);
        if (!Number.isFinite(value)) {
          expect(rounded).toBe(value);
          return;
        }
        expect(Number.isInteger(rounded)).toBe(true);
        const distance = Math.abs(rounded - value);
        expect(distance).toBeLessThanOrEqual(0.5);
        if (distance === 0.5) expect(Math.abs(rounded % 2)).toBe(0);
      }),
    );
  });

  it("convert to integers is truncation, held to the range", () => {
    for (const to of integers) {
      const bits = BigInt(itemSize(to) * 8);
      const [min, max] = isSigned(to)
        ? [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]
        : [0n, 2n ** bits - 1n];
      fc.assert(
        fc.property(patternsOf(dtype), (x) => {
          const result = applyNode({ op: "convert", dtype: to, args: [0] }, [x], [dtype], 2);
          const value = x[0] as number;
          const exact = Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined;
          const held =
            exact === undefined
              ? Number.isNaN(value)
                ? 0n
                : value > 0
                  ? max
                  : min
              : exact < min
                ? min
                : exact > max
                  ? max
                  : exact;
          expect(BigInt(result[0] as number)).toBe(held);
        }),
        { numRuns: 60 },
      );
    }
  });

  it("bitcast to an integer and back keeps every bit of what is not NaN", () => {
    fc.assert(
      fc.property(patternsOf(dtype), (x) => {
        const word = (["uint16", "uint32", "uint64"] as const).find(
          (candidate) => itemSize(candidate) === itemSize(dtype),
        ) as "uint16";
        const bits = applyNode({ op: "bitcast", dtype: word, args: [0] }, [x], [dtype], 2);
        const back = applyNode({ op: "bitcast", dtype, args: [0] }, [bits], [word], 2);
        expect([...back]).toEqual([...x]);
      }),
    );
  });
});

import { BuildError } from "@gridfuse/plan/errors";
import { axis } from "@gridfuse/plan/index-expr";
import { toBits } from "@gridfuse/plan/scalar";
import { describe, expect, it } from "vitest";
import { codes } from "../../src/error-codes.ts";
import { refType, type ValueType } from "../../src/ir/types.ts";
import type { OpName, OpParams } from "../../src/ir/vocabulary.ts";
import { infer, opNames, opTable } from "../../src/ops/table.ts";
import { bool, dtypesOf, f32, i32, of, samples, uniformOps } from "./samples.ts";

const fill = toBits("float32", 0);
const ref = refType("float32", [4, 8], "any");
const dot = { dtype: "float32", accumulate: "float32" } as const;
const plain = {
  offsetDims: [],
  collapsedSliceDims: [0],
  startIndexMap: [0],
  operandBatchingDims: [],
  startIndicesBatchingDims: [],
};
const plainScatter = {
  updateWindowDims: [],
  insertedWindowDims: [0],
  scatterDimsToOperandDims: [0],
  operandBatchingDims: [],
  scatterIndicesBatchingDims: [],
};
const grid: OpParams["grid"] = {
  name: "k",
  axes: [{ name: "i", size: 2 }],
  level: "kernel",
  prefetch: 1,
  inputs: [
    {
      name: "x",
      dtype: "float32",
      shape: [8],
      block: [{ kind: "blocked", size: 4 }],
      space: "any",
    },
  ],
  outputs: [
    { name: "o", dtype: "int32", shape: [8], block: [{ kind: "blocked", size: 4 }], space: "any" },
  ],
  scratch: [],
  aliases: [],
  fill: "hlo",
  mutated: [],
};

describe("the op table", () => {
  it("names every op after its key and says what it does in a sentence", () => {
    for (const op of opNames) {
      expect(opTable[op].name).toBe(op);
      expect(opTable[op].doc).toMatch(/^\S.*\.$/);
    }
  });

  it.each(samples)("infers $op", ({ op, sample }) => {
    expect(infer(op, sample.operands, sample.params)).toEqual(sample.results);
  });

  it("gives every elementwise op the dtypes lax gives it", () => {
    const count = (op: OpName) => dtypesOf(op).length;
    expect(uniformOps.filter((op) => count(op) === 13)).toEqual([
      "max",
      "min",
      "eq",
      "ne",
      "lt",
      "le",
      "gt",
      "ge",
    ]);
    expect(dtypesOf("exp")).toEqual(["float16", "bfloat16", "float32", "float64"]);
    expect(dtypesOf("and")).not.toContain("float32");
    expect(dtypesOf("and")).toContain("bool");
    expect(dtypesOf("add")).not.toContain("bool");
    expect(dtypesOf("threefry2x32")).toEqual(["uint32"]);
  });
});

describe("named dims", () => {
  it("match themselves", () => {
    expect(infer("add", [f32("n", 3), f32("n", 3)], {})).toEqual([f32("n", 3)]);
    expect(infer("reduce_sum", [f32("n", 3)], { axes: [1] })).toEqual([f32("n")]);
    expect(infer("reshape", [f32("n", 4, 2)], { shape: [8, "n"] })).toEqual([f32(8, "n")]);
    expect(infer("transpose", [f32("n", "m")], { permutation: [1, 0] })).toEqual([f32("m", "n")]);
    expect(
      infer("dot_general", [f32("n", "k"), f32("k", 4)], {
        ...dot,
        contract: [[1], [0]],
        batch: [[], []],
      }),
    ).toEqual([f32("n", 4)]);
  });

  it("pass through what leaves them whole", () => {
    const config = [
      { lo: 0, hi: 0, interior: 0 },
      { lo: 1, hi: 1, interior: 0 },
    ];
    expect(infer("pad", [f32("n", 3), f32()], { config })).toEqual([f32("n", 5)]);
    expect(infer("concatenate", [f32("n", 3), f32("n", 1)], { dimension: 1 })).toEqual([
      f32("n", 4),
    ]);
  });
});

describe("grid, scan, while and state", () => {
  it("infer what params and operands determine", () => {
    expect(infer("grid", [i32(3), f32(8)], grid)).toEqual([i32(8)]);
    const scan = { trips: 5, carries: 1, xs: 1, reverse: false };
    expect(infer("scan", [f32(2), i32(5, 7), bool()], scan)).toEqual([f32(2)]);
    expect(infer("while", [f32(2), i32()], { carries: 2 })).toEqual([f32(2), i32()]);
  });

  const view = (...operands: readonly ValueType[]) => ({
    through: (...transforms: OpParams["get"]["transforms"]) =>
      infer("get", [refType("float32", [4, 8, 6], "any"), ...operands], { transforms })[0]!.shape,
  });
  const whole = (size: number) => ({ kind: "slice", start: 0, size, stride: 1 }) as const;
  const int = (index: number) => ({ kind: "int", index }) as const;
  const array = (operand: number) => ({ kind: "array", operand }) as const;

  it("a view without transforms is the ref", () => {
    expect(view().through()).toEqual([4, 8, 6]);
  });

  it("ints drop their dimension and slices keep it", () => {
    expect(view().through([int(3), { ...whole(3), stride: 3 }, whole(6)])).toEqual([3, 6]);
    const dynamic = { operand: 0 };
    expect(
      view(i32()).through([
        { kind: "int", index: dynamic },
        { ...whole(8), start: dynamic },
        whole(2),
      ]),
    ).toEqual([8, 2]);
  });

  it("views chain", () => {
    expect(
      view().through([whole(4), int(0), whole(6)], [int(1), { ...whole(2), start: 4 }]),
    ).toEqual([2]);
  });

  it("arrays broadcast and stand where the first one stood", () => {
    expect(view(i32(5, 1), i32(3)).through([whole(4), array(0), array(1)])).toEqual([4, 5, 3]);
    expect(view(i32(5)).through([whole(4), array(0), whole(6)])).toEqual([4, 5, 6]);
  });

  it("arrays that a slice separates go to the front, ints counting as arrays", () => {
    expect(view(i32(5), i32(5)).through([array(0), whole(8), array(1)])).toEqual([5, 8]);
    expect(view(i32(5)).through([whole(4), int(0), array(0)])).toEqual([4, 5]);
    expect(view(i32(5)).through([int(0), whole(8), array(0)])).toEqual([5, 8]);
  });
});

describe("what has no meaning is refused", () => {
  const refuse = <K extends OpName>(
    code: keyof typeof codes,
    op: K,
    operands: readonly ValueType[],
    params: OpParams[K],
  ) => ({ code, op, run: () => infer(op, operands, params) });

  const whole = { kind: "slice", start: 0, size: 8, stride: 1 } as const;
  const cases = [
    refuse("GF2101", "add", [f32(2)], {}),
    refuse("GF2101", "select_n", [bool()], {}),
    refuse("GF2101", "full", [f32()], { dtype: "int32", shape: [], bits: fill }),
    refuse("GF2102", "neg", [ref], {}),
    refuse("GF2102", "get", [f32(4)], { transforms: [] }),
    refuse("GF2103", "add", [f32(2, 3), f32(3)], {}),
    refuse("GF2103", "add", [f32("n"), f32("m")], {}),
    refuse("GF2103", "select_n", [bool(2), f32(3), f32(3)], {}),
    refuse("GF2103", "concatenate", [f32(2, 3), f32(3, 3)], { dimension: 1 }),
    refuse("GF2103", "bitcast_convert_type", [of("uint8", 3)], { dtype: "float32" }),
    refuse("GF2103", "set", [ref, f32(4)], { transforms: [] }),
    refuse("GF2103", "scan", [f32(3)], { trips: 4, carries: 0, xs: 1, reverse: false }),
    refuse("GF2103", "debug_print", [f32(2), f32(3)], { format: "{}{}", batch: 1, masked: false }),
    refuse("GF2104", "mul", [f32(2), i32(2)], {}),
    refuse("GF2104", "pad", [f32(2), i32()], { config: [{ lo: 0, hi: 0, interior: 0 }] }),
    refuse("GF2104", "addupdate", [ref, i32(4, 8)], { transforms: [] }),
    refuse("GF2105", "exp", [i32(2)], {}),
    refuse("GF2105", "add", [bool(2), bool(2)], {}),
    refuse("GF2105", "xor", [f32(2), f32(2)], {}),
    refuse("GF2105", "select_n", [of("uint8"), f32(), f32()], {}),
    refuse("GF2105", "bitcast_convert_type", [bool(2)], { dtype: "uint8" }),
    refuse("GF2105", "iota", [], { dtype: "bool", shape: [2], dimension: 0 }),
    refuse("GF2106", "reduce_sum", [f32(2)], { axes: [1] }),
    refuse("GF2106", "reduce_sum", [f32(2, 2)], { axes: [0, 0] }),
    refuse("GF2106", "transpose", [f32(2, 2)], { permutation: [0, 0] }),
    refuse("GF2106", "rev", [f32(2)], { dimensions: [-1] }),
    refuse("GF2107", "reshape", [f32(2, 3)], { shape: [4] }),
    refuse("GF2107", "reshape", [f32("n", 3)], { shape: ["m", 3] }),
    refuse("GF2108", "slice", [f32(4)], { start: [0], limit: [5], strides: [1] }),
    refuse("GF2108", "slice", [f32(4)], { start: [0], limit: [4], strides: [0] }),
    refuse("GF2108", "pad", [f32(2), f32()], { config: [{ lo: -2, hi: -1, interior: 0 }] }),
    refuse("GF2108", "full", [], { dtype: "int32", shape: [-1], bits: fill }),
    refuse("GF2108", "integer_pow", [i32(2)], { y: -1 }),
    refuse("GF2108", "top_k", [f32(3)], { k: 4 }),
    refuse("GF2108", "argmax", [f32(0)], { axis: 0, indexDType: "int32" }),
    refuse("GF2108", "select_n", [bool(), f32(), f32(), f32()], {}),
    refuse("GF2108", "dynamic_slice", [f32(3), i32()], { sizes: [4] }),
    refuse("GF2108", "view", [f32(3)], { shape: [2], index: [], fill }),
    refuse("GF2108", "view", [f32(3)], { shape: [], index: [axis(0, 2)], fill }),
    refuse("GF2108", "sort", [f32(3)], { dimension: 0, keys: 2, stable: true }),
    refuse("GF2109", "slice", [f32("n")], { start: [0], limit: [4], strides: [1] }),
    refuse("GF2109", "concatenate", [f32("n"), f32("n")], { dimension: 0 }),
    refuse("GF2109", "pad", [f32("n"), f32()], { config: [{ lo: 1, hi: 0, interior: 0 }] }),
    refuse("GF2109", "dynamic_slice", [f32("n"), i32()], { sizes: [4] }),
    refuse("GF2110", "broadcast_in_dim", [f32(3)], { shape: [4], broadcastDimensions: [0] }),
    refuse("GF2111", "dynamic_slice", [f32(3)], { sizes: [1] }),
    refuse("GF2111", "dynamic_slice", [f32(3), f32()], { sizes: [1] }),
    refuse("GF2111", "gather", [f32(3), f32(1)], {
      dimensions: plain,
      sliceSizes: [1],
      mode: "clip",
      fill,
    }),
    refuse("GF2111", "cond", [f32()], {}),
    refuse("GF2112", "gather", [f32(3), i32(2)], {
      dimensions: plain,
      sliceSizes: [1],
      mode: "clip",
      fill,
    }),
    refuse("GF2112", "gather", [f32(3), i32(1)], {
      dimensions: { ...plain, offsetDims: [0] },
      sliceSizes: [1],
      mode: "clip",
      fill,
    }),
    refuse("GF2112", "scatter", [f32(3), i32(2, 1), f32(3)], {
      dimensions: plainScatter,
      combine: "set",
      mode: "fill",
    }),
    refuse("GF2113", "dot_general", [f32(2, 3), f32(4)], {
      ...dot,
      contract: [[1], [0]],
      batch: [[], []],
    }),
    refuse("GF2113", "dot_general", [f32(2, 3), f32(3)], {
      ...dot,
      contract: [[1], []],
      batch: [[], []],
    }),
    refuse("GF2114", "get", [ref], { transforms: [[whole]] }),
    refuse("GF2114", "get", [ref], { transforms: [[{ kind: "int", index: 4 }, whole]] }),
    refuse("GF2114", "get", [ref], {
      transforms: [
        [
          { kind: "int", index: 0 },
          { ...whole, start: 1 },
        ],
      ],
    }),
    refuse("GF2114", "get", [ref], {
      transforms: [[{ kind: "int", index: { operand: 0 } }, whole]],
    }),
    refuse("GF2114", "get", [ref, f32(2)], {
      transforms: [[{ kind: "array", operand: 0 }, whole]],
    }),
    refuse("GF2116", "constant", [], { dtype: "int32", shape: [2], data: new Int32Array(3) }),
    refuse("GF2116", "constant", [], { dtype: "int32", shape: [2], data: new Float32Array(2) }),
    refuse("GF2117", "debug_print", [f32()], { format: "{{}}", batch: 0, masked: false }),
    refuse("GF2118", "grid", [i32(3), f32(9)], grid),
  ];

  it.each(cases)("$code: $op", ({ code, op, run }) => {
    let error: unknown;
    try {
      run();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(BuildError);
    const { code: received, help, message } = error as BuildError;
    expect(received).toBe(code);
    expect(help).toBeTruthy();
    expect(message).toContain(code === "GF2114" ? "ref indexer" : op);
  });

  it("with every code of the table", () => {
    const tested = new Set<string>(cases.map(({ code }) => code));
    tested.add("GF2115"); // regions: control.test.ts
    const own = Object.keys(codes).filter((code) => code.startsWith("GF21"));
    expect(own.filter((code) => !tested.has(code))).toEqual([]);
  });

  it("tells both shapes of a mismatch", () => {
    expect(() => infer("add", [f32(2, 3), f32(3)], {})).toThrow("add of shapes [2, 3] and [3]");
  });

  it("sends those who named a dim that has to have a size to the graph's inputs, not to `compile`", () => {
    expect(() => infer("concatenate", [f32("rows"), f32(1)], { dimension: 0 })).toThrow(
      /a size in place of "rows" where the graph's inputs are declared.*too late for concatenate/,
    );
  });
});

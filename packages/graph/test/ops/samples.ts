/**
 * Small valid uses of every op that can be batched: what the tests of shape rules, batching and
 * (in @gridfuse/interpret) meaning run over.
 */
import { axis, constant, mod } from "@gridfuse/plan/index-expr";

import { toBits as bits, type DType, dtypes } from "@gridfuse/plan/scalar";
import { type Shape, type TensorType, tensorType } from "../../src/ir/types.ts";
import type { OpName, OpParams } from "../../src/ir/vocabulary.ts";
import { definitionOf, opNames } from "../../src/ops/table.ts";

export interface Sample<K extends OpName = OpName> {
  readonly operands: readonly TensorType[];
  readonly params: OpParams[K];
  readonly results: readonly TensorType[];
}

export const f32 = (...shape: Shape): TensorType => tensorType("float32", shape);
export const i32 = (...shape: Shape): TensorType => tensorType("int32", shape);
export const bool = (...shape: Shape): TensorType => tensorType("bool", shape);
export const of = (dtype: DType, ...shape: Shape): TensorType => tensorType(dtype, shape);

/** Ops whose operands are all of one type, with the params they need. */
const uniformParams: { readonly [K in OpName]?: OpParams[K] } = {
  round: { roundingMethod: "away" },
  integer_pow: { y: 3 },
  reduce_precision: { exponentBits: 5, mantissaBits: 3 },
  multiple_of: { value: 4 },
  threefry2x32: { word: 0 },
};

/** Elementwise ops that take operands of one shape and dtype. */
export const uniformOps: readonly OpName[] = opNames.filter(
  (op) =>
    definitionOf(op).category === "elementwise" &&
    !["select_n", "clamp", "convert_element_type", "bitcast_convert_type"].includes(op),
);

export const uniformParamsOf = <K extends OpName>(op: K): OpParams[K] =>
  (uniformParams[op] ?? {}) as OpParams[K];

/** The dtypes on which a uniform elementwise op is defined. */
export const dtypesOf = (op: OpName): readonly DType[] =>
  dtypes.filter((dtype) => {
    try {
      const operands = Array.from({ length: definitionOf(op).arity }, () => of(dtype));
      definitionOf(op).infer(operands, uniformParamsOf(op));
      return true;
    } catch {
      return false;
    }
  });

function uniformSample(op: OpName): Sample {
  const dtype = dtypesOf(op).at(-1) as DType;
  const operand = of(dtype, 2, 3);
  const result = ["eq", "ne", "lt", "le", "gt", "ge", "is_finite"].includes(op) ? "bool" : dtype;
  return {
    operands: Array.from({ length: definitionOf(op).arity }, () => operand),
    params: uniformParamsOf(op),
    results: [of(result, 2, 3)],
  };
}

const sample = <K extends OpName>(
  _: K,
  operands: readonly TensorType[],
  params: OpParams[K],
  ...results: readonly TensorType[]
): Sample<K> => ({ operands, params, results });

const take = {
  offsetDims: [0],
  collapsedSliceDims: [1],
  startIndexMap: [1],
  operandBatchingDims: [],
  startIndicesBatchingDims: [],
};
const alongAxis = {
  offsetDims: [],
  collapsedSliceDims: [1],
  startIndexMap: [1],
  operandBatchingDims: [0],
  startIndicesBatchingDims: [0],
};
const put = {
  updateWindowDims: [0],
  insertedWindowDims: [1],
  scatterDimsToOperandDims: [1],
  operandBatchingDims: [],
  scatterIndicesBatchingDims: [],
};
const putAlongAxis = {
  updateWindowDims: [],
  insertedWindowDims: [1],
  scatterDimsToOperandDims: [1],
  operandBatchingDims: [0],
  scatterIndicesBatchingDims: [0],
};

const special: { readonly [K in OpName]?: readonly Sample<K>[] } = {
  select_n: [
    sample("select_n", [bool(2, 3), f32(2, 3), f32(2, 3)], {}, f32(2, 3)),
    sample("select_n", [bool(), f32(2, 3), f32(2, 3)], {}, f32(2, 3)),
    sample("select_n", [i32(), f32(), f32(), f32()], {}, f32()),
    sample("select_n", [i32(3), f32(3), f32(3), f32(3)], {}, f32(3)),
  ],
  clamp: [
    sample("clamp", [f32(2, 3), f32(2, 3), f32(2, 3)], {}, f32(2, 3)),
    sample("clamp", [f32(), f32(2, 3), f32()], {}, f32(2, 3)),
    sample("clamp", [i32(), i32(), i32()], {}, i32()),
  ],
  convert_element_type: [
    sample("convert_element_type", [f32(2, 3)], { dtype: "int8" }, of("int8", 2, 3)),
  ],
  bitcast_convert_type: [
    sample("bitcast_convert_type", [f32(2, 3)], { dtype: "int32" }, i32(2, 3)),
    sample("bitcast_convert_type", [f32(2)], { dtype: "uint8" }, of("uint8", 2, 4)),
    sample("bitcast_convert_type", [of("uint16", 3, 2)], { dtype: "float32" }, f32(3)),
  ],
  broadcast_in_dim: [
    sample(
      "broadcast_in_dim",
      [f32(3, 1)],
      { shape: [2, 3, 4], broadcastDimensions: [1, 2] },
      f32(2, 3, 4),
    ),
    sample("broadcast_in_dim", [f32()], { shape: [2], broadcastDimensions: [] }, f32(2)),
  ],
  reshape: [sample("reshape", [f32(2, 6)], { shape: [3, 1, 4] }, f32(3, 1, 4))],
  transpose: [sample("transpose", [f32(2, 3, 4)], { permutation: [2, 0, 1] }, f32(4, 2, 3))],
  slice: [
    sample("slice", [f32(5, 8)], { start: [1, 0], limit: [4, 7], strides: [1, 3] }, f32(3, 3)),
  ],
  rev: [sample("rev", [f32(2, 3)], { dimensions: [1] }, f32(2, 3))],
  view: [
    sample(
      "view",
      [f32(4, 3)],
      { shape: [2, 5], index: [axis(0, 2), mod(axis(1, 5), 3)], fill: bits("float32", 0) },
      f32(2, 5),
    ),
    sample("view", [f32(4)], { shape: [], index: [constant(2)], fill: bits("float32", 0) }, f32()),
  ],
  pad: [
    sample(
      "pad",
      [f32(2, 3), f32()],
      {
        config: [
          { lo: 1, hi: -1, interior: 0 },
          { lo: 0, hi: 2, interior: 1 },
        ],
      },
      f32(2, 7),
    ),
  ],
  concatenate: [
    sample("concatenate", [f32(2, 3), f32(2, 0), f32(2, 1)], { dimension: 1 }, f32(2, 4)),
  ],
  dynamic_slice: [
    sample("dynamic_slice", [f32(4, 5), i32(), of("int64")], { sizes: [2, 5] }, f32(2, 5)),
  ],
  dynamic_update_slice: [
    sample("dynamic_update_slice", [f32(4, 5), f32(2, 3), i32(), of("uint8")], {}, f32(4, 5)),
  ],
  gather: [
    sample(
      "gather",
      [f32(3, 5), i32(7, 1)],
      { dimensions: take, sliceSizes: [3, 1], mode: "fill", fill: bits("float32", Number.NaN) },
      f32(3, 7),
    ),
    sample(
      "gather",
      [f32(3, 5), i32(3, 2, 1)],
      { dimensions: alongAxis, sliceSizes: [1, 1], mode: "clip", fill: bits("float32", 0) },
      f32(3, 2),
    ),
  ],
  scatter: [
    sample(
      "scatter",
      [f32(3, 5), i32(7, 1), f32(3, 7)],
      { dimensions: put, combine: "add", mode: "fill" },
      f32(3, 5),
    ),
    sample(
      "scatter",
      [f32(3, 5), i32(3, 2, 1), f32(3, 2)],
      { dimensions: putAlongAxis, combine: "set", mode: "clip" },
      f32(3, 5),
    ),
  ],
  reduce_sum: [sample("reduce_sum", [f32(2, 3, 4)], { axes: [0, 2] }, f32(3))],
  reduce_prod: [sample("reduce_prod", [f32(2, 3)], { axes: [1] }, f32(2))],
  reduce_max: [sample("reduce_max", [f32(2, 3)], { axes: [] }, f32(2, 3))],
  reduce_min: [sample("reduce_min", [bool(2, 3)], { axes: [0, 1] }, bool())],
  reduce_and: [sample("reduce_and", [i32(2, 3)], { axes: [0] }, i32(3))],
  reduce_or: [sample("reduce_or", [bool(2, 3)], { axes: [1] }, bool(2))],
  reduce_xor: [sample("reduce_xor", [bool(2, 3)], { axes: [1] }, bool(2))],
  argmax: [sample("argmax", [f32(2, 3)], { axis: 1, indexDType: "int32" }, i32(2))],
  argmin: [sample("argmin", [f32(2, 3)], { axis: 0, indexDType: "uint8" }, of("uint8", 3))],
  cumsum: [sample("cumsum", [f32(2, 3)], { axis: 1, reverse: false }, f32(2, 3))],
  cumprod: [sample("cumprod", [i32(2, 3)], { axis: 0, reverse: true }, i32(2, 3))],
  cummax: [sample("cummax", [f32(2, 3)], { axis: 1, reverse: true }, f32(2, 3))],
  cummin: [sample("cummin", [f32(2, 3)], { axis: 0, reverse: false }, f32(2, 3))],
  cumlogsumexp: [sample("cumlogsumexp", [f32(4)], { axis: 0, reverse: false }, f32(4))],
  dot_general: [
    sample(
      "dot_general",
      [f32(2, 3, 4), f32(4, 2, 5)],
      { contract: [[2], [0]], batch: [[0], [1]], dtype: "float32", accumulate: "float32" },
      f32(2, 3, 5),
    ),
    sample(
      "dot_general",
      [f32(2, 3), f32(4, 5)],
      { contract: [[], []], batch: [[], []], dtype: "float32", accumulate: "float32" },
      f32(2, 3, 4, 5),
    ),
    sample(
      "dot_general",
      [of("int8", 3), of("int8", 3)],
      { contract: [[0], [0]], batch: [[], []], dtype: "int32", accumulate: "int32" },
      i32(),
    ),
  ],
  sort: [
    sample(
      "sort",
      [f32(2, 3), i32(2, 3)],
      { dimension: 1, keys: 1, stable: true },
      f32(2, 3),
      i32(2, 3),
    ),
  ],
  top_k: [sample("top_k", [f32(2, 5)], { k: 3 }, f32(2, 3), i32(2, 3))],
  debug_print: [
    sample("debug_print", [f32(), i32(3)], { format: "{} {{}} {}", batch: 0, masked: false }),
    sample("debug_print", [bool(4), f32(4, 2)], { format: "x={}", batch: 1, masked: true }),
  ],
};

/** Every op that has a batching rule, with its samples. */
export const samples: readonly { readonly op: OpName; readonly sample: Sample }[] = opNames
  .filter((op) => definitionOf(op).batch !== undefined)
  .flatMap((op) => {
    const own = uniformOps.includes(op) ? [uniformSample(op)] : (special[op] ?? []);
    if (own.length === 0) throw new Error(`no sample of ${op}`);
    return own.map((each) => ({ op, sample: each as Sample }));
  });

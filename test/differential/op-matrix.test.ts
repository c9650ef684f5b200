/**
 * Every op on every dtype it takes, over shapes that break loops: interpreter, plan on JS, plan on
 * WebAssembly, to the bit. The table below has an entry for every op of the op table; a new op
 * without one fails to compile, and fails here.
 */
import {
  type DType,
  definitionOf,
  dtypes,
  Emitter,
  infer,
  isInteger,
  itemSize,
  newRegion,
  type OpName,
  type OpParams,
  opNames,
  type Program,
  Table,
  type TensorType,
  tensorType,
  toBits,
  type ValueId,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import { axis, constant, floordiv, mod, mul } from "@gridfuse/plan/index-expr";
import { describe, expect, test } from "vitest";
import { disagreements } from "./support/three-way.ts";
import { Random, randomTensor, type Style } from "./support/values.ts";

// ── Cases ───────────────────────────────────────────────────────────────────────────────────

type Shape = readonly number[];

/** One application of an op. Operands are shapes with dtypes, or tensors where the values matter. */
interface Case<K extends OpName> {
  readonly params: OpParams[K];
  readonly operands: readonly (TensorType | HostTensor)[];
}

/** Cases of an op for one dtype; none where the op does not take it. */
type Entry<K extends OpName> = {
  readonly cases: (dtype: DType) => readonly Case<K>[];
  readonly style?: Style;
};

const shapes: readonly Shape[] = [
  [],
  [0],
  [1],
  [13],
  [17, 33],
  [3, 0, 2],
  [2, 3, 5],
  [1, 2, 1, 3],
  [2, 1, 3, 2, 2],
  [2, 1, 2, 1, 3, 2],
];
const ranked = shapes.filter((shape) => shape.length > 0);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const count = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** Whether the op's own rule takes these operands. */
function accepts<K extends OpName>(
  op: K,
  operands: readonly TensorType[],
  params: OpParams[K],
): boolean {
  try {
    infer(op, operands, params);
    return true;
  } catch {
    return false;
  }
}

/** All operands of one dtype and shape, over all shapes and the given params. */
const alike = <K extends OpName>(
  op: K,
  arity: number,
  ...params: readonly OpParams[K][]
): Entry<K> => ({
  cases: (dtype) =>
    (params.length === 0 ? [{} as OpParams[K]] : params).flatMap((given) =>
      accepts(op, Array(arity).fill(tensorType(dtype, [1])), given)
        ? shapes.map((shape) => ({
            params: given,
            operands: Array(arity).fill(tensorType(dtype, shape)),
          }))
        : [],
    ),
});
const unary = <K extends OpName>(op: K, ...params: readonly OpParams[K][]) =>
  alike(op, 1, ...params);
const binary = <K extends OpName>(op: K) => alike(op, 2);

const over = <K extends OpName>(
  among: readonly Shape[],
  make: (shape: Shape, dtype: DType) => readonly Case<K>[],
  where: (dtype: DType) => boolean = () => true,
): Entry<K> => ({
  cases: (dtype) => (where(dtype) ? among.flatMap((shape) => make(shape, dtype)) : []),
});

const indices = (dtype: DType, shape: Shape, ...values: readonly number[]): HostTensor =>
  tensorOf(
    dtype,
    shape,
    range(count(shape)).map((i) => values[i % values.length] as number),
  );
const integer = (dtype: DType, value: number): HostTensor => tensorOf(dtype, [], [value]);

// ── Families ────────────────────────────────────────────────────────────────────────────────

/** First, last, every second, and all axes. */
const axisSets = (rank: number): readonly (readonly number[])[] => {
  const all = range(rank);
  const sets = [[], [0], [rank - 1], all.filter((d) => d % 2 === 0), all];
  const keys = new Set<string>();
  return sets.filter((set) => {
    const key = set.join();
    const fresh = !keys.has(key) && set.every((d) => d >= 0 && d < rank);
    keys.add(key);
    return fresh;
  });
};

const longShapes: readonly Shape[] = [[600], [300, 3], [2, 257]];

type Reduce = `reduce_${"sum" | "prod" | "max" | "min" | "and" | "or" | "xor"}`;
const reduction = <K extends Reduce>(op: K): Entry<K> =>
  over([...shapes, ...longShapes], (shape, dtype) =>
    (longShapes.includes(shape) ? [[0], [shape.length - 1]] : axisSets(shape.length))
      .map((axes) => ({ params: { axes } as OpParams[K], operands: [tensorType(dtype, shape)] }))
      .filter(({ operands, params }) => accepts(op, operands, params)),
  );

const argExtreme = <K extends "argmax" | "argmin">(): Entry<K> =>
  over(
    [...ranked, ...longShapes].filter((shape) => !shape.includes(0)),
    (shape, dtype) =>
      [...new Set([0, shape.length - 1])].map((along) => ({
        params: { axis: along, indexDType: along === 0 ? "int32" : "int64" } as OpParams[K],
        operands: [tensorType(dtype, shape)],
      })),
  );

const cumulative = <K extends "cumsum" | "cumprod" | "cummax" | "cummin" | "cumlogsumexp">(
  op: K,
): Entry<K> =>
  over([...ranked, [300]], (shape, dtype) =>
    [...new Set([0, shape.length - 1])].flatMap((along) =>
      [false, true]
        .map((reverse) => ({
          params: { axis: along, reverse } as OpParams[K],
          operands: [tensorType(dtype, shape)],
        }))
        .filter(({ operands, params }) => accepts(op, operands, params)),
    ),
  );

const dotShapes: readonly {
  readonly lhs: Shape;
  readonly rhs: Shape;
  readonly contract: readonly [readonly number[], readonly number[]];
  readonly batch: readonly [readonly number[], readonly number[]];
}[] = [
  { lhs: [17, 33], rhs: [33, 13], contract: [[1], [0]], batch: [[], []] },
  { lhs: [33, 17], rhs: [13, 33], contract: [[0], [1]], batch: [[], []] },
  { lhs: [1, 1], rhs: [1, 1], contract: [[1], [0]], batch: [[], []] },
  { lhs: [3, 0], rhs: [0, 2], contract: [[1], [0]], batch: [[], []] },
  { lhs: [0, 3], rhs: [3, 2], contract: [[1], [0]], batch: [[], []] },
  { lhs: [5], rhs: [5], contract: [[0], [0]], batch: [[], []] },
  { lhs: [3], rhs: [4], contract: [[], []], batch: [[], []] },
  { lhs: [], rhs: [4], contract: [[], []], batch: [[], []] },
  { lhs: [2, 5, 3], rhs: [3, 2, 4], contract: [[2], [0]], batch: [[0], [1]] },
  {
    lhs: [2, 3, 4, 5],
    rhs: [5, 2, 4, 3],
    contract: [
      [3, 2],
      [0, 2],
    ],
    batch: [
      [0, 1],
      [1, 3],
    ],
  },
  { lhs: [16, 64], rhs: [64, 32], contract: [[1], [0]], batch: [[], []] },
];

const accumulatorsOf = (dtype: DType): readonly (readonly [DType, DType])[] => {
  if (dtype === "bool") return [];
  if (dtype === "float16" || dtype === "bfloat16")
    return [
      ["float32", "float32"],
      [dtype, "float32"],
    ];
  if (isInteger(dtype) && itemSize(dtype) < 4) return [["int32", "int32"]];
  return [[dtype, dtype]];
};

const takeRows = (shape: Shape): OpParams["gather"]["dimensions"] => ({
  offsetDims: range(shape.length).slice(1),
  collapsedSliceDims: [0],
  startIndexMap: [0],
  operandBatchingDims: [],
  startIndicesBatchingDims: [],
});
const putRows = (shape: Shape): OpParams["scatter"]["dimensions"] => ({
  updateWindowDims: range(shape.length).slice(1),
  insertedWindowDims: [0],
  scatterDimsToOperandDims: [0],
  operandBatchingDims: [],
  scatterIndicesBatchingDims: [],
});
const solid = ranked.filter((shape) => !shape.includes(0));

// ── The table ───────────────────────────────────────────────────────────────────────────────

/** Tested by other means: what they compute is in their regions. */
const elsewhere = "random-graphs and random-kernels" as const;

const matrix: { readonly [K in OpName]: Entry<K> | typeof elsewhere } = {
  full: over(shapes, (shape, dtype) => [
    { params: { dtype, shape, bits: toBits(dtype, 3) }, operands: [] },
  ]),
  constant: over(shapes, (shape, dtype) => [
    {
      params: { dtype, shape, data: randomTensor(dtype, shape, new Random(5)).data },
      operands: [],
    },
  ]),
  iota: over(ranked, (shape, dtype) =>
    range(shape.length)
      .map((dimension) => ({ params: { dtype, shape, dimension }, operands: [] }))
      .filter(({ params }) => accepts("iota", [], params)),
  ),

  neg: unary("neg"),
  abs: unary("abs"),
  sign: unary("sign"),
  floor: unary("floor"),
  ceil: unary("ceil"),
  round: unary("round", { roundingMethod: "away" }, { roundingMethod: "even" }),
  is_finite: unary("is_finite"),
  square: unary("square"),
  integer_pow: unary("integer_pow", { y: 0 }, { y: 1 }, { y: 5 }, { y: -3 }),
  sqrt: unary("sqrt"),
  not: unary("not"),
  population_count: unary("population_count"),
  clz: unary("clz"),
  exp: unary("exp"),
  exp2: unary("exp2"),
  expm1: unary("expm1"),
  log: unary("log"),
  log1p: unary("log1p"),
  log2: unary("log2"),
  sin: unary("sin"),
  cos: unary("cos"),
  tan: unary("tan"),
  asin: unary("asin"),
  acos: unary("acos"),
  atan: unary("atan"),
  sinh: unary("sinh"),
  cosh: unary("cosh"),
  tanh: unary("tanh"),
  asinh: unary("asinh"),
  acosh: unary("acosh"),
  atanh: unary("atanh"),
  logistic: unary("logistic"),
  erf: unary("erf"),
  erfc: unary("erfc"),
  erf_inv: unary("erf_inv"),
  lgamma: unary("lgamma"),
  digamma: unary("digamma"),
  rsqrt: unary("rsqrt"),
  cbrt: unary("cbrt"),
  pow: binary("pow"),
  atan2: binary("atan2"),
  nextafter: binary("nextafter"),

  convert_element_type: unary("convert_element_type", ...dtypes.map((dtype) => ({ dtype }))),
  bitcast_convert_type: over(shapes, (shape, dtype) =>
    dtypes
      .map((to) => {
        const ratio = itemSize(to) / itemSize(dtype);
        return {
          params: { dtype: to },
          operands: [tensorType(dtype, ratio > 1 ? [...shape, ratio] : shape)],
        };
      })
      .filter(({ operands, params }) => accepts("bitcast_convert_type", operands, params)),
  ),
  reduce_precision: unary(
    "reduce_precision",
    { exponentBits: 5, mantissaBits: 3 },
    { exponentBits: 8, mantissaBits: 7 },
    { exponentBits: 3, mantissaBits: 0 },
  ),
  multiple_of: unary("multiple_of", { value: 1 }),

  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  rem: binary("rem"),
  max: binary("max"),
  min: binary("min"),
  and: binary("and"),
  or: binary("or"),
  xor: binary("xor"),
  shift_left: binary("shift_left"),
  shift_right_logical: binary("shift_right_logical"),
  shift_right_arithmetic: binary("shift_right_arithmetic"),
  eq: binary("eq"),
  ne: binary("ne"),
  lt: binary("lt"),
  le: binary("le"),
  gt: binary("gt"),
  ge: binary("ge"),
  select_n: over(shapes, (shape, dtype) => {
    const one = tensorType(dtype, shape);
    return [
      { params: {}, operands: [tensorType("bool", shape), one, one] },
      { params: {}, operands: [tensorType("bool", []), one, one] },
      { params: {}, operands: [indices("int32", shape, 0, 1, 2), one, one, one] },
      { params: {}, operands: [indices("int32", [], 2), one, one, one] },
    ];
  }),
  clamp: over(shapes, (shape, dtype) => {
    const [whole, scalar] = [tensorType(dtype, shape), tensorType(dtype, [])];
    return [
      [whole, whole, whole],
      [scalar, whole, scalar],
      [scalar, whole, whole],
    ]
      .filter((operands) => accepts("clamp", operands, {}))
      .map((operands) => ({ params: {}, operands }));
  }),
  threefry2x32: alike("threefry2x32", 4, { word: 0 }, { word: 1 }),

  broadcast_in_dim: over(shapes.slice(0, -1), (shape, dtype) => [
    {
      params: { shape: [...shape, 3], broadcastDimensions: range(shape.length) },
      operands: [tensorType(dtype, shape)],
    },
    {
      params: { shape: [2, ...shape], broadcastDimensions: range(shape.length).map((d) => d + 1) },
      operands: [
        tensorType(
          dtype,
          shape.map((extent, d) => (d % 2 === 0 ? extent : 1)),
        ),
      ],
    },
  ]),
  reshape: over(shapes, (shape, dtype) => [
    { params: { shape: [count(shape)] }, operands: [tensorType(dtype, shape)] },
    { params: { shape: [...shape.toReversed(), 1] }, operands: [tensorType(dtype, shape)] },
  ]),
  transpose: over(shapes, (shape, dtype) => {
    const axes = range(shape.length);
    return [axes.toReversed(), [...axes.slice(1), ...axes.slice(0, 1)]].map((permutation) => ({
      params: { permutation },
      operands: [tensorType(dtype, shape)],
    }));
  }),
  slice: over(shapes, (shape, dtype) => [
    {
      params: {
        start: shape.map((extent) => Math.min(1, extent)),
        limit: shape.map((extent) => Math.max(Math.min(1, extent), extent - 1)),
        strides: shape.map((_, d) => (d % 2) + 1),
      },
      operands: [tensorType(dtype, shape)],
    },
    {
      params: { start: shape.map(() => 0), limit: shape, strides: shape.map(() => 3) },
      operands: [tensorType(dtype, shape)],
    },
  ]),
  rev: over(shapes, (shape, dtype) =>
    axisSets(shape.length).map((dimensions) => ({
      params: { dimensions },
      operands: [tensorType(dtype, shape)],
    })),
  ),
  view: over(solid, (shape, dtype) => [
    {
      params: {
        shape: [4, 3],
        index: shape.map((extent, d) =>
          d === 0 ? floordiv(mul(axis(0, 4), extent), 2) : mod(axis(1, 3), extent),
        ),
        fill: toBits(dtype, 1),
      },
      operands: [tensorType(dtype, shape)],
    },
    {
      params: { shape: [], index: shape.map(() => constant(-1)), fill: toBits(dtype, 2) },
      operands: [tensorType(dtype, shape)],
    },
  ]),
  pad: over(shapes, (shape, dtype) => {
    const operands = [tensorType(dtype, shape), tensorType(dtype, [])];
    const configs = [
      { lo: 1, hi: 2, interior: 0 },
      { lo: 2, hi: -1, interior: 0 },
      { lo: 1, hi: 1, interior: 2 },
      { lo: -1, hi: 1, interior: 1 },
    ];
    return configs
      .map((config) => {
        const none = { lo: 0, hi: 0, interior: 0 };
        return {
          params: { config: shape.map((_, d) => (d < shape.length - 2 ? none : config)) },
          operands,
        };
      })
      .filter(({ params }) => accepts("pad", operands, params));
  }),
  concatenate: over(ranked, (shape, dtype) =>
    [...new Set([0, shape.length - 1])].map((dimension) => ({
      params: { dimension },
      operands: [3, 0, 1].map((extent) => tensorType(dtype, shape.with(dimension, extent))),
    })),
  ),

  dynamic_slice: over(shapes, (shape, dtype) =>
    [-3, 0, 1, 100].map((start, i) => ({
      params: { sizes: shape.map((extent) => Math.ceil(extent / 2)) },
      operands: [
        tensorType(dtype, shape),
        ...shape.map((_, d) =>
          integer(
            i === 1 ? "uint8" : "int32",
            start < 0 && i === 1 ? 0 : start + (start === 0 ? d : 0),
          ),
        ),
      ],
    })),
  ),
  dynamic_update_slice: over(shapes, (shape, dtype) =>
    [-3, 0, 1, 100].map((start) => ({
      params: {},
      operands: [
        tensorType(dtype, shape),
        tensorType(
          dtype,
          shape.map((extent) => Math.ceil(extent / 2)),
        ),
        ...shape.map(() => integer("int64", start)),
      ],
    })),
  ),
  gather: over(solid, (shape, dtype) =>
    (["clip", "fill"] as const).flatMap((mode) =>
      (["int32", "uint8", "int64"] as const).map((indexDType) => ({
        params: {
          dimensions: takeRows(shape),
          sliceSizes: shape.with(0, 1),
          mode,
          fill: toBits(dtype, 1),
        },
        operands: [
          tensorType(dtype, shape),
          indices(indexDType, [5, 1], 0, indexDType === "uint8" ? 200 : -1, 1, 100, 2),
        ],
      })),
    ),
  ),
  scatter: over(solid, (shape, dtype) =>
    (["clip", "fill"] as const).flatMap((mode) =>
      (["set", "add", "mul", "min", "max"] as const)
        .map((combine) => ({
          params: { dimensions: putRows(shape), combine, mode },
          operands: [
            tensorType(dtype, shape),
            indices("int32", [6, 1], 0, 1, 0, -1, 100, 2),
            tensorType(dtype, shape.with(0, 6)),
          ],
        }))
        .filter(({ params }) =>
          accepts(
            "scatter",
            [
              tensorType(dtype, shape),
              tensorType("int32", [6, 1]),
              tensorType(dtype, shape.with(0, 6)),
            ],
            params,
          ),
        ),
    ),
  ),

  reduce_sum: reduction("reduce_sum"),
  reduce_prod: reduction("reduce_prod"),
  reduce_max: reduction("reduce_max"),
  reduce_min: reduction("reduce_min"),
  reduce_and: reduction("reduce_and"),
  reduce_or: reduction("reduce_or"),
  reduce_xor: reduction("reduce_xor"),
  argmax: argExtreme(),
  argmin: argExtreme(),
  cumsum: cumulative("cumsum"),
  cumprod: cumulative("cumprod"),
  cummax: cumulative("cummax"),
  cummin: cumulative("cummin"),
  cumlogsumexp: cumulative("cumlogsumexp"),

  dot_general: {
    style: "tame",
    cases: (dtype) =>
      accumulatorsOf(dtype).flatMap(([result, accumulate]) =>
        dotShapes.map(({ lhs, rhs, contract, batch }) => ({
          params: { contract, batch, dtype: result, accumulate },
          operands: [tensorType(dtype, lhs), tensorType(dtype, rhs)],
        })),
      ),
  },
  sort: over([...ranked, [300]], (shape, dtype) =>
    [...new Set([0, shape.length - 1])].flatMap((dimension) => [
      { params: { dimension, keys: 1, stable: true }, operands: [tensorType(dtype, shape)] },
      {
        params: { dimension, keys: 2, stable: true },
        operands: [
          tensorType("int8", shape),
          tensorType(dtype, shape),
          tensorType("uint16", shape),
        ],
      },
    ]),
  ),
  top_k: over(ranked, (shape, dtype) =>
    [0, 1, shape.at(-1) as number]
      .filter((k) => k <= (shape.at(-1) as number))
      .map((k) => ({ params: { k }, operands: [tensorType(dtype, shape)] })),
  ),

  grid: elsewhere,
  scan: elsewhere,
  while: elsewhere,
  cond: elsewhere,
  get: elsewhere,
  set: elsewhere,
  addupdate: elsewhere,
  debug_print: elsewhere,
};

// ── Running it ──────────────────────────────────────────────────────────────────────────────

const isTensor = (operand: TensorType | HostTensor): operand is HostTensor => "data" in operand;

/** One program with all cases of one op and dtype, an output a result. */
function programOf<K extends OpName>(
  op: K,
  cases: readonly Case<K>[],
  style: Style,
): { program: Program; inputs: Record<string, HostTensor> } {
  const table = new Table();
  const main = newRegion();
  const e = new Emitter(table, main);
  const inputs: Record<string, HostTensor> = {};
  const outputs: string[] = [];
  const random = new Random(opNames.indexOf(op) + 1);
  for (const [i, { params, operands }] of cases.entries()) {
    const values = operands.map((operand, j): ValueId => {
      const { dtype, shape } = operand;
      inputs[`x${i}_${j}`] = isTensor(operand)
        ? operand
        : randomTensor(dtype, shape as Shape, random, style);
      return table.newParam(main, tensorType(dtype, shape));
    });
    const results = e.emitAll(op, values, params);
    for (const [r, value] of results.entries()) {
      outputs.push(`y${i}_${r}`);
      main.results.push(value);
    }
  }
  return { program: { name: op, table, main, inputs: Object.keys(inputs), outputs }, inputs };
}

test("every op has an entry", () => {
  expect(Object.keys(matrix).sort()).toEqual([...opNames].sort());
  for (const op of opNames) {
    const entry = matrix[op];
    if (entry === elsewhere) continue;
    const taken = dtypes.filter((dtype) => entry.cases(dtype).length > 0);
    expect(taken, op).not.toEqual([]);
  }
});

const entries = opNames.flatMap((op) => {
  const entry = matrix[op] as Entry<OpName> | typeof elsewhere;
  return entry === elsewhere ? [] : [{ op, entry, category: definitionOf(op).category }];
});

describe.each([...new Set(entries.map(({ category }) => category))])("%s", (category) => {
  test.each(entries.filter((entry) => entry.category === category))("$op", ({ op, entry }) => {
    for (const dtype of dtypes) {
      const cases = entry.cases(dtype);
      if (cases.length === 0) continue;
      const { program, inputs } = programOf(op, cases, entry.style ?? "wild");
      const lines = disagreements(program, inputs, { bounded: () => ({ exact: true }) });
      if (lines.length > 0) expect.fail([`${op} on ${dtype}`, ...lines].join("\n"));
    }
  });
});

/**
 * Random, well-formed applications of every op that computes: params with the types of its operands.
 * What a random test needs to know of an op stands here and nowhere else.
 */
import {
  type DType,
  definitionOf,
  dtypes,
  fromBits,
  infer,
  isFloat,
  itemSize,
  type OpDefinition,
  type OpName,
  type OpParams,
  type ScalarValue,
  tensorType,
} from "@gridfuse/graph";
import { add, axis, constant, floordiv, type IndexExpr, mod, mul } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { type HostTensor, tensorOf } from "../../src/index.ts";

export interface OperandSample {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly elements: fc.Arbitrary<ScalarValue>;
}

export interface Sample<K extends OpName = OpName> {
  readonly op: K;
  readonly params: OpParams[K];
  readonly operands: readonly OperandSample[];
}

// ── Elements and shapes ─────────────────────────────────────────────────────────────────────

/** Any value of `dtype`, with a liking for the awkward ones. */
export function anyElement(dtype: DType): fc.Arbitrary<ScalarValue> {
  if (dtype === "bool") return fc.boolean();
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const anyBits = fc.tuple(word, word).map(([lo, hi]) => fromBits(dtype, { lo, hi }));
  const narrow = fc.integer({ min: 0, max: 2 ** (8 * Math.min(itemSize(dtype), 4)) - 1 });
  const patterns =
    itemSize(dtype) < 4 ? narrow.map((lo) => fromBits(dtype, { lo, hi: 0 })) : anyBits;
  const small: fc.Arbitrary<ScalarValue> = isFloat(dtype)
    ? fc.constantFrom(0, -0, 1, -1, 0.5, -2.5, 3, Number.NaN, Infinity, -Infinity, 2 ** -14)
    : fc.integer({ min: isSignedName(dtype) ? -3 : 0, max: 5 });
  return fc.oneof({ weight: 3, arbitrary: small }, { weight: 1, arbitrary: patterns });
}

const isSignedName = (dtype: DType): boolean => dtype.startsWith("int");

const operand = (
  dtype: DType,
  shape: readonly number[],
  elements: fc.Arbitrary<ScalarValue> = anyElement(dtype),
): OperandSample => ({ dtype, shape, elements });

/** Tensors of an operand's type. */
export const anyTensor = ({ dtype, shape, elements }: OperandSample): fc.Arbitrary<HostTensor> => {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return fc
    .array(elements, { minLength: count, maxLength: count })
    .map((values) => tensorOf(dtype, shape, values));
};

const anyDim: fc.Arbitrary<number> = fc.constantFrom(0, 1, 2, 2, 3, 3, 4);
const dim: fc.Arbitrary<number> = fc.constantFrom(1, 2, 2, 3, 4);
const shapes = (minLength = 0, maxLength = 3) => fc.array(anyDim, { minLength, maxLength });
const fullShapes = (minLength = 1, maxLength = 3) => fc.array(dim, { minLength, maxLength });
const anyDType = fc.constantFrom(...dtypes);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const orderOf = (count: number) =>
  fc.shuffledSubarray(range(count), { minLength: count, maxLength: count });
const someOf = (items: readonly number[]) => fc.subarray([...items]);

/** Dtypes that `op` takes for all its operands. */
function acceptedDTypes<K extends OpName>(op: K, count: number, params: OpParams[K]): DType[] {
  return dtypes.filter((dtype) => {
    try {
      infer(op, new Array(count).fill(tensorType(dtype, [1])), params);
      return true;
    } catch {
      return false;
    }
  });
}

// ── Families ────────────────────────────────────────────────────────────────────────────────

/** Operands of one type. */
const alike = <K extends OpName>(
  op: K,
  params: fc.Arbitrary<OpParams[K]>,
): fc.Arbitrary<Sample<K>> =>
  params.chain((chosen) => {
    const count = (definitionOf(op) as OpDefinition<K>).arity;
    return fc
      .tuple(fc.constantFrom(...acceptedDTypes(op, count, chosen)), shapes())
      .map(([dtype, shape]) => ({
        op,
        params: chosen,
        operands: range(count).map(() => operand(dtype, shape)),
      }));
  });

const reduction = <K extends "reduce_sum" | "reduce_max" | "reduce_and">(op: K) =>
  fc
    .tuple(fc.constantFrom(...acceptedDTypes(op, 1, { axes: [0] })), shapes())
    .chain(([dtype, shape]) =>
      someOf(range(shape.length)).map((axes) => ({
        op,
        params: { axes } as OpParams[K],
        operands: [operand(dtype, shape)],
      })),
    );

const argExtreme = <K extends "argmax" | "argmin">(op: K) =>
  fc
    .tuple(anyDType, fullShapes(), fc.constantFrom<DType>("int32", "uint8", "int64"))
    .chain(([dtype, shape, indexDType]) =>
      fc.nat(shape.length - 1).map((axis) => ({
        op,
        params: { axis, indexDType } as OpParams[K],
        operands: [operand(dtype, shape)],
      })),
    );

const cumulative = <K extends "cumsum" | "cummax" | "cumlogsumexp">(op: K) =>
  fc
    .tuple(
      fc.constantFrom(...acceptedDTypes(op, 1, { axis: 0, reverse: false })),
      shapes(1),
      fc.boolean(),
    )
    .chain(([dtype, shape, reverse]) =>
      fc.nat(shape.length - 1).map((axis) => ({
        op,
        params: { axis, reverse } as OpParams[K],
        operands: [operand(dtype, shape)],
      })),
    );

// ── Elementwise ops with params or operands of their own ────────────────────────────────────

const selectN = fc
  .tuple(anyDType, shapes(), fc.boolean(), fc.boolean(), fc.integer({ min: 1, max: 3 }))
  .map(([dtype, shape, byBool, scalar, count]): Sample<"select_n"> => {
    const cases = byBool ? 2 : count;
    const choices: fc.Arbitrary<ScalarValue> = byBool
      ? fc.boolean()
      : fc.integer({ min: 0, max: cases - 1 });
    return {
      op: "select_n",
      params: {},
      operands: [
        operand(byBool ? "bool" : "int32", scalar ? [] : shape, choices),
        ...range(cases).map(() => operand(dtype, shape)),
      ],
    };
  });

const clamp = fc
  .tuple(fc.constantFrom(...acceptedDTypes("clamp", 3, {})), shapes(), fc.boolean(), fc.boolean())
  .map(
    ([dtype, shape, low, high]): Sample<"clamp"> => ({
      op: "clamp",
      params: {},
      operands: [
        operand(dtype, low ? [] : shape),
        operand(dtype, shape),
        operand(dtype, high ? [] : shape),
      ],
    }),
  );

const bitcast = fc
  .tuple(anyDType, anyDType, shapes(0, 2))
  .filter(([from, to]) => (from === "bool") === (to === "bool"))
  .map(([from, to, shape]): Sample<"bitcast_convert_type"> => {
    const ratio = itemSize(to) / itemSize(from);
    return {
      op: "bitcast_convert_type",
      params: { dtype: to },
      operands: [operand(from, ratio > 1 ? [...shape, ratio] : shape)],
    };
  });

// ── Movement ────────────────────────────────────────────────────────────────────────────────

const broadcastInDim = fc.tuple(anyDType, shapes()).chain(([dtype, shape]) =>
  fc.tuple(someOf(range(shape.length)), fc.infiniteStream(fc.boolean())).map(
    ([broadcastDimensions, stream]): Sample<"broadcast_in_dim"> => ({
      op: "broadcast_in_dim",
      params: { shape, broadcastDimensions },
      operands: [
        operand(
          dtype,
          broadcastDimensions.map((d) => (stream.next().value ? 1 : (shape[d] as number))),
        ),
      ],
    }),
  ),
);

const reshape = fc.tuple(anyDType, shapes()).chain(([dtype, shape]) =>
  fc.tuple(orderOf(shape.length), fc.boolean()).map(([order, flat]): Sample<"reshape"> => {
    const turned = order.map((d) => shape[d] as number);
    const count = shape.reduce((product, size) => product * size, 1);
    return {
      op: "reshape",
      params: { shape: flat ? [count] : [...turned, 1] },
      operands: [operand(dtype, shape)],
    };
  }),
);

const transpose = fc.tuple(anyDType, shapes()).chain(([dtype, shape]) =>
  orderOf(shape.length).map(
    (permutation): Sample<"transpose"> => ({
      op: "transpose",
      params: { permutation },
      operands: [operand(dtype, shape)],
    }),
  ),
);

const rev = fc.tuple(anyDType, shapes()).chain(([dtype, shape]) =>
  someOf(range(shape.length)).map(
    (dimensions): Sample<"rev"> => ({
      op: "rev",
      params: { dimensions },
      operands: [operand(dtype, shape)],
    }),
  ),
);

const slice = fc.tuple(anyDType, shapes()).chain(([dtype, shape]) =>
  fc
    .tuple(
      ...shape.map((size) =>
        fc
          .tuple(fc.nat(size), fc.nat(size), fc.integer({ min: 1, max: 3 }))
          .map(([a, b, stride]) => [Math.min(a, b), Math.max(a, b), stride] as const),
      ),
    )
    .map(
      (ranges): Sample<"slice"> => ({
        op: "slice",
        params: {
          start: ranges.map(([start]) => start),
          limit: ranges.map(([, limit]) => limit),
          strides: ranges.map(([, , stride]) => stride),
        },
        operands: [operand(dtype, shape)],
      }),
    ),
);

const padOne = (size: number) =>
  fc
    .tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -2, max: 2 }), fc.nat(2))
    .map(([lo, hi, interior]) => ({ lo, hi, interior }))
    .filter(
      ({ lo, hi, interior }) => lo + hi + (size === 0 ? 0 : (size - 1) * (interior + 1) + 1) >= 0,
    );

const pad = fc.tuple(anyDType, shapes()).chain(([dtype, shape]) =>
  fc.tuple(...shape.map(padOne)).map(
    (config): Sample<"pad"> => ({
      op: "pad",
      params: { config },
      operands: [operand(dtype, shape), operand(dtype, [])],
    }),
  ),
);

const concatenate = fc
  .tuple(anyDType, shapes(1), fc.array(anyDim, { minLength: 1, maxLength: 3 }))
  .chain(([dtype, shape, extents]) =>
    fc.nat(shape.length - 1).map(
      (dimension): Sample<"concatenate"> => ({
        op: "concatenate",
        params: { dimension },
        operands: extents.map((extent) => operand(dtype, shape.with(dimension, extent))),
      }),
    ),
  );

/** An index expression over the axes of `shape`; it may leave the operand. */
function anyIndex(shape: readonly number[]): fc.Arbitrary<IndexExpr> {
  const offset = fc.integer({ min: -1, max: 2 }).map(constant);
  if (shape.length === 0) return offset;
  const scaled = fc
    .tuple(fc.nat(shape.length - 1), fc.constantFrom(-1, 1, 1, 2))
    .map(([d, factor]) => mul(axis(d, shape[d] as number), factor));
  return fc
    .tuple(scaled, offset, fc.nat(2))
    .map(([along, from, kind]) =>
      kind === 0 ? add(along, from) : kind === 1 ? floordiv(add(along, from), 2) : mod(along, 2),
    );
}

const view = fc.tuple(anyDType, shapes(), fullShapes(0, 3)).chain(([dtype, shape, result]) =>
  fc.tuple(...shape.map(() => anyIndex(result))).map(
    (index): Sample<"view"> => ({
      op: "view",
      params: { shape: result, index, fill: { lo: 1, hi: 0 } },
      operands: [operand(dtype, shape)],
    }),
  ),
);

// ── Indexing ────────────────────────────────────────────────────────────────────────────────

const startDType = fc.constantFrom<DType>("int32", "int32", "uint8", "uint32", "int64", "uint64");
const starts = (rank: number, dtype: DType): OperandSample[] =>
  range(rank).map(() => operand(dtype, []));

const dynamicSlice = fc.tuple(anyDType, shapes(), startDType).chain(([dtype, shape, of]) =>
  fc.tuple(...shape.map((size) => fc.nat(size))).map(
    (sizes): Sample<"dynamic_slice"> => ({
      op: "dynamic_slice",
      params: { sizes },
      operands: [operand(dtype, shape), ...starts(shape.length, of)],
    }),
  ),
);

const dynamicUpdateSlice = fc.tuple(anyDType, shapes(), startDType).chain(([dtype, shape, of]) =>
  fc.tuple(...shape.map((size) => fc.nat(size))).map(
    (window): Sample<"dynamic_update_slice"> => ({
      op: "dynamic_update_slice",
      params: {},
      operands: [operand(dtype, shape), operand(dtype, window), ...starts(shape.length, of)],
    }),
  ),
);

/** How the dims of gather or scatter go together: everything the two ops share. */
interface WindowSample {
  readonly shape: readonly number[];
  /** Batching, collapsed (or inserted), and window dims of the operand. */
  readonly batching: readonly number[];
  readonly collapsed: readonly number[];
  readonly windowDims: readonly number[];
  readonly startMap: readonly number[];
  readonly indexShape: readonly number[];
  /** Where the batching dims stand in the indices. */
  readonly indexBatching: readonly number[];
  /** Window size in each operand dim. */
  readonly extents: readonly number[];
  /** Where the window dims stand in the gather's result or the scatter's updates. */
  readonly offsetDims: readonly number[];
  /** Shape of the gather's result or the scatter's updates. */
  readonly result: readonly number[];
  readonly mode: "clip" | "fill";
}

const windows: fc.Arbitrary<WindowSample> = fullShapes(1, 3).chain((shape) => {
  const kinds = fc.array(fc.nat(2), { minLength: shape.length, maxLength: shape.length });
  return fc
    .tuple(kinds, fullShapes(0, 2), fc.constantFrom("clip" as const, "fill" as const))
    .chain(([kindOfDim, free, mode]) => {
      const ofKind = (kind: number) => range(shape.length).filter((d) => kindOfDim[d] === kind);
      const [windowDims, collapsed, batching] = [ofKind(0), ofKind(1), ofKind(2)];
      const started = [...windowDims, ...collapsed];
      const batchRank = free.length + batching.length;
      const rank = batchRank + windowDims.length;
      return fc
        .tuple(
          fc.shuffledSubarray(started),
          orderOf(batchRank),
          fc.subarray(range(rank), { minLength: windowDims.length, maxLength: windowDims.length }),
          fc.tuple(...windowDims.map((d) => fc.nat(shape[d] as number))),
        )
        .map(([startMap, order, offsetDims, sizes]) => {
          const indexBatching = order.slice(0, batching.length);
          const indexShape = new Array<number>(batchRank);
          for (const [k, at] of indexBatching.entries()) {
            indexShape[at] = shape[batching[k] as number] as number;
          }
          for (const [k, at] of order.slice(batching.length).entries()) {
            indexShape[at] = free[k] as number;
          }
          const extents = shape.map(() => 1);
          for (const [k, d] of windowDims.entries()) extents[d] = sizes[k] as number;
          const result = new Array<number>(rank);
          for (const [k, at] of offsetDims.entries()) result[at] = sizes[k] as number;
          for (const [k, at] of range(rank)
            .filter((d) => !offsetDims.includes(d))
            .entries()) {
            result[at] = indexShape[k] as number;
          }
          return {
            shape,
            batching,
            collapsed,
            windowDims,
            startMap,
            indexShape: [...indexShape, startMap.length],
            indexBatching,
            extents,
            offsetDims,
            result,
            mode,
          };
        });
    });
});

const indices = (shape: readonly number[]) =>
  operand("int32", shape, fc.integer({ min: -1, max: 4 }));

const gather = fc.tuple(anyDType, windows).map(
  ([dtype, w]): Sample<"gather"> => ({
    op: "gather",
    params: {
      dimensions: {
        offsetDims: w.offsetDims,
        collapsedSliceDims: w.collapsed,
        startIndexMap: w.startMap,
        operandBatchingDims: w.batching,
        startIndicesBatchingDims: w.indexBatching,
      },
      sliceSizes: w.extents,
      mode: w.mode,
      fill: { lo: 1, hi: 0 },
    },
    operands: [operand(dtype, w.shape), indices(w.indexShape)],
  }),
);

const scatter = fc
  .tuple(
    fc.constantFrom<DType>("int32", "float32", "float16", "uint64"),
    windows,
    fc.constantFrom("set" as const, "add" as const, "mul" as const, "min" as const, "max" as const),
  )
  .map(
    ([dtype, w, combine]): Sample<"scatter"> => ({
      op: "scatter",
      params: {
        dimensions: {
          updateWindowDims: w.offsetDims,
          insertedWindowDims: w.collapsed,
          scatterDimsToOperandDims: w.startMap,
          operandBatchingDims: w.batching,
          scatterIndicesBatchingDims: w.indexBatching,
        },
        combine,
        mode: w.mode,
      },
      operands: [operand(dtype, w.shape), indices(w.indexShape), operand(dtype, w.result)],
    }),
  );

// ── Linear algebra, sorting ─────────────────────────────────────────────────────────────────

const dotGeneral = fc
  .tuple(
    fc.constantFrom<DType>("float32", "bfloat16", "int8", "int64"),
    shapes(0, 1),
    shapes(0, 2),
    shapes(0, 1),
    shapes(0, 1),
  )
  .chain(([dtype, batch, contract, left, right]) => {
    const lhs = [...batch, ...contract, ...left];
    const rhs = [...batch, ...contract, ...right];
    return fc
      .tuple(orderOf(lhs.length), orderOf(rhs.length))
      .map(([l, r]): Sample<"dot_general"> => {
        // operand dim l[k] holds the k-th of batch, contract, free
        const place = (order: readonly number[], shape: readonly number[]) => {
          const placed = new Array<number>(shape.length);
          for (const [k, at] of order.entries()) placed[at] = shape[k] as number;
          return placed;
        };
        const { length: b } = batch;
        const c = b + contract.length;
        const wide: DType = dtype === "int8" ? "int32" : dtype === "bfloat16" ? "float32" : dtype;
        return {
          op: "dot_general",
          params: {
            batch: [l.slice(0, b), r.slice(0, b)],
            contract: [l.slice(b, c), r.slice(b, c)],
            dtype: dtype === "int8" ? "int32" : dtype,
            accumulate: wide,
          },
          operands: [operand(dtype, place(l, lhs)), operand(dtype, place(r, rhs))],
        };
      });
  });

const sort = fc
  .tuple(fc.array(anyDType, { minLength: 1, maxLength: 3 }), shapes(1), fc.nat(2))
  .chain(([types, shape, keys]) =>
    fc.nat(shape.length - 1).map(
      (dimension): Sample<"sort"> => ({
        op: "sort",
        params: { dimension, keys: 1 + (keys % types.length), stable: true },
        operands: types.map((dtype) => operand(dtype, shape)),
      }),
    ),
  );

const topK = fc.tuple(anyDType, shapes(1)).chain(([dtype, shape]) =>
  fc.nat(shape.at(-1) as number).map(
    (k): Sample<"top_k"> => ({
      op: "top_k",
      params: { k },
      operands: [operand(dtype, shape)],
    }),
  ),
);

/** Well-formed applications of `op`; undefined for structured control flow, state and sources. */
export function samplesOf(op: OpName): fc.Arbitrary<Sample> | undefined {
  switch (op) {
    case "round":
      return alike(
        op,
        fc.constantFrom({ roundingMethod: "away" as const }, { roundingMethod: "even" as const }),
      );
    case "integer_pow":
      return alike(
        op,
        fc.integer({ min: -3, max: 5 }).map((y) => ({ y })),
      );
    case "convert_element_type":
      return alike(
        op,
        anyDType.map((dtype) => ({ dtype })),
      );
    case "reduce_precision":
      return alike(
        op,
        fc
          .tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 7 }))
          .map(([exponentBits, mantissaBits]) => ({ exponentBits, mantissaBits })),
      );
    case "multiple_of":
      return alike(op, fc.constant({ value: 2 }));
    case "threefry2x32":
      return alike(op, fc.constantFrom({ word: 0 as const }, { word: 1 as const }));
    case "select_n":
      return selectN;
    case "clamp":
      return clamp;
    case "bitcast_convert_type":
      return bitcast;
    case "broadcast_in_dim":
      return broadcastInDim;
    case "reshape":
      return reshape;
    case "transpose":
      return transpose;
    case "rev":
      return rev;
    case "slice":
      return slice;
    case "pad":
      return pad;
    case "concatenate":
      return concatenate;
    case "view":
      return view;
    case "dynamic_slice":
      return dynamicSlice;
    case "dynamic_update_slice":
      return dynamicUpdateSlice;
    case "gather":
      return gather;
    case "scatter":
      return scatter;
    case "reduce_sum":
    case "reduce_prod":
    case "reduce_max":
    case "reduce_min":
    case "reduce_and":
    case "reduce_or":
    case "reduce_xor":
      return reduction(op as "reduce_sum");
    case "argmax":
    case "argmin":
      return argExtreme(op);
    case "cumsum":
    case "cumprod":
    case "cummax":
    case "cummin":
    case "cumlogsumexp":
      return cumulative(op as "cumsum");
    case "dot_general":
      return dotGeneral;
    case "sort":
      return sort;
    case "top_k":
      return topK;
    default:
      return definitionOf(op).category === "elementwise"
        ? alike(op as "neg", fc.constant({}))
        : undefined;
  }
}

/**
 * What a fold over an axis comes to: the state after the last point, from the state before the first and the
 * contributions of all points, which have the axis in front. For a reduction also what each point finds.
 */
import type { DType, Emitter, ScatterDimensions, ValueId } from "@gridfuse/graph";
import { isFloat, toBits } from "@gridfuse/plan/scalar";
import type { FoldRole, ReduceOp } from "./roles.ts";

const reductionOf = {
  add: "reduce_sum",
  mul: "reduce_prod",
  max: "reduce_max",
  min: "reduce_min",
  and: "reduce_and",
  or: "reduce_or",
  xor: "reduce_xor",
} as const;

/** Whether floats may come out differently when the order changes. */
export const changesWithOrder = (op: ReduceOp, dtype: DType): boolean =>
  isFloat(dtype) && (op === "add" || op === "mul");

/** start ⊕ Σ terms. */
export function reduceTerms(e: Emitter, op: ReduceOp, start: ValueId, terms: ValueId): ValueId {
  const reassociated = changesWithOrder(op, e.dtype(terms)) ? { reassociated: true } : {};
  const total = e.emit(reductionOf[op], [terms], { axes: [0], ...reassociated });
  return e.emit(op, [start, total], {});
}

// ── Prefixes ────────────────────────────────────────────────────────────────────────────────

const cumulativeOf = { add: "cumsum", mul: "cumprod", max: "cummax", min: "cummin" } as const;

export const hasPrefixes = (op: ReduceOp): op is keyof typeof cumulativeOf => op in cumulativeOf;

export interface Prefixes {
  /** What each point finds, the axis in front; `initial` at the first. */
  readonly before: ValueId;
  readonly final: ValueId;
}

/** The state before each point: `start` is what the first point adds to, in the order of the points. */
export function prefixesOf(
  e: Emitter,
  op: keyof typeof cumulativeOf,
  start: ValueId,
  terms: ValueId,
  initial: ValueId,
): Prefixes {
  const [n] = e.shape(terms) as readonly [number];
  const part = (from: number, to: number, of: ValueId): ValueId => {
    const shape = e.shape(of) as readonly number[];
    return e.emit("slice", [of], {
      start: shape.map((_, d) => (d === 0 ? from : 0)),
      limit: shape.map((size, d) => (d === 0 ? to : size)),
      strides: shape.map(() => 1),
    });
  };
  const join = (first: ValueId, rest: ValueId): ValueId =>
    n === 1 ? first : e.emit("concatenate", [first, rest], { dimension: 0 });
  const first = e.emit(op, [e.addBatch(start, 1), part(0, 1, terms)], {});
  const after = e.emit(cumulativeOf[op], [join(first, part(1, n, terms))], {
    axis: 0,
    reverse: false,
  });
  const shape = e.shape(initial) as readonly number[];
  return {
    before: join(e.addBatch(initial, 1), part(0, n - 1, after)),
    final: e.reshape(part(n - 1, n, after), shape),
  };
}

// ── Scatters ────────────────────────────────────────────────────────────────────────────────

/** One scatter: the points are the slowest dimension of the indices, so that updates keep their order. */
export function scatterAll(
  e: Emitter,
  { scatter }: Extract<FoldRole, { readonly kind: "scattered" }>,
  start: ValueId,
  indices: ValueId,
  updates: ValueId,
): ValueId {
  const d = scatter.params.dimensions;
  const dimensions: ScatterDimensions = {
    ...d,
    updateWindowDims: d.updateWindowDims.map((dim) => dim + 1),
    scatterIndicesBatchingDims: d.scatterIndicesBatchingDims.map((dim) => dim + 1),
  };
  return e.emit("scatter", [start, indices, updates], { ...scatter.params, dimensions });
}

// ── Picking ─────────────────────────────────────────────────────────────────────────────────

export interface Winner {
  /** Number of the first point that beats all before it, one for each element of the leader. */
  readonly point: ValueId;
  /** Whether it beats what was there before the first point. */
  readonly wins: ValueId;
}

/**
 * The point whose term is the greatest or least; −0 equals +0, and a NaN beats nothing: such terms stand
 * behind all others, and comparing the winner with `start` settles the rest.
 */
export function findWinner(e: Emitter, order: "gt" | "lt", start: ValueId, terms: ValueId): Winner {
  const point = e.emit(order === "gt" ? "argmax" : "argmin", [sortKey(e, order, terms)], {
    axis: 0,
    indexDType: "int32",
  });
  const wins = e.emit(order, [termAt(e, terms, point), start], {});
  return { point, wins };
}

function sortKey(e: Emitter, order: "gt" | "lt", terms: ValueId): ValueId {
  const dtype = e.dtype(terms);
  if (!isFloat(dtype)) return terms;
  const shape = e.shape(terms);
  const worst = e.full(dtype, shape, order === "gt" ? -Infinity : Infinity);
  const undefinedTerms = e.emit("ne", [terms, terms], {});
  const number = e.emit("select_n", [undefinedTerms, terms, worst], {});
  return e.emit("add", [number, e.full(dtype, shape, 0)], {});
}

/** Elements of the winning point; `point` is a scalar or has the shape of a term. */
export function termAt(e: Emitter, terms: ValueId, point: ValueId): ValueId {
  const shape = e.shape(terms) as readonly number[];
  const inner = shape.slice(1);
  const rank = e.shape(point).length;
  const batching = inner.map((_, d) => d).slice(0, rank);
  return e.emit("gather", [terms, e.reshape(point, [...e.shape(point), 1])], {
    dimensions: {
      offsetDims: rank === 0 ? inner.map((_, d) => d) : [],
      collapsedSliceDims: [0],
      startIndexMap: [0],
      operandBatchingDims: batching.map((d) => d + 1),
      startIndicesBatchingDims: batching,
    },
    sliceSizes: shape.map((size, d) => (d === 0 || d <= rank ? 1 : size)),
    mode: "clip",
    fill: toBits(e.dtype(terms), 0),
  });
}

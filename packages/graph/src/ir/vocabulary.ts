/**
 * The vocabulary: every op name with the type of its params. Names and meanings are lax's
 * (params in camelCase); `ops/` declares for each one its shape rule, meaning and facts.
 *
 * Elementwise ops take operands of one shape; broadcasting and promotion are the front end's
 * business and appear as `broadcast_in_dim` and `convert_element_type`.
 */

import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { Bits, DType, StorageArray } from "@gridfuse/plan/scalar";
import type { Dim, MemorySpace, Shape } from "./types.ts";

// biome-ignore lint/complexity/noBannedTypes: ops without parameters
type None = {};

export interface GatherDimensions {
  readonly offsetDims: readonly number[];
  readonly collapsedSliceDims: readonly number[];
  readonly startIndexMap: readonly number[];
  readonly operandBatchingDims: readonly number[];
  readonly startIndicesBatchingDims: readonly number[];
}

export interface ScatterDimensions {
  readonly updateWindowDims: readonly number[];
  readonly insertedWindowDims: readonly number[];
  readonly scatterDimsToOperandDims: readonly number[];
  readonly operandBatchingDims: readonly number[];
  readonly scatterIndicesBatchingDims: readonly number[];
}

/** clip: the window is moved inside. fill: a window that is not wholly inside is filled (gather) or dropped (scatter). */
export type OutOfBounds = "clip" | "fill";

export interface PaddingConfig {
  readonly lo: number;
  readonly hi: number;
  readonly interior: number;
}

/** One dimension of a ref indexer. `{ operand: i }` names the node's i-th index operand (int32 scalar, or array for `array`). */
export type IndexSource = number | { readonly operand: number };
export type Indexer =
  | { readonly kind: "int"; readonly index: IndexSource }
  | {
      readonly kind: "slice";
      readonly start: IndexSource;
      readonly size: number;
      readonly stride: number;
    }
  | { readonly kind: "array"; readonly operand: number };

/** The name under which the package exports `Indexer`; the front end has an `Indexer` of its own. */
export type RefIndexer = Indexer;

/**
 * A view of a ref: indexers applied one after the other (`ref.at(...).at(...)`), one entry a dimension.
 * A dynamic start is clamped so that the window fits (lax.dynamic_slice); int indices drop their dimension;
 * array indexers follow NumPy's advanced indexing (broadcast together; result dims where the first one
 * stands when adjacent, else in front).
 */
export type RefTransforms = readonly (readonly Indexer[])[];

export type BlockDim =
  /** The index map gives a block number: start = index·size. */
  | { readonly kind: "blocked"; readonly size: number }
  /** The index map gives the element; the dimension does not appear in the ref. */
  | { readonly kind: "squeezed" }
  /** The index map gives the first element; `padding` elements lie virtually before and after the array. */
  | { readonly kind: "element"; readonly size: number; readonly padding: readonly [number, number] }
  /** The index map gives two results, start and count ≤ size; elements from count on are not part of the block. */
  | { readonly kind: "bounded"; readonly size: number };

export interface BlockMapping {
  readonly name: string;
  readonly dtype: DType;
  /** Shape of the whole array. */
  readonly shape: Shape;
  readonly block: readonly BlockDim[];
  readonly space: MemorySpace;
}

/** What memory holds that nobody wrote, and what lies outside an array (reference: Pallas's modes). */
export type FillMode = "hlo" | "tpu" | "zero";

export interface GridParams {
  readonly name: string;
  readonly axes: readonly {
    readonly name: string;
    readonly size: Dim;
    /** Prefetched operand that holds the number of steps of a call; `size` is the most there may be. */
    readonly count?: number;
    /** The author's promise (`dimension_semantics`); never trusted, only contradicted. */
    readonly semantics?: "parallel" | "arbitrary";
  }[];
  /** kernel: refs, read and written in order. tensor: block values in, new state values out. */
  readonly level: "kernel" | "tensor";
  readonly prefetch: number;
  readonly inputs: readonly BlockMapping[];
  readonly outputs: readonly BlockMapping[];
  readonly scratch: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly space: MemorySpace;
  }[];
  /** [input, output]: the output starts with the input's contents. */
  readonly aliases: readonly (readonly [number, number])[];
  readonly fill: FillMode;
  /** tensor level: inputs the kernel writes to (their state follows the scratch's). */
  readonly mutated: readonly number[];
}

export interface OpParams {
  // Sources
  full: { readonly dtype: DType; readonly shape: Shape; readonly bits: Bits };
  constant: { readonly dtype: DType; readonly shape: Shape; readonly data: StorageArray };
  iota: { readonly dtype: DType; readonly shape: Shape; readonly dimension: number };

  // Elementwise, one operand
  neg: None;
  abs: None;
  sign: None;
  floor: None;
  ceil: None;
  /** "away": halves away from zero (lax.round); "even": to even (jnp.round). */
  round: { readonly roundingMethod: "away" | "even" };
  is_finite: None;
  exp: None;
  exp2: None;
  expm1: None;
  log: None;
  log1p: None;
  log2: None;
  sin: None;
  cos: None;
  tan: None;
  asin: None;
  acos: None;
  atan: None;
  sinh: None;
  cosh: None;
  tanh: None;
  asinh: None;
  acosh: None;
  atanh: None;
  logistic: None;
  erf: None;
  erfc: None;
  erf_inv: None;
  lgamma: None;
  digamma: None;
  sqrt: None;
  rsqrt: None;
  cbrt: None;
  square: None;
  integer_pow: { readonly y: number };
  not: None;
  population_count: None;
  clz: None;
  convert_element_type: { readonly dtype: DType };
  /** Same width: elementwise. Narrower: adds a minor dimension. Wider: removes it. Little-endian. */
  bitcast_convert_type: { readonly dtype: DType };
  reduce_precision: { readonly exponentBits: number; readonly mantissaBits: number };
  /** Identity with a promise that the value is a multiple of `value`. */
  multiple_of: { readonly value: number };

  // Elementwise, several operands
  add: None;
  sub: None;
  mul: None;
  div: None;
  rem: None;
  max: None;
  min: None;
  pow: None;
  atan2: None;
  nextafter: None;
  and: None;
  or: None;
  xor: None;
  shift_left: None;
  shift_right_logical: None;
  shift_right_arithmetic: None;
  eq: None;
  ne: None;
  lt: None;
  le: None;
  gt: None;
  ge: None;
  /** (which, case0, case1, …): bool which false→case0, true→case1; int32 which selects. `which` has the cases' shape or rank 0. */
  select_n: None;
  /** (min, x, max); bounds have x's shape or rank 0. */
  clamp: None;
  /** (key0, key1, counter0, counter1), uint32: word `word` of Threefry-2x32 with 20 rounds. */
  threefry2x32: { readonly word: 0 | 1 };

  // Movement
  broadcast_in_dim: { readonly shape: Shape; readonly broadcastDimensions: readonly number[] };
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  slice: {
    readonly start: readonly number[];
    readonly limit: readonly number[];
    readonly strides: readonly number[];
  };
  /** (operand, padding value of rank 0); negative lo/hi crop, after interior dilation. */
  pad: { readonly config: readonly PaddingConfig[] };
  concatenate: { readonly dimension: number };
  rev: { readonly dimensions: readonly number[] };
  /**
   * out[i…] = operand[index(i…)], or `fill` where an index lies outside. Axes of `index` are the result's
   * dimensions; `loop` leaves are the counters of enclosing scans. Made by passes: every movement op is one of these.
   */
  view: {
    readonly shape: readonly number[];
    readonly index: readonly IndexExpr[];
    readonly fill: Bits;
  };

  // Indexing
  /** (operand, …starts: int scalars); starts are clamped. */
  dynamic_slice: { readonly sizes: readonly number[] };
  /** (operand, update, …starts); starts are clamped. */
  dynamic_update_slice: None;
  /** (operand, indices); last dim of indices is the index vector. */
  gather: {
    readonly dimensions: GatherDimensions;
    readonly sliceSizes: readonly number[];
    readonly mode: OutOfBounds;
    readonly fill: Bits;
  };
  /** (operand, indices, updates); windows in row-major order of the updates. */
  scatter: {
    readonly dimensions: ScatterDimensions;
    readonly combine: "set" | "add" | "mul" | "min" | "max";
    readonly mode: OutOfBounds;
  };

  // Reductions: `axes` disappear from the shape; `reassociated`: stands for a sum in another order, so floats are bounded, not exact
  reduce_sum: { readonly axes: readonly number[]; readonly reassociated?: boolean };
  reduce_prod: { readonly axes: readonly number[]; readonly reassociated?: boolean };
  reduce_max: { readonly axes: readonly number[] };
  reduce_min: { readonly axes: readonly number[] };
  reduce_and: { readonly axes: readonly number[] };
  reduce_or: { readonly axes: readonly number[] };
  reduce_xor: { readonly axes: readonly number[] };
  argmax: { readonly axis: number; readonly indexDType: DType };
  argmin: { readonly axis: number; readonly indexDType: DType };

  // Cumulative
  cumsum: { readonly axis: number; readonly reverse: boolean };
  cumprod: { readonly axis: number; readonly reverse: boolean };
  cummax: { readonly axis: number; readonly reverse: boolean };
  cummin: { readonly axis: number; readonly reverse: boolean };
  cumlogsumexp: { readonly axis: number; readonly reverse: boolean };

  // Linear algebra, sorting
  /** Result dims: batch, lhs free, rhs free. Sums in `accumulate`, gives `dtype`. */
  dot_general: {
    readonly contract: readonly [readonly number[], readonly number[]];
    readonly batch: readonly [readonly number[], readonly number[]];
    readonly dtype: DType;
    readonly accumulate: DType;
  };
  /** As many results as operands. */
  sort: { readonly dimension: number; readonly keys: number; readonly stable: boolean };
  /** Results: values, int32 indices; along the last dimension. */
  top_k: { readonly k: number };

  // Structured control flow: regions are closed, captures are trailing operands
  /**
   * Operands [prefetch…, inputs…, captures…]; regions [body, index map of each input, of each output].
   * Body params [program ids (int32)…, prefetch…, inputs…, outputs…, scratch…, (mutated…), captures…].
   * Index map params [program ids…, prefetch…]; results one int32 a block dim (two for bounded).
   * kernel level: prefetch, inputs, outputs, scratch are refs and the body has no results; tensor level: they are
   * block values and the results are the new [outputs…, scratch…, mutated…] values. Node results: the outputs.
   */
  grid: GridParams;
  /**
   * Operands [carry…, xs…, captures…]; region params [i (int32), carry…, x…, captures…], results [carry…, y…].
   * xs and ys have `trips` as leading dimension; `reverse` walks from the end (i counts down too).
   */
  scan: {
    readonly trips: number;
    readonly carries: number;
    readonly xs: number;
    readonly reverse: boolean;
    /** Comes from a grid axis. */
    readonly grid?: boolean;
    readonly name?: string;
    /** Id by which `loop` leaves of index expressions inside (see `view`) name this scan's i. */
    readonly loop?: number;
  };
  /** Operands [carry…, captures…]; regions [condition → bool scalar, body → carry…], params [carry…, captures…]. */
  while: {
    readonly carries: number;
    /**
     * Batching made it of one loop a lane: it goes on while any lane does, and a round leaves alone the lanes that are
     * done. So lanes may be computed apart from each other, each group for as long as it needs.
     */
    readonly lanes?: true;
  };
  /** Operands [which: bool or int32 scalar, operands…]; region k runs where which is k (clamped); bool: 0 false, 1 true. */
  cond: None;

  // State: kernel level only, in order within a region
  /** (ref, …index operands) → value */
  get: { readonly transforms: RefTransforms };
  /** (ref, value, …index operands) */
  set: { readonly transforms: RefTransforms };
  /** (ref, value, …index operands): ref[view] += value */
  addupdate: { readonly transforms: RefTransforms };

  // Effects
  /**
   * (…values): one line, `{}` holes filled in order. After batching the first `batch` dimensions of every value
   * are batch points, one line each; with `masked` the first operand is a bool of the batch shape.
   */
  debug_print: { readonly format: string; readonly batch: number; readonly masked: boolean };
}

export type OpName = keyof OpParams;

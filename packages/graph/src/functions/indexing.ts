/**
 * Reading and changing parts of a tensor, by NumPy's rules. Windows at computed starts are moved inside
 * (lax.dynamic_slice); index arrays follow advanced indexing.
 */
import { type Indexer, type Selection, selections } from "../indexer.ts";
import type { Dim, Shape } from "../ir/types.ts";
import type { GatherDimensions, ScatterDimensions } from "../ir/vocabulary.ts";
import { materialise, tensorOf } from "../operand.ts";
import { type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import { constant } from "./create.ts";
import { add, maximum, minimum, mul, where } from "./elementwise.ts";
import { type Combine, dynamicSlice, dynamicUpdateSlice, emitGather } from "./lax-indexing.ts";
import { broadcastTo, expandDims, reshape, sizeOf, stack } from "./movement.ts";
import { wrapNegative } from "./take.ts";

type Start = number | Tensor;
type Cut = Extract<Selection, { readonly kind: "int" | "slice" | "whole" }>;

/**
 * The part that the indexers select, one a dimension: `x.index(0, ":", "1:3")`, `x.index(ds(i, 8))`,
 * `x.index([3, 1, 1])`. Index arrays follow NumPy's advanced indexing; entries outside are moved inside.
 *
 * @throws BuildError GF2209 where an indexer does not fit
 */
export function index(x: Tensor, ...indexers: readonly Indexer[]): Tensor {
  return traced("index", (scope) => {
    const chosen = selections("index", x.shape, indexers);
    if (!chosen.some(({ kind }) => kind === "array")) {
      return dropInts(cut(scope, x, chosen as Cut[]), chosen);
    }
    // Windows first; then all advanced indexers, ints among them, in one gather.
    const windows = chosen.map(
      (selection, axis): Cut =>
        selection.kind === "slice" ? selection : { kind: "whole", size: x.shape[axis] as Dim },
    );
    return gatherAdvanced(scope, cut(scope, x, windows), chosen);
  });
}

const startOf = (selection: Cut): Start =>
  selection.kind === "int" ? selection.index : selection.kind === "slice" ? selection.start : 0;
const strideOf = (selection: Cut): number => (selection.kind === "slice" ? selection.stride : 1);

/** How many elements of the dimension a selection spans. */
function reachOf(selection: Cut, shape: Shape, axis: number): number {
  if (selection.kind === "int") return 1;
  if (selection.kind === "whole") return sizeOf("index", shape, axis);
  return selection.size === 0 ? 0 : (selection.size - 1) * selection.stride + 1;
}

/** The windows; ints stay as dims of 1. */
function cut(scope: Scope, x: Tensor, chosen: readonly Cut[]): Tensor {
  if (chosen.every(({ kind }) => kind === "whole")) return x;
  const { emitter } = scope;
  const reach = chosen.map((selection, axis) => reachOf(selection, x.shape, axis));
  const strides = chosen.map(strideOf);
  const starts = chosen.map(startOf);
  if (starts.every((start) => typeof start === "number")) {
    const start = starts as readonly number[];
    const limit = start.map((s, i) => s + (reach[i] as number));
    return tensorOf(scope, emitter.emit("slice", [scope.resolve(x)], { start, limit, strides }));
  }
  const window = dynamicSlice(x, starts, reach);
  if (strides.every((stride) => stride === 1)) return window;
  const zeros = reach.map(() => 0);
  const params = { start: zeros, limit: reach, strides };
  return tensorOf(scope, emitter.emit("slice", [window.id], params));
}

const dropInts = (x: Tensor, chosen: readonly Selection[]): Tensor =>
  chosen.some(({ kind }) => kind === "int")
    ? reshape(
        x,
        x.shape.filter((_, i) => chosen[i]?.kind !== "int"),
      )
    : x;

/** Index arrays of the advanced dimensions, and where their common dims go in the result. */
interface Advanced {
  readonly dims: readonly number[];
  /** Index vectors: [...common, dims.length], int32 and not negative. */
  readonly indices: Tensor;
  readonly common: Shape;
  /** Position of the common dims among the sliced ones. */
  readonly at: number;
}

function advancedOf(x: Tensor, chosen: readonly Selection[]): Advanced {
  const dims = chosen.flatMap(({ kind }, i) => (kind === "int" || kind === "array" ? [i] : []));
  const arrays = dims.map((dim) => {
    const selection = chosen[dim] as Extract<Selection, { readonly kind: "int" | "array" }>;
    const given = selection.kind === "int" ? selection.index : selection.indices;
    const array = isTensor(given)
      ? given
      : constant(given as number | number[], { dtype: "int32" });
    return wrapNegative(array, sizeOf("index", x.shape, dim));
  });
  const zero = arrays.map((array) => mul(array, 0)).reduce((a, b) => add(a, b));
  const common = zero.shape;
  const spread = arrays.map((array) => expandDims(broadcastTo(array, common), common.length));
  const first = dims[0] as number;
  const together = (dims.at(-1) as number) - first === dims.length - 1;
  return {
    dims,
    common,
    indices: spread.length === 1 ? (spread[0] as Tensor) : joinLast(spread),
    at: together ? first : 0,
  };
}

const joinLast = (columns: readonly Tensor[]): Tensor => {
  const flat = columns.map((column) => reshape(column, column.shape.slice(0, -1)));
  return stack(flat, { axis: (flat[0] as Tensor).ndim });
};

/** Where sliced dims stand in the result of an advanced access. */
const offsetsOf = (kept: number, { at, common }: Advanced): readonly number[] =>
  Array.from({ length: kept }, (_, i) => (i < at ? i : i + common.length));

function gatherAdvanced(scope: Scope, x: Tensor, chosen: readonly Selection[]): Tensor {
  const advanced = advancedOf(x, chosen);
  const { dims, indices } = advanced;
  const sliceSizes = x.shape.map((_, i) => (dims.includes(i) ? 1 : sizeOf("index", x.shape, i)));
  const dimensions: GatherDimensions = {
    offsetDims: offsetsOf(x.ndim - dims.length, advanced),
    collapsedSliceDims: dims,
    startIndexMap: dims,
    operandBatchingDims: [],
    startIndicesBatchingDims: [],
  };
  return emitGather(scope, x, indices, { dimensions, sliceSizes, mode: "clip" });
}

/** What `at` gives: the tensor with the selected part changed. The original stays as it is. */
export interface Place {
  get(): Tensor;
  set(value: Operand): Tensor;
  add(value: Operand): Tensor;
  mul(value: Operand): Tensor;
  min(value: Operand): Tensor;
  max(value: Operand): Tensor;
}

/** A place in a tensor: `x.at(i, ":").set(row)` is x with that row. Entries outside are dropped. */
export function at(x: Tensor, ...indexers: readonly Indexer[]): Place {
  const change = (combine: Combine) => (value: Operand) =>
    traced(`at.${combine}`, (scope) => {
      const chosen = selections("at", x.shape, indexers);
      const advanced = chosen.some(({ kind }) => kind === "array");
      return advanced
        ? scatterAdvanced(scope, x, chosen, value, combine)
        : updateWindow(scope, x, chosen as Cut[], value, combine);
    });
  return {
    get: () => index(x, ...indexers),
    set: change("set"),
    add: change("add"),
    mul: change("mul"),
    min: change("min"),
    max: change("max"),
  };
}

const combined = (combine: Combine, old: Tensor, value: Tensor): Tensor => {
  switch (combine) {
    case "set":
      return value;
    case "add":
      return add(old, value) as Tensor;
    case "mul":
      return mul(old, value) as Tensor;
    case "min":
      return minimum(old, value) as Tensor;
    case "max":
      return maximum(old, value) as Tensor;
    default:
      return combine satisfies never;
  }
};

function updateWindow(
  scope: Scope,
  x: Tensor,
  chosen: readonly Cut[],
  value: Operand,
  combine: Combine,
): Tensor {
  const reach = chosen.map((selection, axis) => reachOf(selection, x.shape, axis));
  const starts = chosen.map(startOf);
  const strided = chosen.some((selection) => strideOf(selection) !== 1);
  const view = chosen.flatMap((s, i) =>
    s.kind === "int" ? [] : [s.kind === "slice" ? s.size : (reach[i] as number)],
  );
  const fresh = tensorOf(scope, materialise(scope, "at", value, x.dtype, view));
  const whole = starts.every((start) => typeof start === "number");
  const windows = reach.map((size, i): Cut => {
    return { kind: "slice", start: starts[i] as Start, size, stride: 1 };
  });
  const old = cut(scope, x, windows);
  const steps = chosen.map(strideOf);
  const sizes = chosen.map((s, i) => (s.kind === "slice" ? s.size : (reach[i] as number)));
  const lifted = reshape(fresh, sizes);
  if (!strided) {
    const next = combined(combine, old, lifted as Tensor);
    if (whole && sizes.every((size, i) => size === x.shape[i])) return next;
    return dynamicUpdateSlice(x, next, starts);
  }
  // Between the strided elements the old ones stay: spread the new ones out and choose.
  const zero = scope.emitter.full(x.dtype, [], 0);
  const config = steps.map((step) => ({ lo: 0, hi: 0, interior: step - 1 }));
  const spread = tensorOf(
    scope,
    scope.emitter.emit("pad", [(lifted as Tensor).id, zero], { config }),
  );
  const mask = strideMask(scope, reach, steps);
  const next = where(mask, combined(combine, old, spread), old) as Tensor;
  return dynamicUpdateSlice(x, next, starts);
}

/** True where every coordinate is a multiple of its step. */
function strideMask(scope: Scope, shape: readonly number[], steps: readonly number[]): Tensor {
  const { emitter } = scope;
  const ones = emitter.full(
    "bool",
    steps.map((step, i) => Math.ceil((shape[i] as number) / step)),
    true,
  );
  const zero = emitter.full("bool", [], false);
  const config = steps.map((step) => ({ lo: 0, hi: 0, interior: step - 1 }));
  return tensorOf(scope, emitter.emit("pad", [ones, zero], { config }));
}

function scatterAdvanced(
  scope: Scope,
  x: Tensor,
  chosen: readonly Selection[],
  value: Operand,
  combine: Combine,
): Tensor {
  const partial = chosen.findIndex(({ kind }) => kind === "slice");
  if (partial >= 0) {
    // A window and index arrays together: change the window, and put it back.
    const windows = chosen.map(
      (s, axis): Cut => (s.kind === "slice" ? s : { kind: "whole", size: x.shape[axis] as Dim }),
    );
    const inside = chosen.map(
      (s): Selection => (s.kind === "slice" ? { kind: "whole", size: s.size } : s),
    );
    const next = scatterAdvanced(scope, cut(scope, x, windows), inside, value, combine);
    return updateWindow(scope, x, windows, next, "set");
  }
  const advanced = advancedOf(x, chosen);
  const kept = x.shape.flatMap((dim, i) => (advanced.dims.includes(i) ? [] : [dim]));
  const shape = kept.toSpliced(advanced.at, 0, ...advanced.common);
  const updates = materialise(scope, "at", value, x.dtype, shape);
  const dimensions: ScatterDimensions = {
    updateWindowDims: offsetsOf(kept.length, advanced),
    insertedWindowDims: advanced.dims,
    scatterDimsToOperandDims: advanced.dims,
    operandBatchingDims: [],
    scatterIndicesBatchingDims: [],
  };
  const inputs = [scope.resolve(x), advanced.indices.id, updates];
  return tensorOf(
    scope,
    scope.emitter.emit("scatter", inputs, { dimensions, combine, mode: "fill" }),
  );
}

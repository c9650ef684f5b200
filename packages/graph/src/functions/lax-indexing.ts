/** lax's slices, gathers and scatters. Computed starts are clamped so that the window fits. */
import { type DType, fromBits, isFloat, type ScalarValue, toBits } from "@gridfuse/plan/scalar";
import type { ValueId } from "../ir/table.ts";
import type { GatherDimensions, OutOfBounds, ScatterDimensions } from "../ir/vocabulary.ts";
import { tensorOf, valueFor } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";

/** What becomes of an element that is written to. */
export type Combine = "set" | "add" | "mul" | "min" | "max";

const startIds = (scope: Scope, name: string, starts: readonly Operand[]): readonly ValueId[] =>
  starts.map((start) => {
    if (!isTensor(start) || start.dtype !== "int32") return valueFor(scope, name, start, "int32");
    return scope.resolve(start);
  });

/** A window of `sizes` elements from `starts`, which are clamped so that it fits. */
export function dynamicSlice<const S extends readonly number[]>(
  x: Tensor,
  starts: readonly Operand[],
  sizes: S,
): Tensor<DType, S> {
  return traced("dynamicSlice", (scope) => {
    const inputs = [scope.resolve(x), ...startIds(scope, "dynamicSlice", starts)];
    return tensorOf(scope, scope.emitter.emit("dynamic_slice", inputs, { sizes }));
  }) as Tensor<DType, S>;
}

/** `x` with `update` written at `starts`, which are clamped so that it fits. */
export function dynamicUpdateSlice<T extends Tensor>(
  x: T,
  update: Operand,
  starts: readonly Operand[],
): Tensor<T["dtype"], T["shape"]> {
  return traced("dynamicUpdateSlice", (scope) => {
    const ids = startIds(scope, "dynamicUpdateSlice", starts);
    const value = valueFor(scope, "dynamicUpdateSlice", update, x.dtype);
    const inputs = [scope.resolve(x), value, ...ids];
    return tensorOf(scope, scope.emitter.emit("dynamic_update_slice", inputs, {}));
  }) as unknown as Tensor<T["dtype"], T["shape"]>;
}

export interface GatherOptions {
  readonly dimensions: GatherDimensions;
  readonly sliceSizes: readonly number[];
  /** A window that is not wholly inside is moved inside (`clip`) or filled; `fill` by default. */
  readonly mode?: OutOfBounds;
  /** NaN, the least signed, the greatest unsigned integer or true where absent. */
  readonly fill?: ScalarValue;
}
const gatherOptions: OptionNames<GatherOptions> = {
  dimensions: true,
  sliceSizes: true,
  mode: true,
  fill: true,
};
const gatherDimensions: OptionNames<GatherDimensions> = {
  offsetDims: true,
  collapsedSliceDims: true,
  startIndexMap: true,
  operandBatchingDims: true,
  startIndicesBatchingDims: true,
};

/** What lax fills with: a value that is unlikely to go unnoticed. */
function poison(dtype: DType): ScalarValue {
  if (isFloat(dtype)) return Number.NaN;
  if (dtype === "bool") return true;
  const ones = fromBits(dtype, { lo: 0xffffffff, hi: 0xffffffff });
  if (ones !== -1 && ones !== -1n) return ones;
  const bits = { int8: 7n, int16: 15n, int32: 31n, int64: 63n }[dtype as "int8"];
  return -(1n << bits);
}

export function emitGather(
  scope: Scope,
  x: Tensor,
  indices: Tensor,
  options: GatherOptions,
): Tensor {
  const { dimensions, sliceSizes, mode = "fill" } = options;
  const fill = toBits(x.dtype, options.fill ?? poison(x.dtype));
  const inputs = [scope.resolve(x), scope.resolve(indices)];
  const id = scope.emitter.emit("gather", inputs, { dimensions, sliceSizes, mode, fill });
  return tensorOf(scope, id);
}

/** lax.gather: windows of `x` at the index vectors in the last dim of `indices`. */
export const gather = (x: Tensor, indices: Tensor, options: GatherOptions): Tensor =>
  traced("gather", (scope) => {
    const { dimensions } = checked("gather", options, gatherOptions);
    checked("gather: dimensions", dimensions, gatherDimensions);
    return emitGather(scope, x, indices, options);
  });

export interface ScatterOptions {
  readonly dimensions: ScatterDimensions;
  /** A window that is not wholly inside is moved inside (`clip`) or dropped; `fill` by default. */
  readonly mode?: OutOfBounds;
}
const scatterOptions: OptionNames<ScatterOptions> = { dimensions: true, mode: true };
const scatterDimensions: OptionNames<ScatterDimensions> = {
  updateWindowDims: true,
  insertedWindowDims: true,
  scatterDimsToOperandDims: true,
  operandBatchingDims: true,
  scatterIndicesBatchingDims: true,
};
export type Scatter = (
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  options: ScatterOptions,
) => Tensor;
const scatterWith =
  (name: string, combine: Combine): Scatter =>
  (x, indices, updates, options) =>
    traced(name, (scope) => {
      const { dimensions, mode = "fill" } = checked(name, options, scatterOptions);
      checked(`${name}: dimensions`, dimensions, scatterDimensions);
      const inputs = [x, indices, updates].map((tensor) => scope.resolve(tensor));
      return tensorOf(scope, scope.emitter.emit("scatter", inputs, { dimensions, combine, mode }));
    });
/** lax.scatter: `x` with windows set, the last of several to the same place winning. */
export const scatter: Scatter = scatterWith("scatter", "set");
export const scatterAdd: Scatter = scatterWith("scatterAdd", "add");
export const scatterMul: Scatter = scatterWith("scatterMul", "mul");
export const scatterMin: Scatter = scatterWith("scatterMin", "min");
export const scatterMax: Scatter = scatterWith("scatterMax", "max");

/** Slices and windows at computed places. */
import type { DType, OpParams } from "@gridfuse/graph";
import { arithmeticOf, type Element } from "../arithmetic.ts";
import {
  bitsOf,
  boxAt,
  copied,
  copyBox,
  filled,
  forEachCoordinate,
  fromLanes,
  type HostTensor,
  integerOf,
  integersOf,
  lanesOf,
  stridesOf,
  wholeOf,
  zeros,
} from "../tensor.ts";
import type { Implementations } from "./types.ts";

export const clampInto = (x: number, lo: number, hi: number): number =>
  Math.min(Math.max(x, lo), hi);

/** Starts moved so that a window of `window` fits into `shape`. */
const clampedStarts = (
  starts: readonly HostTensor[],
  shape: readonly number[],
  window: readonly number[],
): readonly number[] =>
  starts.map((start, d) => clampInto(integerOf(start), 0, shape[d] - window[d]));

function dynamicSlice(
  operand: HostTensor,
  starts: readonly HostTensor[],
  { sizes }: OpParams["dynamic_slice"],
): HostTensor {
  const out = zeros(operand.dtype, sizes);
  const start = clampedStarts(starts, operand.shape, sizes);
  copyBox(sizes, bitsOf(operand), boxAt(operand.shape, start), bitsOf(out), wholeOf(sizes));
  return out;
}

function dynamicUpdateSlice(
  operand: HostTensor,
  update: HostTensor,
  starts: readonly HostTensor[],
): HostTensor {
  const out = copied(operand);
  const start = clampedStarts(starts, operand.shape, update.shape);
  copyBox(
    update.shape,
    bitsOf(update),
    wholeOf(update.shape),
    bitsOf(out),
    boxAt(operand.shape, start),
  );
  return out;
}

/** What gather and scatter have in common: how a window is found from an index vector. */
interface Windows {
  /** Size of the window in every operand dimension; 1 in those that do not show in the window. */
  readonly extents: readonly number[];
  /** Operand dimension that each window coordinate moves along. */
  readonly windowDims: readonly number[];
  /** Operand dimension that each entry of the index vector gives the start of. */
  readonly startIndexMap: readonly number[];
  readonly operandBatchingDims: readonly number[];
  readonly indicesBatchingDims: readonly number[];
  readonly mode: "clip" | "fill";
}

/**
 * Finds the operand offset of a window element from the batch coordinate (the dimensions of
 * `indices` but the last) and the window coordinate; undefined where the window is not inside.
 */
function windowLocator(
  shape: readonly number[],
  indices: HostTensor,
  windows: Windows,
): (batch: readonly number[], window: readonly number[]) => number | undefined {
  const strides = stridesOf(shape);
  const values = integersOf(indices);
  const indexStrides = stridesOf(indices.shape);
  return (batch, window) => {
    const start = shape.map(() => 0);
    const vector = batch.reduce((offset, at, d) => offset + at * indexStrides[d], 0);
    for (const [k, d] of windows.startIndexMap.entries()) start[d] = values[vector + k];
    for (const [k, d] of windows.operandBatchingDims.entries()) {
      start[d] = batch[windows.indicesBatchingDims[k]];
    }
    let offset = 0;
    for (const [d, extent] of windows.extents.entries()) {
      const last = shape[d] - extent;
      if (windows.mode === "clip") start[d] = clampInto(start[d], 0, last);
      else if (start[d] < 0 || start[d] > last) return undefined;
      offset += start[d] * strides[d];
    }
    for (const [k, d] of windows.windowDims.entries()) offset += window[k] * strides[d];
    return offset;
  };
}

const without = (rank: number, dims: readonly number[]): number[] =>
  Array.from({ length: rank }, (_, d) => d).filter((d) => !dims.includes(d));

function gather(
  operand: HostTensor,
  indices: HostTensor,
  { dimensions, sliceSizes, mode, fill }: OpParams["gather"],
): HostTensor {
  const { offsetDims, collapsedSliceDims, operandBatchingDims } = dimensions;
  const rank = offsetDims.length + indices.shape.length - 1;
  const windowDims = without(operand.shape.length, [...collapsedSliceDims, ...operandBatchingDims]);
  const batchDims = without(rank, offsetDims);
  const shape = new Array<number>(rank);
  for (const [k, d] of offsetDims.entries()) shape[d] = sliceSizes[windowDims[k]];
  for (const [k, d] of batchDims.entries()) shape[d] = indices.shape[k];
  const locate = windowLocator(operand.shape, indices, {
    extents: sliceSizes,
    windowDims,
    startIndexMap: dimensions.startIndexMap,
    operandBatchingDims,
    indicesBatchingDims: dimensions.startIndicesBatchingDims,
    mode,
  });
  const out = filled(operand.dtype, shape, fill);
  const from = bitsOf(operand);
  const to = bitsOf(out);
  forEachCoordinate(shape, (at, flat) => {
    const offset = locate(
      batchDims.map((d) => at[d]),
      offsetDims.map((d) => at[d]),
    );
    if (offset !== undefined) to[flat] = from[offset];
  });
  return out;
}

/** What one update does to an element, on bits for `set` and on values else. */
function scatter(
  operand: HostTensor,
  indices: HostTensor,
  updates: HostTensor,
  { dimensions, combine, mode }: OpParams["scatter"],
): HostTensor {
  const { updateWindowDims, insertedWindowDims, operandBatchingDims } = dimensions;
  const rank = operand.shape.length;
  const windowDims = without(rank, [...insertedWindowDims, ...operandBatchingDims]);
  const batchDims = without(updates.shape.length, updateWindowDims);
  const extents = new Array<number>(rank).fill(1);
  for (const [k, d] of windowDims.entries()) extents[d] = updates.shape[updateWindowDims[k]];
  const locate = windowLocator(operand.shape, indices, {
    extents,
    windowDims,
    startIndexMap: dimensions.scatterDimsToOperandDims,
    operandBatchingDims,
    indicesBatchingDims: dimensions.scatterIndicesBatchingDims,
    mode,
  });
  const out = copied(operand);
  const write = elementWriter(out, updates, combine);
  forEachCoordinate(updates.shape, (at, flat) => {
    const offset = locate(
      batchDims.map((d) => at[d]),
      updateWindowDims.map((d) => at[d]),
    );
    if (offset !== undefined) write(offset, flat);
  });
  return out;
}

/** Writes element `from` of `updates` into element `to` of `target`, combined with what is there. */
export function elementWriter(
  target: HostTensor,
  updates: HostTensor,
  combine: OpParams["scatter"]["combine"],
): (to: number, from: number) => void {
  const bits = bitsOf(target);
  if (combine === "set") {
    const source = bitsOf(updates);
    return (to, from) => {
      bits[to] = source[from];
    };
  }
  const { dtype } = target;
  const apply = arithmeticOf(dtype)[combine];
  return (to, from) => {
    const sum = apply(elementAt(target, to), elementAt(updates, from));
    bits[to] = elementBits(dtype, sum);
  };
}

const elementAt = ({ dtype, data }: HostTensor, at: number): Element =>
  lanesOf({ dtype, shape: [1], data: data.subarray(at, at + 1) })[0] as Element;

function elementBits(dtype: DType, value: Element): number {
  const one = zeros(dtype, [1]);
  const lane = lanesOf(one);
  lane[0] = value;
  return bitsOf(fromLanes(dtype, [1], lane))[0];
}

export const indexing: Implementations<
  "dynamic_slice" | "dynamic_update_slice" | "gather" | "scatter"
> = {
  dynamic_slice: ([x, ...starts], params) => dynamicSlice(x, starts, params),
  dynamic_update_slice: ([x, update, ...starts]) => dynamicUpdateSlice(x, update, starts),
  gather: ([x, indices], params) => gather(x, indices, params),
  scatter: ([x, indices, updates], params) => scatter(x, indices, updates, params),
};

/**
 * Reading and writing a ref's view when the ref is a value: the arithmetic of `discharge`.
 *
 * A chain of transforms is read step by step; it is written by reading the outer view, writing the
 * rest of the chain into it, and putting the result back. So a store through any chain works.
 */
import { toBits } from "@gridfuse/plan/scalar";
import type { Emitter } from "../ir/emit.ts";
import type { ValueId } from "../ir/table.ts";
import { sizes } from "../ir/types.ts";
import type { Indexer, IndexSource, RefTransforms } from "../ir/vocabulary.ts";

type Level = readonly Indexer[];

/** The value that `ref[transforms]` reads when the ref holds `whole`. */
export function readView(
  e: Emitter,
  whole: ValueId,
  transforms: RefTransforms,
  operands: readonly ValueId[],
): ValueId {
  return transforms.reduce((value, level) => readLevel(e, value, level, operands), whole);
}

/** What the ref holds after `ref[transforms] = value`. */
export function writeView(
  e: Emitter,
  whole: ValueId,
  transforms: RefTransforms,
  operands: readonly ValueId[],
  value: ValueId,
): ValueId {
  const [level, ...rest] = transforms;
  if (level === undefined) return value;
  const inner =
    rest.length === 0
      ? value
      : writeView(e, readLevel(e, whole, level, operands), rest, operands, value);
  return writeLevel(e, whole, level, operands, inner);
}

/** What the ref holds after `ref[transforms] += value`; an element that is named twice gets both. */
export function addToView(
  e: Emitter,
  whole: ValueId,
  transforms: RefTransforms,
  operands: readonly ValueId[],
  value: ValueId,
): ValueId {
  const [level, ...rest] = transforms;
  if (level === undefined) return e.emit("add", [whole, value], {});
  if (rest.length === 0 && hasArrays(level)) {
    return scatterLevel(e, whole, level, operands, value, "add");
  }
  const inner = addToView(e, readLevel(e, whole, level, operands), rest, operands, value);
  return writeLevel(e, whole, level, operands, inner);
}

const isStatic = (level: Level): boolean =>
  level.every(
    (indexer) =>
      (indexer.kind === "int" && typeof indexer.index === "number") ||
      (indexer.kind === "slice" && typeof indexer.start === "number"),
  );

const hasArrays = (level: Level): boolean => level.some(({ kind }) => kind === "array");

/** Start, number of elements and stride along one dimension. */
interface Window {
  readonly start: IndexSource;
  readonly size: number;
  readonly stride: number;
}

const windowOf = (indexer: Indexer): Window =>
  indexer.kind === "int"
    ? { start: indexer.index, size: 1, stride: 1 }
    : indexer.kind === "slice"
      ? indexer
      : { start: 0, size: 1, stride: 1 };

const span = ({ size, stride }: Window): number => (size === 0 ? 0 : (size - 1) * stride + 1);

const keptShape = (level: Level): number[] =>
  level.flatMap((indexer) => (indexer.kind === "slice" ? [indexer.size] : []));

function startValue(e: Emitter, source: IndexSource, operands: readonly ValueId[]): ValueId {
  return typeof source === "number"
    ? e.full("int32", [], source)
    : (operands[source.operand] as ValueId);
}

function readLevel(
  e: Emitter,
  whole: ValueId,
  level: Level,
  operands: readonly ValueId[],
): ValueId {
  if (hasArrays(level)) return gatherLevel(e, whole, level, operands);
  const windows = level.map(windowOf);
  const shape = sizes(e.shape(whole));
  let window = whole;
  if (isStatic(level)) {
    const start = windows.map((w) => w.start as number);
    const limit = windows.map((w, d) => (start[d] as number) + span(w));
    const strides = windows.map(({ stride }) => stride);
    window = e.emit("slice", [whole], { start, limit, strides });
  } else {
    const starts = windows.map((w) => startValue(e, w.start, operands));
    const spans = windows.map(span);
    window = e.emit("dynamic_slice", [whole, ...starts], { sizes: spans });
    if (windows.some(({ stride }) => stride > 1)) {
      window = e.emit("slice", [window], {
        start: shape.map(() => 0),
        limit: spans,
        strides: windows.map(({ stride }) => stride),
      });
    }
  }
  return e.reshape(window, keptShape(level));
}

function writeLevel(
  e: Emitter,
  whole: ValueId,
  level: Level,
  operands: readonly ValueId[],
  value: ValueId,
): ValueId {
  const shape = sizes(e.shape(whole));
  const windows = level.map(windowOf);
  const covers =
    isStatic(level) &&
    windows.every((w, d) => w.start === 0 && w.size === shape[d] && w.stride === 1);
  if (covers && !hasArrays(level)) return e.reshape(value, shape);
  if (hasArrays(level) || windows.some(({ stride }) => stride > 1)) {
    return scatterLevel(e, whole, level, operands, value);
  }
  const update = e.reshape(
    value,
    windows.map(({ size }) => size),
  );
  const starts = windows.map((w) => startValue(e, w.start, operands));
  return e.emit("dynamic_update_slice", [whole, update, ...starts], {});
}

// ── Advanced indexing ───────────────────────────────────────────────────────────────────────

/** A level with array indexers or strided writes as windows of a gather or scatter. */
interface LevelWindows {
  /** Shape of the result. */
  readonly shape: readonly number[];
  /** Dimensions of the result that windows span, and the operand's that windows do not. */
  readonly windowDims: readonly number[];
  readonly elementDims: readonly number[];
  /** Operand dimensions whose starts are in `indices`. */
  readonly indexedDims: readonly number[];
  /** Extents of windows, 1 along the other dimensions of the operand. */
  readonly windowSizes: readonly number[];
  readonly indices: ValueId;
}

/**
 * Index vectors of what a level names one by one; slices without stride are windows. The order of the
 * result's dims is NumPy's: array dims together where the first stands if adjacent, else in front.
 */
function levelWindows(
  e: Emitter,
  whole: ValueId,
  level: Level,
  operands: readonly ValueId[],
): LevelWindows {
  const arrays = level.flatMap((indexer, d) => (indexer.kind === "array" ? [d] : []));
  const broadcast = broadcastShape(
    arrays.map((d) => {
      const indexer = level[d] as Extract<Indexer, { kind: "array" }>;
      return sizes(e.shape(operands[indexer.operand] as ValueId));
    }),
  );
  // With arrays present, ints take part in advanced indexing and decide adjacency too.
  const advanced = level.flatMap((indexer, d) =>
    indexer.kind === "array" || (indexer.kind === "int" && arrays.length > 0) ? [d] : [],
  );
  const adjacent = advanced.every((d, i) => i === 0 || d === (advanced[i - 1] as number) + 1);
  const before = level.flatMap((indexer, d) =>
    indexer.kind === "slice" && adjacent && d < (advanced[0] ?? 0) ? [d] : [],
  );
  const after = level.flatMap((indexer, d) =>
    indexer.kind === "slice" && !before.includes(d) ? [d] : [],
  );
  const sizeOf = (d: number): number => windowOf(level[d] as Indexer).size;
  const shape = [...before.map(sizeOf), ...broadcast, ...after.map(sizeOf)];
  const extents = sizes(e.shape(whole));
  /** Where a sliced dimension stands in the result. */
  const placeOf = (d: number): number =>
    before.includes(d) ? before.indexOf(d) : before.length + broadcast.length + after.indexOf(d);

  const isWindow = (d: number): boolean => {
    const indexer = level[d] as Indexer;
    return indexer.kind === "slice" && indexer.stride === 1;
  };
  const windows = allDims(level.length).filter(isWindow);
  const windowDims = windows.map(placeOf);
  const batch = allDims(shape.length).filter((at) => !windowDims.includes(at));
  const batchShape = batch.map((at) => shape[at] as number);
  const indexedDims = allDims(level.length).filter(
    (d) => !isWindow(d) || windowOf(level[d] as Indexer).start !== 0,
  );
  const columns = indexedDims.map((d) => {
    const indexer = level[d] as Indexer;
    let column: ValueId;
    if (indexer.kind === "array") {
      const own = operands[indexer.operand] as ValueId;
      const rank = e.shape(own).length;
      column = e.broadcastInDim(
        e.convert(own, "int32"),
        batchShape,
        e.shape(own).map((_, i) => batch.indexOf(before.length + broadcast.length - rank + i)),
      );
      column = wrapNegative(e, column, extents[d] as number);
    } else {
      const window = windowOf(indexer);
      let start = startValue(e, window.start, operands);
      if (typeof window.start !== "number") {
        const room = Math.max(0, (extents[d] as number) - span(window));
        const zero = e.full("int32", [], 0);
        start = e.emit("clamp", [zero, e.convert(start, "int32"), e.full("int32", [], room)], {});
      }
      column = e.broadcastInDim(start, batchShape, []);
      if (indexer.kind === "slice" && !isWindow(d)) {
        const steps = e.emit(
          "mul",
          [
            e.iota("int32", batchShape, batch.indexOf(placeOf(d))),
            e.full("int32", batchShape, window.stride),
          ],
          {},
        );
        column = e.emit("add", [column, steps], {});
      }
    }
    return e.reshape(column, [...batchShape, 1]);
  });
  const indices =
    columns.length === 1
      ? (columns[0] as ValueId)
      : e.emit("concatenate", columns, { dimension: batchShape.length });
  return {
    shape,
    windowDims,
    elementDims: allDims(level.length).filter((d) => !isWindow(d)),
    indexedDims,
    windowSizes: allDims(level.length).map((d) => (isWindow(d) ? sizeOf(d) : 1)),
    indices,
  };
}

function wrapNegative(e: Emitter, index: ValueId, extent: number): ValueId {
  const shape = e.shape(index);
  const negative = e.emit("lt", [index, e.full("int32", shape, 0)], {});
  const wrapped = e.emit("add", [index, e.full("int32", shape, extent)], {});
  return e.emit("select_n", [negative, index, wrapped], {});
}

export function broadcastShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, i) => {
    let size = 1;
    for (const shape of shapes) {
      const own = shape[shape.length - rank + i] ?? 1;
      if (own !== 1) size = own;
    }
    return size;
  });
}

const allDims = (rank: number): number[] => Array.from({ length: rank }, (_, d) => d);

function gatherLevel(
  e: Emitter,
  whole: ValueId,
  level: Level,
  operands: readonly ValueId[],
): ValueId {
  const windows = levelWindows(e, whole, level, operands);
  return e.emit("gather", [whole, windows.indices], {
    dimensions: {
      offsetDims: windows.windowDims,
      collapsedSliceDims: windows.elementDims,
      startIndexMap: windows.indexedDims,
      operandBatchingDims: [],
      startIndicesBatchingDims: [],
    },
    sliceSizes: windows.windowSizes,
    mode: "clip",
    fill: toBits(e.dtype(whole), 0),
  });
}

function scatterLevel(
  e: Emitter,
  whole: ValueId,
  level: Level,
  operands: readonly ValueId[],
  value: ValueId,
  combine: "set" | "add" = "set",
): ValueId {
  const windows = levelWindows(e, whole, level, operands);
  return e.emit("scatter", [whole, windows.indices, e.reshape(value, windows.shape)], {
    dimensions: {
      updateWindowDims: windows.windowDims,
      insertedWindowDims: windows.elementDims,
      scatterDimsToOperandDims: windows.indexedDims,
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
    },
    combine,
    mode: "clip",
  });
}

/**
 * Block mappings: which elements of an array a grid point sees, and which grid point owns an element.
 *
 * Start positions that are affine in the grid coordinates become views (no copy); anything else,
 * such as a page table read from a prefetched operand, becomes a gather.
 */
import { type BlockMapping, type Emitter, type Region, sizes, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";
import { inlineRegion } from "../tensor/rebuild.ts";
import { symbolicValue } from "../tensor/symbolic.ts";

/** Size of every block dimension; squeezed ones count 1. */
export const blockShape = ({ block }: BlockMapping): number[] =>
  block.map((dim) => (dim.kind === "squeezed" ? 1 : dim.size));

/** Shape of the ref: squeezed dimensions dropped. */
export const refShape = ({ block }: BlockMapping): number[] =>
  block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size]));

/** The first element of the block along every dimension, as functions of the grid's loop leaves. */
export interface Placement {
  readonly starts: readonly IndexExpr[];
}

/** Results of an index map per block dimension: position, and the count of a bounded dimension. */
function mapResults(
  { block }: BlockMapping,
  results: readonly ValueId[],
): { position: ValueId; count: ValueId | undefined }[] {
  let next = 0;
  return block.map((dim) => {
    const position = results[next] as ValueId;
    const count = dim.kind === "bounded" ? results[next + 1] : undefined;
    next += dim.kind === "bounded" ? 2 : 1;
    return { position, count };
  });
}

/** Where the blocks lie, if the index map is an index expression of the grid coordinates. */
export function symbolicPlacement(
  e: Emitter,
  mapping: BlockMapping,
  map: Region,
  coordinates: readonly IndexExpr[],
): Placement | undefined {
  if (mapping.block.some(({ kind }) => kind === "bounded")) return undefined;
  const known = new Map(map.params.slice(0, coordinates.length).map((p, i) => [p, coordinates[i]]));
  const starts: IndexExpr[] = [];
  for (const [d, { position }] of mapResults(mapping, map.results).entries()) {
    const index = symbolicValue(e.table, position, [], (value) => known.get(value));
    if (index === undefined) return undefined;
    starts.push(elementStart(mapping, d, index));
  }
  return { starts };
}

function elementStart(mapping: BlockMapping, d: number, index: IndexExpr): IndexExpr {
  const dim = mapping.block[d]!;
  switch (dim.kind) {
    case "blocked":
      return ix.mul(index, dim.size);
    case "element":
      return ix.add(index, ix.constant(-dim.padding[0]));
    case "squeezed":
    case "bounded":
      return index;
    default:
      return dim satisfies never;
  }
}

/** Reads blocks (squeezed dimensions kept) through a view; `lead` are extra leading dimensions. */
export function viewBlock(
  e: Emitter,
  array: ValueId,
  mapping: BlockMapping,
  { starts }: Placement,
  fill: Bits,
  lead: readonly number[] = [],
): ValueId {
  const shape = blockShape(mapping);
  const index = starts.map((start, d) =>
    ix.add(start, ix.axis(lead.length + d, shape[d] as number)),
  );
  return e.emit("view", [array], { shape: [...lead, ...shape], index, fill });
}

/** An index map whose block starts are computed: by the map itself from coordinates and prefetched values. */
export interface ComputedMap {
  readonly region: Region;
  readonly args: readonly ValueId[];
  /** What the first args are, the coordinates of the grid point. */
  readonly coordinates: readonly IndexExpr[];
}

/** Where a block begins along one dimension, and whether it is read as one window or element by element. */
interface ComputedStart {
  /** int32 scalar. */
  readonly start: ValueId;
  readonly count: ValueId | undefined;
  /** The block is inside the array along this dimension as a whole, or outside as a whole. */
  readonly asWindow: boolean;
  /** A window that begins at 0: needs no index. */
  readonly isZero: boolean;
}

function computedStarts(
  e: Emitter,
  mapping: BlockMapping,
  { region, args, coordinates }: ComputedMap,
): ComputedStart[] {
  const known = new Map(coordinates.map((coordinate, i) => [args[i] as ValueId, coordinate]));
  const array = sizes(mapping.shape);
  const shape = blockShape(mapping);
  return mapResults(mapping, inlineRegion(e, region, args)).map(({ position, count }, d) => {
    const dim = mapping.block[d]!;
    const index = e.convert(position, "int32");
    const scale = dim.kind === "blocked" ? dim.size : 1;
    const offset = dim.kind === "element" ? -dim.padding[0] : 0;
    const scaled = e.emit("mul", [index, e.full("int32", [], scale)], {});
    const start = e.emit("add", [scaled, e.full("int32", [], offset)], {});
    const place = symbolicValue(e.table, start, [], (value) => known.get(value));
    const [extent, size] = [array[d] as number, shape[d] as number];
    const isInside = place !== undefined && place.lo >= 0 && place.hi + size <= extent;
    const asWindow = count === undefined && (isInside || size === 1);
    return {
      start,
      count: count === undefined ? undefined : e.convert(count, "int32"),
      asWindow,
      isZero: asWindow && isInside && place.k === "const" && place.value === 0,
    };
  });
}

/** A block as windows of a gather or scatter. */
interface BlockWindows {
  /** Dimensions that windows span; the others are indexed element by element. */
  readonly windowDims: readonly number[];
  readonly elementDims: readonly number[];
  /** Dimensions whose starts are in `indices`. */
  readonly indexedDims: readonly number[];
  /** Index vectors [...element dims, indexed dims], out of range past a bounded count. */
  readonly indices: ValueId;
}

function blockWindows(
  e: Emitter,
  mapping: BlockMapping,
  starts: readonly ComputedStart[],
): BlockWindows {
  const block = blockShape(mapping);
  const dims = block.map((_, d) => d);
  const elementDims = dims.filter((d) => starts[d]?.asWindow === false);
  const shape = elementDims.map((d) => block[d] as number);
  const indexedDims = dims.filter((d) => starts[d]?.isZero === false);
  const columns = indexedDims.map((d) => {
    const { start, count } = starts[d] as ComputedStart;
    let index = e.broadcastInDim(start, shape, []);
    if (elementDims.includes(d)) {
      const offset = e.iota("int32", shape, elementDims.indexOf(d));
      index = e.emit("add", [index, offset], {});
      if (count !== undefined) {
        const inside = e.emit("lt", [offset, e.broadcastInDim(count, shape, [])], {});
        index = e.emit("select_n", [inside, e.full("int32", shape, -1), index], {});
      }
    }
    return e.reshape(index, [...shape, 1]);
  });
  const windowDims = dims.filter((d) => starts[d]?.asWindow === true);
  return { windowDims, elementDims, indexedDims, indices: joined(e, columns, shape) };
}

function joined(e: Emitter, columns: readonly ValueId[], shape: readonly number[]): ValueId {
  if (columns.length === 0) return e.full("int32", [...shape, 0], 0);
  return columns.length === 1
    ? (columns[0] as ValueId)
    : e.emit("concatenate", columns, { dimension: shape.length });
}

/** Reads one block whose place is computed; elements outside the array are `fill`. */
export function gatherBlock(
  e: Emitter,
  array: ValueId,
  mapping: BlockMapping,
  map: ComputedMap,
  fill: Bits,
): ValueId {
  if (mapping.block.length === 0) return array;
  const windows = blockWindows(e, mapping, computedStarts(e, mapping, map));
  const { windowDims, elementDims, indexedDims, indices } = windows;
  return e.emit("gather", [array, indices], {
    dimensions: {
      offsetDims: windowDims,
      collapsedSliceDims: elementDims,
      startIndexMap: indexedDims,
      operandBatchingDims: [],
      startIndicesBatchingDims: [],
    },
    sliceSizes: blockShape(mapping).map((size, d) => (windowDims.includes(d) ? size : 1)),
    mode: "fill",
    fill,
  });
}

/** Writes one block into the whole array; elements outside are dropped. */
export function scatterBlock(
  e: Emitter,
  array: ValueId,
  mapping: BlockMapping,
  map: ComputedMap,
  placement: Placement | undefined,
  block: ValueId,
): ValueId {
  if (mapping.block.length === 0) return e.reshape(block, []);
  const starts = computedStarts(e, mapping, map);
  const shape = blockShape(mapping);
  const whole = sizes(mapping.shape);
  const inside = placement?.starts.every(
    (start, d) => start.lo >= 0 && start.hi + (shape[d] as number) <= (whole[d] as number),
  );
  if (inside === true) {
    const positions = starts.map(({ start }) => start);
    return e.emit("dynamic_update_slice", [array, block, ...positions], {});
  }
  const { windowDims, elementDims, indexedDims, indices } = blockWindows(e, mapping, starts);
  return e.emit("scatter", [array, indices, block], {
    dimensions: {
      updateWindowDims: windowDims,
      insertedWindowDims: elementDims,
      scatterDimsToOperandDims: indexedDims,
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
    },
    combine: "set",
    mode: "fill",
  });
}

// ── Ownership: which grid point wrote an element ────────────────────────────────────────────

export interface Tiling {
  /** Grid axes that the block's place depends on, ascending; each picks different blocks. */
  readonly axes: readonly number[];
  /** For array coordinates (axis d): the coordinates [grid axes…, block dims…] of the element. */
  readonly owner: readonly IndexExpr[];
}

/**
 * The inverse of an injective placement, or undefined where blocks of different grid points may meet.
 * Every array dimension is a mixed-radix number of the axes it depends on, with the block as last digit.
 */
export function invertPlacement(
  mapping: BlockMapping,
  { starts }: Placement,
  extents: readonly number[],
  loopIds: readonly number[],
): Tiling | undefined {
  const axisOf = new Map(loopIds.map((id, a) => [id, a]));
  const shape = blockShape(mapping);
  const array = sizes(mapping.shape);
  const owners = new Map<number, IndexExpr>();
  const inner: IndexExpr[] = [];
  for (const [d, start] of starts.entries()) {
    const digits = affineDigits(start, axisOf);
    if (digits === undefined) return undefined;
    const size = shape[d] as number;
    let reach = size - 1;
    let lowest = digits.constant;
    for (const { axis, factor } of digits.terms) {
      if (owners.has(axis) || Math.abs(factor) <= reach) return undefined;
      owners.set(axis, ix.zero);
      reach += Math.abs(factor) * ((extents[axis] as number) - 1);
      if (factor < 0) lowest += factor * ((extents[axis] as number) - 1);
    }
    let rest = ix.add(ix.axis(d, array[d] as number), ix.constant(-lowest));
    for (const { axis, factor } of [...digits.terms].reverse()) {
      const digit = ix.floordiv(rest, Math.abs(factor));
      rest = ix.mod(rest, Math.abs(factor));
      const last = ix.constant((extents[axis] as number) - 1);
      owners.set(axis, factor > 0 ? digit : ix.sub(last, digit));
    }
    inner.push(rest);
  }
  const axes = [...owners.keys()].sort((p, q) => p - q);
  return { axes, owner: [...axes.map((axis) => owners.get(axis) as IndexExpr), ...inner] };
}

/** constant + Σ factor·axis with |factor| ascending, or undefined. */
function affineDigits(
  e: IndexExpr,
  axisOf: ReadonlyMap<number, number>,
): { constant: number; terms: { axis: number; factor: number }[] } | undefined {
  if (e.k === "const") return { constant: e.value, terms: [] };
  const list = e.k === "sum" ? e.terms : [{ factor: 1, of: e }];
  const terms: { axis: number; factor: number }[] = [];
  for (const { factor, of } of list) {
    const axis = of.k === "loop" ? axisOf.get(of.loop) : undefined;
    if (axis === undefined) return undefined;
    terms.push({ axis, factor });
  }
  terms.sort((p, q) => Math.abs(p.factor) - Math.abs(q.factor));
  return { constant: e.k === "sum" ? e.constant : 0, terms };
}

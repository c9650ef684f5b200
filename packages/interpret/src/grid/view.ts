/**
 * Views of refs: where the elements of `ref.at[…].at[…]` lie.
 *
 * A view is a strided box over the ref's elements until an array indexer comes; from there on it is
 * a strided box over a list of elements. Later indexers apply to either in the same way.
 */
import type { IndexSource, RefTransforms } from "@gridfuse/graph";
import { clampInto } from "../ops/indexing.ts";
import {
  forEachCoordinate,
  type HostTensor,
  integerOf,
  integersOf,
  offsetsOf,
  sizeOf,
  stridesOf,
} from "../tensor.ts";

type Indexer = RefTransforms[number][number];

export interface View {
  readonly shape: readonly number[];
  /** Elements of the ref, in row-major order of the view. */
  readonly offsets: Int32Array;
}

interface Box {
  readonly shape: readonly number[];
  readonly base: number;
  readonly strides: readonly number[];
  /** What the box's offsets point into; absent: the ref itself. */
  readonly list?: Int32Array;
}

const boxOf = (shape: readonly number[], list?: Int32Array): Box => ({
  shape,
  base: 0,
  strides: stridesOf(shape),
  ...(list !== undefined && { list }),
});

function elementsOf(box: Box): Int32Array {
  const offsets = offsetsOf(box.shape, box);
  return box.list === undefined ? offsets : offsets.map((at) => (box.list as Int32Array)[at]);
}

/** The view that `transforms` describe of a ref of `shape`. */
export function viewOf(
  shape: readonly number[],
  transforms: RefTransforms,
  indices: readonly HostTensor[],
): View {
  let box = boxOf(shape);
  for (const indexers of transforms) {
    box = indexers.some(({ kind }) => kind === "array")
      ? advanced(box, indexers, indices)
      : basic(box, indexers, indices);
  }
  return { shape: box.shape, offsets: elementsOf(box) };
}

const resolve = (source: IndexSource, indices: readonly HostTensor[]): number =>
  typeof source === "number" ? source : integerOf(indices[source.operand]);

/** Ints and slices: still a strided box. Starts move so that the window fits. */
function basic(box: Box, indexers: readonly Indexer[], indices: readonly HostTensor[]): Box {
  const shape: number[] = [];
  const strides: number[] = [];
  let { base } = box;
  for (const [d, indexer] of indexers.entries()) {
    const extent = box.shape[d];
    const stride = box.strides[d];
    if (indexer.kind === "int") {
      base += clampInto(resolve(indexer.index, indices), 0, extent - 1) * stride;
    } else if (indexer.kind === "slice") {
      const reach = indexer.size === 0 ? 0 : (indexer.size - 1) * indexer.stride + 1;
      base += clampInto(resolve(indexer.start, indices), 0, extent - reach) * stride;
      shape.push(indexer.size);
      strides.push(stride * indexer.stride);
    }
  }
  return { ...box, shape, base, strides };
}

/**
 * NumPy's advanced indexing: ints and arrays broadcast together; the broadcast dimensions stand where
 * the first of them stood if they are neighbours, else in front. An array element below 0 counts from the
 * end; then each is clamped.
 */
function advanced(box: Box, indexers: readonly Indexer[], indices: readonly HostTensor[]): Box {
  const isSlice = (d: number) => indexers[d].kind === "slice";
  const all = indexers.map((_, d) => d);
  const sliced = basic(
    {
      ...box,
      shape: box.shape.filter((_, d) => isSlice(d)),
      strides: box.strides.filter((_, d) => isSlice(d)),
    },
    indexers.filter(({ kind }) => kind === "slice"),
    indices,
  );
  const picks = all.filter((d) => !isSlice(d)).map((d) => pickOf(indexers[d], indices, box, d));
  const together = broadcastShapes(picks.map(({ shape }) => shape));
  const adjacent = picks.every(
    (pick, i) => i === 0 || pick.dimension === picks[i - 1].dimension + 1,
  );
  const front = adjacent ? all.filter((d) => isSlice(d) && d < picks[0].dimension).length : 0;
  const shape = [...sliced.shape.slice(0, front), ...together, ...sliced.shape.slice(front)];

  const list = new Int32Array(sizeOf(shape));
  const source = box.list;
  forEachCoordinate(shape, (at, flat) => {
    let offset = sliced.base;
    for (let d = 0; d < sliced.shape.length; d++) {
      offset += at[d < front ? d : d + together.length] * sliced.strides[d];
    }
    for (const pick of picks) offset += pick.offsetAt(at.slice(front, front + together.length));
    list[flat] = source === undefined ? offset : source[offset];
  });
  return boxOf(shape, list);
}

interface Pick {
  readonly dimension: number;
  readonly shape: readonly number[];
  /** Offset for a coordinate of the broadcast shape. */
  offsetAt(at: readonly number[]): number;
}

function pickOf(
  indexer: Indexer,
  indices: readonly HostTensor[],
  box: Box,
  dimension: number,
): Pick {
  const toOffset = (index: number) =>
    clampInto(index, 0, box.shape[dimension] - 1) * box.strides[dimension];
  if (indexer.kind === "int") {
    const offset = toOffset(resolve(indexer.index, indices));
    return { dimension, shape: [], offsetAt: () => offset };
  }
  const array = indices[(indexer as Extract<Indexer, { kind: "array" }>).operand];
  const values = integersOf(array);
  const strides = stridesOf(array.shape).map((stride, d) => (array.shape[d] === 1 ? 0 : stride));
  return {
    dimension,
    shape: array.shape,
    offsetAt: (at) => {
      const skipped = at.length - strides.length;
      const flat = strides.reduce((sum, stride, d) => sum + at[skipped + d] * stride, 0);
      const index = values[flat];
      return toOffset(index < 0 ? index + box.shape[dimension] : index);
    },
  };
}

/** NumPy broadcasting of several shapes. */
function broadcastShapes(shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, d) => {
    const dims = shapes.map((shape) => shape[d - rank + shape.length] ?? 1);
    return dims.find((dim) => dim !== 1) ?? 1;
  });
}

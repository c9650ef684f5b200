/**
 * Gathers and scatters between buffers in memory and lanes. Floats move as words, so that no NaN payload
 * passes through a JS number.
 */
import {
  type Bits,
  type DType,
  itemSize,
  type StorageArray,
  storageArray,
  storageClass,
} from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  applyNode,
  type IndexRange,
  type Lanes,
  lanes,
  loadLanes,
  storeLanes,
} from "@gridfuse/plan/scalar";
import { type IndexLanes, indexLanes } from "./index-lanes.ts";

/** An array as elements that can be moved one by one: itself, or its words. */
interface Movable {
  readonly words: Uint8Array;
  readonly perElement: 1 | 2;
}

function movable(array: Lanes | StorageArray): Movable {
  if (array instanceof Float32Array || array instanceof Float64Array) {
    const perElement = array instanceof Float64Array ? 2 : 1;
    const words = new Uint32Array(array.buffer, array.byteOffset, array.byteLength / 4);
    return { words: words as unknown as Uint8Array, perElement };
  }
  return { words: array as Uint8Array, perElement: 1 };
}

function move(from: Movable, at: number, to: Movable, place: number): void {
  if (from.perElement === 1) {
    to.words[place] = from.words[at] as number;
  } else {
    to.words[2 * place] = from.words[2 * at] as number;
    to.words[2 * place + 1] = from.words[2 * at + 1] as number;
  }
}

/** The same memory in the form of `dtype`: floats that are only moved are accessed as their bits. */
function viewAs(dtype: DType, storage: StorageArray): StorageArray {
  if (storage instanceof storageClass(dtype)) return storage;
  return storageArray(dtype, storage.buffer, storage.byteOffset, storage.length);
}

/** Which points lie in bounds; undefined where all do. */
export function guardLanes(
  guard: readonly IndexRange[],
  points: IndexLanes,
): Uint8Array | undefined {
  if (guard.length === 0) return undefined;
  const holds = new Uint8Array(points.count).fill(1);
  for (const { index, lo, hi } of guard) {
    const values = indexLanes(index, points);
    for (let i = 0; i < points.count; i++) {
      const value = values[i] as number;
      if (value < lo || value >= hi) holds[i] = 0;
    }
  }
  return holds;
}

const constantLanes = (dtype: DType, bits: Bits, count: number): Lanes =>
  applyNode({ op: "const", dtype, bits }, [], [], count);

/** Elements of `storage` at an index, or `fill` where a guard fails. */
export function gatherLanes(
  dtype: DType,
  memory: StorageArray,
  index: IndexExpr,
  guard: readonly IndexRange[],
  fill: Bits,
  points: IndexLanes,
): Lanes {
  const storage = viewAs(dtype, memory);
  const { count } = points;
  const places = indexLanes(index, points);
  const holds = guardLanes(guard, points);
  const isShortFloat = itemSize(dtype) === 2 && (dtype === "float16" || dtype === "bfloat16");
  const result = holds === undefined ? lanes(dtype, count) : constantLanes(dtype, fill, count);
  const to = movable(result);
  const from = movable(storage);
  for (let i = 0; i < count; i++) {
    if (holds !== undefined && holds[i] === 0) continue;
    const place = places[i] as number;
    if (isShortFloat) move(movable(loadLanes(dtype, storage, place, 1)), 0, to, i);
    else move(from, place, to, i);
  }
  return result;
}

/** Writes lanes in order; of several at one place the last one stays. */
export function scatterLanes(
  dtype: DType,
  values: Lanes,
  memory: StorageArray,
  index: IndexExpr,
  guard: readonly IndexRange[],
  points: IndexLanes,
): void {
  const storage = viewAs(dtype, memory);
  const { count } = points;
  const places = indexLanes(index, points);
  const holds = guardLanes(guard, points);
  const isShortFloat = dtype === "float16" || dtype === "bfloat16";
  const from = movable(values);
  const to = movable(storage);
  for (let i = 0; i < count; i++) {
    if (holds !== undefined && holds[i] === 0) continue;
    const place = places[i] as number;
    if (isShortFloat) storeLanes(dtype, values.subarray(i, i + 1), storage, place, 1);
    else move(from, i, to, place);
  }
}

/** `sort` and `topk` over buffers in host memory. */
import {
  bitsDType,
  type DType,
  type SortStep,
  type StorageArray,
  storageArray,
  type TopKStep,
} from "@gridfuse/plan";
import { type OrderKeys, orderKeys, reversed, stableOrder } from "./order-keys.ts";

/** The elements of a buffer, in its in-memory form. */
export type BufferView = (buffer: number) => StorageArray;

/** The same memory as unsigned integers, so that moving elements keeps their bits. */
const asBits = (dtype: DType, view: StorageArray): Uint8Array =>
  storageArray(bitsDType(dtype), view.buffer, view.byteOffset, view.length) as Uint8Array;

export function runSort(step: SortStep, view: BufferView): void {
  const { outer, extent, inner, dtypes, keys } = step;
  if (extent === 0) return;
  const inputs = step.inputs.map(view);
  const from = inputs.map((array, i) => asBits(dtypes[i] as DType, array));
  const to = step.outputs.map((buffer, i) =>
    asBits(dtypes[step.sources[i] as number] ?? "int32", view(buffer)),
  );
  const rows = from.map(
    (_, i) => storageArray(bitsDType(dtypes[i] as DType), extent) as Uint8Array,
  );
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < inner; n++) {
      const start = o * extent * inner + n;
      const words: OrderKeys = inputs
        .slice(0, keys)
        .flatMap((array, i) => orderKeys(dtypes[i] as DType, array, start, inner, extent));
      const order = stableOrder(words, extent);
      // Inputs and outputs may share memory in any combination: read every row before writing one.
      for (const [i, source] of from.entries())
        gather(source, start, inner, order, rows[i] as Uint8Array);
      for (const [i, target] of to.entries()) {
        const row = rows[step.sources[i] as number] ?? order;
        spread(row, target, start, inner);
      }
    }
  }
}

function gather(
  from: Uint8Array,
  start: number,
  stride: number,
  order: Uint32Array,
  row: Uint8Array,
): void {
  for (let i = 0; i < row.length; i++) {
    row[i] = from[start + (order[i] as number) * stride] as number;
  }
}

function spread(
  row: Uint8Array | Uint32Array,
  to: Uint8Array,
  start: number,
  stride: number,
): void {
  for (let i = 0; i < row.length; i++) to[start + i * stride] = row[i] as number;
}

export function runTopK(step: TopKStep, view: BufferView): void {
  const { outer, extent, k, dtype } = step;
  const input = view(step.input);
  const from = asBits(dtype, input);
  const values = asBits(dtype, view(step.values));
  const indices = view(step.indices) as Int32Array;
  for (let o = 0; o < outer; o++) {
    const keys = reversed(orderKeys(dtype, input, o * extent, 1, extent));
    const order = stableOrder(keys, extent);
    for (let i = 0; i < k; i++) {
      const element = order[i] as number;
      values[o * k + i] = from[o * extent + element] as number;
      indices[o * k + i] = element;
    }
  }
}

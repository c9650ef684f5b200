/** Reading and writing refs. */
import type { OpParams } from "@gridfuse/graph";
import type { RefCell } from "../context.ts";
import { elementWriter } from "../ops/indexing.ts";
import { bitsOf, type HostTensor, zeros } from "../tensor.ts";
import { viewOf } from "./view.ts";

export function getRef(
  { memory }: RefCell,
  { transforms }: OpParams["get"],
  indices: readonly HostTensor[],
): HostTensor {
  const { shape, offsets } = viewOf(memory.shape, transforms, indices);
  const out = zeros(memory.dtype, shape);
  const from = bitsOf(memory);
  const to = bitsOf(out);
  for (let i = 0; i < offsets.length; i++) to[i] = from[offsets[i]];
  return out;
}

/** Elements are written in row-major order: where an array indexer names one twice, `set` keeps the last, `add` adds both. */
export function updateRef(
  ref: RefCell,
  value: HostTensor,
  combine: "set" | "add",
  { transforms }: OpParams["set"],
  indices: readonly HostTensor[],
): void {
  const { offsets } = viewOf(ref.memory.shape, transforms, indices);
  const write = elementWriter(ref.memory, value, combine);
  // Of the value, in case it is smaller in rank than the view: sizes agree, order is row-major.
  for (let i = 0; i < offsets.length; i++) write(offsets[i], i);
  ref.written = true;
}

/**
 * Blocks: which elements of an array a grid point sees, read and written with what lies outside.
 */
import {
  type Bits,
  type BlockMapping,
  type DType,
  type FillMode,
  isFloat,
  type PaddingConfig,
  toBits,
} from "@gridfuse/graph";
import { extremesOf } from "../arithmetic.ts";
import {
  bitsOf,
  boxAt,
  canonicalNaN,
  copyBox,
  filled,
  forEachCoordinate,
  type HostTensor,
  stridesOf,
  wholeOf,
  zeros,
} from "../tensor.ts";

/**
 * What memory of `dtype` holds that nobody wrote, and what lies outside an array. (JAX's plain interpreter keeps
 * semaphores in int16 cells, and so starts everything of that dtype at 0.)
 */
export function fillBits(dtype: DType, mode: FillMode): Bits {
  if (mode === "zero" || (mode === "hlo" && dtype === "int16")) return { lo: 0, hi: 0 };
  if (isFloat(dtype)) return canonicalNaN(dtype);
  const { least, greatest } = extremesOf(dtype);
  return toBits(dtype, mode === "hlo" ? least : greatest);
}

/** The array with what blocks may reach around it, filled with what nobody wrote. */
export function padArray(
  array: HostTensor,
  padding: readonly PaddingConfig[],
  fill: FillMode,
): HostTensor {
  const shape = array.shape.map((extent, d) => padding[d].lo + extent + padding[d].hi);
  const padded = filled(array.dtype, shape, fillBits(array.dtype, fill));
  const inside = boxAt(
    shape,
    padding.map(({ lo }) => lo),
  );
  copyBox(array.shape, bitsOf(array), wholeOf(array.shape), bitsOf(padded), inside);
  return padded;
}

/** The array without its padding. */
export function cropArray(
  { dtype, shape: padded, data }: HostTensor,
  padding: readonly PaddingConfig[],
): HostTensor {
  const shape = padded.map((extent, d) => extent - padding[d].lo - padding[d].hi);
  const array = zeros(dtype, shape);
  const inside = boxAt(
    padded,
    padding.map(({ lo }) => lo),
  );
  const from = bitsOf({ dtype, shape: padded, data });
  copyBox(shape, from, inside, bitsOf(array), wholeOf(shape));
  return array;
}

/** A block at one grid point. */
export interface Window {
  /** Array index of the block's first element, in every array dimension. */
  readonly start: readonly number[];
  /** Elements that belong to the block, in every array dimension. */
  readonly count: readonly number[];
}

/** Shape of the ref: the block's dimensions but the squeezed ones. */
export const refShapeOf = ({ block }: BlockMapping): readonly number[] =>
  block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size]));

/** Where the results of the index map put the block. */
export function windowAt({ block }: BlockMapping, indices: readonly number[]): Window {
  const start: number[] = [];
  const count: number[] = [];
  let next = 0;
  for (const dim of block) {
    const index = indices[next++];
    switch (dim.kind) {
      case "blocked":
        start.push(index * dim.size);
        count.push(dim.size);
        break;
      case "squeezed":
        start.push(index);
        count.push(1);
        break;
      case "element":
        // The array is as if padded, and the index counts from the padding's first element.
        start.push(index - dim.padding[0]);
        count.push(dim.size);
        break;
      case "bounded":
        start.push(index);
        count.push(Math.min(indices[next++], dim.size));
        break;
      default:
        dim satisfies never;
    }
  }
  return { start, count };
}

/** Pairs of (offset in the block, offset in the array) of the elements that lie in both. */
function forEachInside(
  array: HostTensor,
  mapping: BlockMapping,
  { start, count }: Window,
  visit: (inBlock: number, inArray: number) => void,
): void {
  const extents = mapping.block.map((dim) => (dim.kind === "squeezed" ? 1 : dim.size));
  const strides = stridesOf(array.shape);
  forEachCoordinate(extents, (at, inBlock) => {
    let inArray = 0;
    for (let d = 0; d < at.length; d++) {
      const index = start[d] + at[d];
      if (at[d] >= count[d] || index < 0 || index >= array.shape[d]) return;
      inArray += index * strides[d];
    }
    visit(inBlock, inArray);
  });
}

/** The block's elements; those that are not elements of the array are fill. */
export function readBlock(
  array: HostTensor,
  mapping: BlockMapping,
  window: Window,
  fill: FillMode,
): HostTensor {
  const block = filled(mapping.dtype, refShapeOf(mapping), fillBits(mapping.dtype, fill));
  const from = bitsOf(array);
  const to = bitsOf(block);
  forEachInside(array, mapping, window, (inBlock, inArray) => {
    to[inBlock] = from[inArray];
  });
  return block;
}

/** Writes the block back in place; what lies outside the array is dropped. */
export function writeBlock(
  array: HostTensor,
  mapping: BlockMapping,
  window: Window,
  block: HostTensor,
): void {
  const from = bitsOf(block);
  const to = bitsOf(array);
  forEachInside(array, mapping, window, (inBlock, inArray) => {
    to[inArray] = from[inBlock];
  });
}

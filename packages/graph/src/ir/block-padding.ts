/**
 * Where blocks overhang their array, the array is as if it were larger: what a kernel writes outside is
 * there when the block comes back, and is dropped at the end. (JAX's interpreter carries padded arrays
 * through the grid; on a TPU the block stays in vector memory while it is revisited.)
 */
import type { BlockDim, BlockMapping, PaddingConfig } from "./vocabulary.ts";

export interface PaddedMapping {
  /** The mapping over the padded array: same blocks, counted from the padding's first element. */
  readonly mapping: BlockMapping;
  /** What lies before and after the array in every dimension. */
  readonly padding: readonly PaddingConfig[];
}

/** `mapping` over an array of `shape` with room for every block that starts inside. */
export function padMapping(mapping: BlockMapping, shape: readonly number[]): PaddedMapping {
  const padding = mapping.block.map((dim, d) => paddingOf(dim, shape[d] as number));
  const block = mapping.block.map(
    (dim): BlockDim => (dim.kind === "element" ? { ...dim, padding: [0, 0] } : dim),
  );
  const padded = padding.map(({ lo, hi }, d) => lo + (shape[d] as number) + hi);
  return { mapping: { ...mapping, block, shape: padded }, padding };
}

function paddingOf(dim: BlockDim, extent: number): PaddingConfig {
  switch (dim.kind) {
    case "blocked":
      return { lo: 0, hi: Math.ceil(extent / dim.size) * dim.size - extent, interior: 0 };
    case "element":
      return { lo: dim.padding[0], hi: dim.padding[1] + dim.size - 1, interior: 0 };
    case "bounded":
      return { lo: 0, hi: dim.size - 1, interior: 0 };
    case "squeezed":
      return { lo: 0, hi: 0, interior: 0 };
    default:
      return dim satisfies never;
  }
}

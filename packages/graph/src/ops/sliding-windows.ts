/** Windows that slide over dimensions, as convolutions and reductions of windows count and pad them. */
import { BuildError } from "@gridfuse/plan/errors";

/** Elements before and after each dimension. `"SAME"` keeps ⌈size / stride⌉ windows, `"VALID"` those that lie inside. */
export type WindowPadding = "SAME" | "VALID" | readonly (readonly [number, number])[];

/** What elements take up that are `dilation` apart. */
export const dilatedSize = (size: number, dilation: number): number =>
  Math.max(0, (size - 1) * dilation + 1);

/** How many windows there are, `size` and `window` being dilated and padded. */
export const windowCount = (size: number, window: number, stride: number): number =>
  Math.max(0, Math.floor((size - window) / stride) + 1);

interface Sizes {
  readonly size: number;
  readonly window: number;
  readonly stride: number;
}

/**
 * Padding as pairs, one for each of `count` dimensions; `sizesOf` gives their dilated sizes where they matter.
 *
 * @throws BuildError GF2108 for another word
 */
export function paddingOf(
  name: string,
  given: WindowPadding | undefined,
  count: number,
  sizesOf: (dimension: number) => Sizes,
): readonly (readonly [number, number])[] {
  if (typeof given === "object") return given;
  if (given !== undefined && given !== "SAME" && given !== "VALID") {
    throw new BuildError("GF2108", `${name}: padding is ${JSON.stringify(given)}`, {
      expected: '"SAME", "VALID" or a pair of numbers for each dimension that windows slide along',
      received: given,
      help: 'pad by `"SAME"`, by nothing, `"VALID"`, or by `[[1, 1], [1, 1]]`',
    });
  }
  return Array.from({ length: count }, (_, d) => {
    if (given !== "SAME") return [0, 0];
    const { size, window, stride } = sizesOf(d);
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + window - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

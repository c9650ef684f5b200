/** Reductions of windows, as lax has them: pooling, moving sums, dilations of images. */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import { tensorOf } from "../operand.ts";
import { emitReduceWindow, type WindowReduction, windowReductions } from "../ops/reduce-window.ts";
import { dilatedSize, paddingOf, type WindowPadding } from "../ops/sliding-windows.ts";
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { accumulateIn } from "./linear.ts";

/** Every list has one entry for each dimension of the operand. */
export interface ReduceWindowOptions {
  readonly op: WindowReduction;
  /** The window: 1 along dimensions that it leaves alone, as batch and features. */
  readonly windowDimensions: readonly number[];
  /** Steps between windows; 1 where absent. */
  readonly windowStrides?: readonly number[];
  /** What is before and after each dimension changes no result (0, 1, −∞ or the least integer, ∞ or the greatest); `"VALID"`, none, where absent. */
  readonly padding?: WindowPadding;
  /** Steps between elements of the operand; 1 where absent. */
  readonly baseDilation?: readonly number[];
  /** Steps between elements of the window; 1 where absent. */
  readonly windowDilation?: readonly number[];
}
const windowOptions: OptionNames<ReduceWindowOptions> = {
  op: true,
  windowDimensions: true,
  windowStrides: true,
  padding: true,
  baseDilation: true,
  windowDilation: true,
};

/**
 * lax.reduce_window: the sum, product, maximum or minimum of every window of `x`. Along each dimension there are
 * ⌊(size + padding − window) / stride⌋ + 1 of them, size and window as dilated; the rank and dtype stay. Integers
 * wrap, floats of 16 bits are summed in float32. NaN is the extreme of the windows that hold one.
 *
 * ```ts no-run
 * const window = { windowDimensions: [1, 3, 3, 1], padding: "SAME" } as const;
 * const greatest = reduceWindow(images, { op: "max", ...window, windowStrides: [1, 2, 2, 1] });
 * // An average is a sum divided by how many elements its window holds, padding left out:
 * const counts = reduceWindow(ones(f32, [1, height, width, 1]), { op: "sum", ...window });
 * const average = reduceWindow(images, { op: "sum", ...window }).div(counts);
 * ```
 *
 * @throws BuildError GF2105 for sums and products of bool, GF2108 where an option does not fit the rank or is another
 * word, GF2109 where a dimension is named
 */
export function reduceWindow<T extends Tensor>(
  x: T,
  options: ReduceWindowOptions,
): Tensor<T["dtype"]> {
  return traced("reduceWindow", (scope) => {
    checked("reduceWindow", options, windowOptions);
    const { emitter } = scope;
    const ones = Array<number>(x.ndim).fill(1);
    const { op, windowDimensions } = options;
    const { windowStrides = ones, baseDilation = ones, windowDilation = ones } = options;
    requireOp(op);
    const padding = paddingOf("reduceWindow", options.padding, x.ndim, (d) => ({
      size: dilatedSize(x.shape[d] as number, baseDilation[d] as number),
      window: dilatedSize(windowDimensions[d] as number, windowDilation[d] as number),
      stride: windowStrides[d] as number,
    }));
    const value = emitter.convert(scope.resolve(x), insideOf(op, x.dtype));
    const result = emitReduceWindow(emitter, value, {
      op,
      windowDimensions,
      windowStrides,
      padding,
      baseDilation,
      windowDilation,
    });
    return tensorOf(scope, emitter.convert(result, x.dtype));
  }) as Tensor<T["dtype"]>;
}

/** Sums and products go on over several ops, between which floats of 16 bits would be rounded. */
const insideOf = (op: WindowReduction, dtype: DType): DType =>
  op === "sum" || op === "prod" ? accumulateIn(dtype, dtype) : dtype;

function requireOp(op: string): void {
  if (windowReductions.includes(op)) return;
  throw new BuildError("GF2108", `reduceWindow: op is ${JSON.stringify(op)}`, {
    expected: windowReductions,
    received: op,
    help: `write one of ${windowReductions.map((known) => `"${known}"`).join(", ")}; an average is a sum divided by a sum of ones`,
  });
}

/** Convolutions, as lax has them: not turned round, padded and dilated on both sides, in groups. */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import { commonDType, tensorOf } from "../operand.ts";
import { type ConvolutionDimensions, emitConvolution } from "../ops/convolution.ts";
import { dilatedSize, paddingOf, type WindowPadding } from "../ops/sliding-windows.ts";
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { accumulateIn } from "./linear.ts";

export interface ConvolutionOptions<D extends DType = DType> {
  /** Steps between windows, one for each spatial dimension; 1 where absent. */
  readonly windowStrides?: readonly number[];
  /** Zeros before and after each spatial dimension; `"VALID"`, none, where absent. `"SAME"` keeps ⌈size / stride⌉ windows. */
  readonly padding?: WindowPadding;
  /** Steps between elements of the left operand (a transposed convolution), and of the window. */
  readonly lhsDilation?: readonly number[];
  readonly rhsDilation?: readonly number[];
  /**
   * The order of dimensions of both operands and the result: letters, `["NHWC", "HWIO", "NHWC"]`, with N for batch, C
   * for features, O and I for those of the right operand. `["NCHW", "OIHW", "NCHW"]` where absent, for any rank.
   */
  readonly dimensionNumbers?: readonly [lhs: string, rhs: string, out: string];
  readonly featureGroupCount?: number;
  readonly batchGroupCount?: number;
  /** dtype of the result; that of the promoted operands where absent. */
  readonly dtype?: D;
}
const convolutionOptions: OptionNames<ConvolutionOptions> = {
  windowStrides: true,
  padding: true,
  lhsDilation: true,
  rhsDilation: true,
  dimensionNumbers: true,
  featureGroupCount: true,
  batchGroupCount: true,
  dtype: true,
};

/**
 * lax.conv_general_dilated: `lhs` [N, C, …spatial] and `rhs` [O, I, …window] give [N, O, …windows], where
 * C = I · featureGroupCount. Floats of 16 bits are summed in float32, as in products.
 *
 * @throws BuildError GF2103 where features do not match, GF2108 where an option does not fit the ranks
 */
export function convGeneralDilated<D extends DType = DType>(
  lhs: Tensor,
  rhs: Tensor,
  options: ConvolutionOptions<D> = {},
): Tensor<D> {
  return traced("convGeneralDilated", (scope) => {
    checked("convGeneralDilated", options, convolutionOptions);
    const { emitter } = scope;
    const operands = commonDType("convGeneralDilated", [lhs, rhs]);
    const dtype = options.dtype ?? operands;
    const spatial = Math.max(0, lhs.ndim - 2);
    const ones = Array<number>(spatial).fill(1);
    const dimensions = dimensionsOf(options.dimensionNumbers, lhs.ndim);
    const {
      windowStrides = ones,
      lhsDilation = ones,
      rhsDilation = ones,
      featureGroupCount = 1,
      batchGroupCount = 1,
    } = options;
    const extent = (of: Tensor, dims: readonly number[], dilation: readonly number[], d: number) =>
      dilatedSize(of.shape[dims[d + 2] as number] as number, dilation[d] as number);
    const padding = paddingOf("convGeneralDilated", options.padding, spatial, (d) => ({
      size: extent(lhs, dimensions.lhs, lhsDilation, d),
      window: extent(rhs, dimensions.rhs, rhsDilation, d),
      stride: windowStrides[d] as number,
    }));
    const values = [lhs, rhs].map((side) => emitter.convert(scope.resolve(side), operands));
    const result = emitConvolution(emitter, values as [number, number], {
      dimensions,
      windowStrides,
      padding,
      lhsDilation,
      rhsDilation,
      featureGroupCount,
      batchGroupCount,
      dtype,
      accumulate: accumulateIn(operands, dtype),
    });
    return tensorOf(scope, result);
  }) as Tensor<D>;
}

function dimensionsOf(
  given: ConvolutionOptions["dimensionNumbers"],
  rank: number,
): ConvolutionDimensions {
  const inOrder = Array.from({ length: rank }, (_, d) => d);
  if (given === undefined) return { lhs: inOrder, rhs: inOrder, out: inOrder };
  const [lhs, rhs, out] = given;
  const spatial = [...lhs].filter((letter) => letter !== "N" && letter !== "C");
  const places = (letters: string, first: string, second: string): readonly number[] => {
    const wanted = [first, second, ...spatial];
    const found = wanted.map((letter) => letters.indexOf(letter));
    if (letters.length === rank && new Set(letters).size === rank && !found.includes(-1))
      return found;
    throw new BuildError(
      "GF2108",
      `convGeneralDilated: dimensionNumbers has "${letters}" for rank ${rank}`,
      {
        expected: `${rank} different letters: ${wanted.join(", ")}`,
        received: letters,
        help: 'as in ["NHWC", "HWIO", "NHWC"]: the same spatial letters in all three',
      },
    );
  };
  return { lhs: places(lhs, "N", "C"), rhs: places(rhs, "O", "I"), out: places(out, "N", "C") };
}

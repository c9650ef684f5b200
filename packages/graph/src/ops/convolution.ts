/**
 * lax.conv_general_dilated as one product: windows of the left operand are a view of it, in which they overlap, and the
 * product sums over features and window at once. Nothing is copied but what padding asks for; this is the implicit matrix
 * product of Chetlur et al. 2014 (cuDNN). Groups are batch dims of the product.
 */
import { BuildError } from "@gridfuse/plan/errors";
import * as ix from "@gridfuse/plan/index-expr";
import type { DType } from "@gridfuse/plan/scalar";
import type { Emitter } from "../ir/emit.ts";
import type { ValueId } from "../ir/table.ts";
import { requireAxes, requireLength, requireRange, requireSizes } from "./check.ts";
import { dilatedSize, windowCount } from "./sliding-windows.ts";

/**
 * Where each dimension is: of the left operand batch, feature, then the spatial ones; of the right output feature, input
 * feature, spatial; of the result as of the left.
 */
export interface ConvolutionDimensions {
  readonly lhs: readonly number[];
  readonly rhs: readonly number[];
  readonly out: readonly number[];
}

export interface ConvolutionParams {
  readonly dimensions: ConvolutionDimensions;
  /** One entry for each spatial dimension, as in all that follow. */
  readonly windowStrides: readonly number[];
  /** Elements before and after; negative ones crop. */
  readonly padding: readonly (readonly [number, number])[];
  readonly lhsDilation: readonly number[];
  readonly rhsDilation: readonly number[];
  readonly featureGroupCount: number;
  readonly batchGroupCount: number;
  readonly dtype: DType;
  /** The dtype in which products are summed. */
  readonly accumulate: DType;
}

const name = "conv_general_dilated";

/**
 * The convolution of two operands of one dtype.
 *
 * @throws BuildError GF2103 where features do not match, GF2106 and GF2108 where params do not fit the ranks, GF2109 where
 * a dimension has no size yet
 */
export function emitConvolution(
  e: Emitter,
  [lhs, rhs]: readonly [ValueId, ValueId],
  p: ConvolutionParams,
): ValueId {
  const { dimensions, featureGroupCount, batchGroupCount } = p;
  requireParams(e, [lhs, rhs], p);
  const x = padded(e, e.transpose(lhs, dimensions.lhs), p);
  const kernel = e.transpose(rhs, dimensions.rhs);
  const [batch, features, ...spatial] = requireSizes(name, e.shape(x)) as [number, number];
  const [outputs, inputs, ...window] = requireSizes(name, e.shape(kernel)) as [number, number];
  const groups = featureGroupCount * batchGroupCount;
  requireGroups({ batch, features, outputs, inputs }, p);
  const counts = (spatial as number[]).map((extent, d) => {
    const reach = dilatedSize(window[d] as number, p.rhsDilation[d] as number);
    return windowCount(extent, reach, p.windowStrides[d] as number);
  });
  const rows = batch / batchGroupCount;
  const shape = [groups, rows, ...counts, inputs, ...window];
  const axis = (d: number): ix.IndexExpr => ix.axis(d, shape[d] as number);
  const feature = counts.length + 2;
  const inGroup = (within: number, size: number, apart: boolean): ix.IndexExpr =>
    apart ? ix.add(ix.mul(axis(0), size), axis(within)) : axis(within);
  const windows = e.emit("view", [x], {
    shape,
    index: [
      inGroup(1, rows, batchGroupCount > 1),
      inGroup(feature, inputs, featureGroupCount > 1),
      ...counts.map((_, d) =>
        ix.add(
          ix.mul(axis(d + 2), p.windowStrides[d] as number),
          ix.mul(axis(feature + 1 + d), p.rhsDilation[d] as number),
        ),
      ),
    ],
    fill: { lo: 0, hi: 0 },
  });
  const weights = e.reshape(kernel, [groups, outputs / groups, inputs, ...window]);
  const summed = [inputs, ...window].map((_, d) => d);
  const product = e.emit("dot_general", [windows, weights], {
    contract: [summed.map((d) => feature + d), summed.map((d) => d + 2)],
    batch: [[0], [0]],
    dtype: p.dtype,
    accumulate: p.accumulate,
  });
  // [group, batch, …spatial, output feature of the group] → [batch, feature, …spatial] → as asked for.
  const places = counts.map((_, d) => d + 2);
  const joined = e.transpose(product, [1, 0, counts.length + 2, ...places]);
  const result = e.reshape(joined, [rows, outputs, ...counts]);
  return e.transpose(result, inverse(dimensions.out));
}

function padded(e: Emitter, x: ValueId, { padding, lhsDilation }: ConvolutionParams): ValueId {
  const whole = [0, 1].map(() => ({ lo: 0, hi: 0, interior: 0 }));
  const spatial = padding.map(([lo, hi], d) => ({
    lo,
    hi,
    interior: (lhsDilation[d] as number) - 1,
  }));
  if (spatial.every(({ lo, hi, interior }) => lo === 0 && hi === 0 && interior === 0)) return x;
  return e.emit("pad", [x, e.full(e.dtype(x), [], 0)], { config: [...whole, ...spatial] });
}

const inverse = (permutation: readonly number[]): readonly number[] =>
  permutation.map((_, d) => permutation.indexOf(d));

function requireParams(
  e: Emitter,
  [lhs, rhs]: readonly [ValueId, ValueId],
  p: ConvolutionParams,
): void {
  const rank = e.shape(lhs).length;
  requireRange(name, "the rank of the left operand", rank, 2);
  requireLength(name, "the right operand's shape", e.shape(rhs).length, rank);
  for (const [side, dims] of Object.entries(p.dimensions)) {
    requireLength(name, `dimensions.${side}`, dims.length, rank);
    requireAxes(name, dims, rank, `dimension of ${side}`);
  }
  const spatial = rank - 2;
  requireLength(name, "windowStrides", p.windowStrides.length, spatial);
  requireLength(name, "padding", p.padding.length, spatial);
  requireLength(name, "lhsDilation", p.lhsDilation.length, spatial);
  requireLength(name, "rhsDilation", p.rhsDilation.length, spatial);
  for (const list of ["windowStrides", "lhsDilation", "rhsDilation"] as const) {
    for (const [d, step] of p[list].entries()) requireRange(name, `${list}[${d}]`, step, 1);
  }
  requireRange(name, "featureGroupCount", p.featureGroupCount, 1);
  const most = p.featureGroupCount > 1 ? 1 : undefined;
  requireRange(name, "batchGroupCount beside featureGroupCount", p.batchGroupCount, 1, most);
}

interface Features {
  readonly batch: number;
  readonly features: number;
  readonly outputs: number;
  readonly inputs: number;
}

function requireGroups(
  { batch, features, outputs, inputs }: Features,
  { featureGroupCount, batchGroupCount }: ConvolutionParams,
): void {
  if (features !== inputs * featureGroupCount) {
    throw new BuildError(
      "GF2103",
      `${name}: the left operand has ${features} features, the right one takes ${inputs}${featureGroupCount > 1 ? ` in each of ${featureGroupCount} groups` : ""}`,
      {
        expected: inputs * featureGroupCount,
        received: features,
        help: "the left operand's features are the right one's input features, times featureGroupCount; look at `dimensions`",
      },
    );
  }
  const groups = featureGroupCount * batchGroupCount;
  for (const [what, count, parts] of [
    ["output features", outputs, groups],
    ["batches", batch, batchGroupCount],
  ] as const) {
    if (count % parts === 0) continue;
    throw new BuildError("GF2103", `${name}: ${count} ${what} in ${parts} groups`, {
      expected: `a multiple of ${parts}`,
      received: count,
      help: "every group is of the same size",
    });
  }
}

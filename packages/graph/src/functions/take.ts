/** Elements at index arrays along one axis. Negative entries count from the end. */
import { BuildError } from "@gridfuse/plan/errors";
import { formatShape } from "../ir/types.ts";
import type { OutOfBounds } from "../ir/vocabulary.ts";
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import { isTensor, type Tensor } from "../tensor.ts";
import { constant } from "./create.ts";
import { add, astype, lt, where } from "./elementwise.ts";
import { emitGather } from "./lax-indexing.ts";
import { expandDims, reshape, sizeOf } from "./movement.ts";
import { frontAxis } from "./reduction.ts";

/** Counts negative entries from the end. */
export function wrapNegative(indices: Tensor, size: number): Tensor {
  const narrow = indices.dtype === "int32" ? indices : astype(indices, "int32");
  return where(lt(narrow, 0), add(narrow, size), narrow) as Tensor;
}

export interface TakeOptions {
  /** The flattened tensor where absent. */
  readonly axis?: number;
  /** Entries outside are moved inside or filled; `fill` by default. */
  readonly mode?: OutOfBounds;
}
const takeOptions: OptionNames<TakeOptions> = { axis: true, mode: true };

/** Elements of an axis at `indices`, whose dims take the place of the axis. */
export function take(
  x: Tensor,
  indices: Tensor | readonly number[],
  options: TakeOptions = {},
): Tensor {
  return traced("take", (scope) => {
    const { axis, mode = "fill" } = checked("take", options, takeOptions);
    const source = axis === undefined ? (reshape(x, [-1]) as Tensor) : x;
    const along = frontAxis("take", axis ?? 0, source.ndim);
    const given = isTensor(indices) ? indices : constant([...indices], { dtype: "int32" });
    const wrapped = wrapNegative(given, sizeOf("take", source.shape, along));
    const rank = given.ndim;
    const kept = source.shape.map((_, i) => i).filter((i) => i !== along);
    return emitGather(scope, source, expandDims(wrapped, rank), {
      dimensions: {
        offsetDims: kept.map((i) => (i < along ? i : i - 1 + rank)),
        collapsedSliceDims: [along],
        startIndexMap: [along],
        operandBatchingDims: [],
        startIndicesBatchingDims: [],
      },
      sliceSizes: source.shape.map((_, i) => (i === along ? 1 : sizeOf("take", source.shape, i))),
      mode,
    });
  });
}

/** One element along an axis for each index; the other dims run in step. */
export function takeAlongAxis(
  x: Tensor,
  indices: Tensor,
  options: TakeOptions & { readonly axis: number },
): Tensor {
  return traced("takeAlongAxis", (scope) => {
    const { axis, mode = "fill" } = checked("takeAlongAxis", options, takeOptions);
    const along = frontAxis("takeAlongAxis", axis, x.ndim);
    requireInStep(x, indices, along);
    const wrapped = wrapNegative(indices, sizeOf("takeAlongAxis", x.shape, along));
    const others = x.shape.map((_, i) => i).filter((i) => i !== along);
    return emitGather(scope, x, expandDims(wrapped, x.ndim), {
      dimensions: {
        offsetDims: [],
        collapsedSliceDims: [along],
        startIndexMap: [along],
        operandBatchingDims: others,
        startIndicesBatchingDims: others,
      },
      sliceSizes: x.shape.map(() => 1),
      mode,
    });
  });
}

function requireInStep(x: Tensor, indices: Tensor, along: number): void {
  const inStep =
    indices.ndim === x.ndim && x.shape.every((dim, i) => i === along || dim === indices.shape[i]);
  if (inStep) return;
  throw new BuildError(
    "GF2314",
    `takeAlongAxis: indices ${formatShape(indices.shape)} along axis ${along} of ${formatShape(x.shape)}`,
    {
      expected: `${formatShape(x.shape)}, any size in dim ${along}`,
      received: formatShape(indices.shape),
      help: "dims other than the axis are equal: `broadcastTo` them, or use `take`",
    },
  );
}

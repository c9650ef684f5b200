/** Primitives over windows, as what they stand for: a reduction over shifted slices, unrolled; a product with windows. */
import {
  type DType,
  emitConvolution,
  fromBits,
  type ScalarValue,
  type ValueId,
} from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { Eqn, WireDType } from "../format.ts";
import type { Rule } from "../importing.ts";
import { factors } from "./dot.ts";
import { defaultFill } from "./indexing.ts";
import type { Rules } from "./table.ts";

interface WindowParams {
  readonly window_dimensions: readonly number[];
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly base_dilation?: readonly number[] | null;
  readonly window_dilation?: readonly number[] | null;
}

const ones = (rank: number): readonly number[] => Array<number>(rank).fill(1);

/** Every offset of a window, in row-major order. */
function offsets(sizes: readonly number[]): readonly (readonly number[])[] {
  return sizes.reduce<readonly (readonly number[])[]>(
    (known, size) => known.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

function padded(
  body: Body,
  x: ValueId,
  padding: readonly (readonly [number, number])[],
  dilation: readonly number[],
  value: ScalarValue,
): ValueId {
  const config = padding.map(([lo, hi], d) => ({ lo, hi, interior: (dilation[d] as number) - 1 }));
  if (config.every(({ lo, hi, interior }) => lo === 0 && hi === 0 && interior === 0)) return x;
  return body.e.emit("pad", [x, body.full(body.dtype(x), [], value)], { config });
}

/** The elements at one offset of every window. */
function shifted(
  body: Body,
  x: ValueId,
  start: readonly number[],
  counts: readonly number[],
  strides: readonly number[],
): ValueId {
  return body.e.emit("slice", [x], {
    start,
    limit: start.map((from, d) => from + ((counts[d] as number) - 1) * (strides[d] as number) + 1),
    strides,
  });
}

const least = (dtype: DType): ScalarValue => {
  if (dtype === "bool") return false;
  if (/float/.test(dtype)) return Number.NEGATIVE_INFINITY;
  return dtype.startsWith("u") ? 0 : fromBits(dtype, defaultFill(dtype));
};
const greatest = (dtype: DType): ScalarValue => {
  if (dtype === "bool") return true;
  if (/float/.test(dtype)) return Number.POSITIVE_INFINITY;
  if (dtype.startsWith("u")) return fromBits(dtype, defaultFill(dtype));
  const { lo, hi } = defaultFill(dtype);
  return fromBits(dtype, { lo: ~lo >>> 0, hi: ~hi >>> 0 });
};

const reduceWindow =
  (op: "add" | "max" | "min", identity: (dtype: DType) => ScalarValue): Rule =>
  (body, [x], p: WindowParams, eqn) => {
    const counts = body.resultType(eqn).shape as readonly number[];
    const { window_dimensions: window, window_strides: strides } = p;
    const dilation = p.window_dilation ?? ones(window.length);
    const base = p.base_dilation ?? ones(window.length);
    const all = padded(body, x as ValueId, p.padding, base, identity(body.dtype(x as ValueId)));
    const parts = offsets(window).map((at) =>
      shifted(
        body,
        all,
        at.map((i, d) => i * (dilation[d] as number)),
        counts,
        strides,
      ),
    );
    return parts.reduce((sum, part) => body.e.emit(op, [sum, part], {}));
  };

interface ConvParams {
  readonly dimension_numbers: {
    readonly lhs: readonly number[];
    readonly rhs: readonly number[];
    readonly out: readonly number[];
  };
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly lhs_dilation: readonly number[];
  readonly rhs_dilation: readonly number[];
  readonly feature_group_count?: number;
  readonly batch_group_count?: number;
  readonly preferred_element_type?: WireDType | null;
}

/** Dimension numbers list batch and feature (or output and input feature) first, then the spatial ones. */
function convolution(
  body: Body,
  [lhs, rhs]: readonly [ValueId, ValueId],
  p: ConvParams,
  eqn: Eqn,
): ValueId {
  const result = body.resultType(eqn);
  const dtype = p.preferred_element_type == null ? result.dtype : dtypeOf(p.preferred_element_type);
  const { values, accumulate } = factors(body, [lhs, rhs], dtype);
  return emitConvolution(body.e, values, {
    dimensions: p.dimension_numbers,
    windowStrides: p.window_strides,
    padding: p.padding,
    lhsDilation: p.lhs_dilation,
    rhsDilation: p.rhs_dilation,
    featureGroupCount: p.feature_group_count ?? 1,
    batchGroupCount: p.batch_group_count ?? 1,
    dtype,
    accumulate,
  });
}

export const windows: Rules = {
  "lax:reduce_window_sum": reduceWindow("add", () => 0),
  "lax:reduce_window_max": reduceWindow("max", least),
  "lax:reduce_window_min": reduceWindow("min", greatest),
  "lax:conv_general_dilated": (body, [lhs, rhs], p: ConvParams, eqn) =>
    convolution(body, [lhs as ValueId, rhs as ValueId], p, eqn),
};

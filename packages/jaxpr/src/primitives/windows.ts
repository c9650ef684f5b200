/**
 * Primitives over windows, as what they stand for: a reduction over shifted slices, a convolution as a sum of
 * products with shifted slices. Few and outside of kernels; a window is unrolled.
 */
import { type DType, fromBits, type ScalarValue, type ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { Eqn, WireDType } from "../format.ts";
import type { Rule } from "../importing.ts";
import { dot } from "./dot.ts";
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
  if ((p.feature_group_count ?? 1) !== 1 || (p.batch_group_count ?? 1) !== 1) {
    throw body.unsupported(eqn, "a convolution in groups");
  }
  const result = body.resultType(eqn);
  const dtype = p.preferred_element_type == null ? result.dtype : dtypeOf(p.preferred_element_type);
  const { lhs: from, rhs: by, out: to } = p.dimension_numbers;
  const x = padded(
    body,
    body.e.transpose(lhs, from),
    [[0, 0], [0, 0], ...p.padding],
    [1, 1, ...p.lhs_dilation],
    0,
  );
  const kernel = body.e.transpose(rhs, by);
  const [batch, features] = body.shape(x) as readonly number[];
  const window = body.shape(kernel).slice(2);
  const counts = to.slice(2).map((d) => result.shape[d] as number);
  const parts = offsets(window).map((at) => {
    const start = [0, 0, ...at.map((i, d) => i * (p.rhs_dilation[d] as number))];
    const patch = shifted(
      body,
      x,
      start,
      [batch as number, features as number, ...counts],
      [1, 1, ...p.window_strides],
    );
    const weights = shifted(
      body,
      kernel,
      [0, 0, ...at],
      [...body.shape(kernel).slice(0, 2), ...at.map(() => 1)],
      ones(at.length + 2),
    );
    const matrix = body.e.reshape(weights, body.shape(kernel).slice(0, 2));
    return dot(body, [patch, matrix], [[1], [1]], [[], []], wide(dtype));
  });
  // Results are [batch, …spatial, feature].
  const sum = parts.reduce((all, part) => body.e.emit("add", [all, part], {}));
  const rank = to.length;
  const placed = to.map((_, i) => (i === 0 ? 0 : i === 1 ? rank - 1 : i - 1));
  const arranged = Array.from({ length: rank }, (_, d) => placed[to.indexOf(d)] as number);
  return body.e.convert(body.e.transpose(sum, arranged), dtype);
}

const wide = (dtype: DType): DType =>
  dtype === "float16" || dtype === "bfloat16" ? "float32" : dtype;

export const windows: Rules = {
  "lax:reduce_window_sum": reduceWindow("add", () => 0),
  "lax:reduce_window_max": reduceWindow("max", least),
  "lax:reduce_window_min": reduceWindow("min", greatest),
  "lax:conv_general_dilated": (body, [lhs, rhs], p: ConvParams, eqn) =>
    convolution(body, [lhs as ValueId, rhs as ValueId], p, eqn),
};

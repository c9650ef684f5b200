/** Primitives over windows, as what they stand for in the front end too: reductions and products of windows. */
import {
  emitConvolution,
  emitReduceWindow,
  type ValueId,
  type WindowReduction,
} from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { Eqn, WireDType } from "../format.ts";
import type { Rule } from "../importing.ts";
import { factors } from "./dot.ts";
import type { Rules } from "./table.ts";

interface WindowParams {
  readonly window_dimensions: readonly number[];
  readonly window_strides: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly base_dilation?: readonly number[] | null;
  readonly window_dilation?: readonly number[] | null;
}

const reduceWindow =
  (op: WindowReduction): Rule =>
  (body, [x], p: WindowParams) => {
    const ones = Array<number>(p.window_dimensions.length).fill(1);
    return emitReduceWindow(body.e, x as ValueId, {
      op,
      windowDimensions: p.window_dimensions,
      windowStrides: p.window_strides,
      padding: p.padding,
      baseDilation: p.base_dilation ?? ones,
      windowDilation: p.window_dilation ?? ones,
    });
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
  "lax:reduce_window_sum": reduceWindow("sum"),
  "lax:reduce_window_max": reduceWindow("max"),
  "lax:reduce_window_min": reduceWindow("min"),
  "lax:conv_general_dilated": (body, [lhs, rhs], p: ConvParams, eqn) =>
    convolution(body, [lhs as ValueId, rhs as ValueId], p, eqn),
};

/** Inclusive cumulative ops: element i is the first element combined with the next ones up to i, in order. */
import {
  type DType,
  evaluateProgram,
  type Lanes,
  lanes,
  type OpParams,
  ScalarBuilder,
  scalarMath,
} from "@gridfuse/graph";
import { arithmeticOf, type CombineName, type Element } from "../arithmetic.ts";
import { fromLanes, type HostTensor, lanesOf, sizeOf } from "../tensor.ts";
import type { Implementations } from "./types.ts";

type CumulativeParams = OpParams["cumsum"];
/** Combines n lanes with n lanes. */
type CombineLanes = (before: Lanes, next: Lanes) => Lanes;

/** Walks the axis one position at a time, all other coordinates together. */
function cumulate(
  operand: HostTensor,
  { axis, reverse }: CumulativeParams,
  combine: CombineLanes,
): HostTensor {
  const { dtype, shape } = operand;
  const extent = shape[axis];
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const from = lanesOf(operand);
  const out = lanes(dtype, from.length);
  let before: Lanes | undefined;
  for (let i = 0; i < extent; i++) {
    const at = reverse ? extent - 1 - i : i;
    const offset = (j: number) => (Math.floor(j / inner) * extent + at) * inner + (j % inner);
    const next = lanes(dtype, outer * inner);
    for (let j = 0; j < next.length; j++) next[j] = from[offset(j)];
    before = before === undefined ? next : combine(before, next);
    for (let j = 0; j < next.length; j++) out[offset(j)] = before[j];
  }
  return fromLanes(dtype, shape, out);
}

function combineEach(name: CombineName, dtype: DType): CombineLanes {
  const combine = arithmeticOf(dtype)[name];
  return (before, next) => {
    const out = lanes(dtype, next.length);
    for (let j = 0; j < out.length; j++) out[j] = combine(before[j] as Element, next[j] as Element);
    return out;
  };
}

function combineLogAddExp(dtype: DType): CombineLanes {
  const b = new ScalarBuilder();
  const result = scalarMath.logaddexp(b, b.argument(dtype, 0), b.argument(dtype, 1));
  return (before, next) =>
    evaluateProgram(b.nodes, next.length, (node) =>
      node.op === "argument" && node.index === 0 ? before : next,
    )[result];
}

export const cumulative: Implementations<
  "cumsum" | "cumprod" | "cummax" | "cummin" | "cumlogsumexp"
> = {
  cumsum: ([x], params) => cumulate(x, params, combineEach("add", x.dtype)),
  cumprod: ([x], params) => cumulate(x, params, combineEach("mul", x.dtype)),
  cummax: ([x], params) => cumulate(x, params, combineEach("max", x.dtype)),
  cummin: ([x], params) => cumulate(x, params, combineEach("min", x.dtype)),
  cumlogsumexp: ([x], params) => cumulate(x, params, combineLogAddExp(x.dtype)),
};

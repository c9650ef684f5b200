/** Primitives that only move elements, and those that make them from nothing. */
import { sameShape, type ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { WireDType } from "../format.ts";
import type { Rules } from "./table.ts";

/** Rows `from`…`to` along `axis`. */
export function sliceAxis(
  body: Body,
  value: ValueId,
  axis: number,
  from: number,
  to: number,
): ValueId {
  const shape = body.shape(value);
  if (from === 0 && to === shape[axis]) return value;
  return body.e.emit("slice", [value], {
    start: shape.map((_, d) => (d === axis ? from : 0)),
    limit: shape.map((size, d) => (d === axis ? to : size)),
    strides: shape.map(() => 1),
  });
}

export const movement: Rules = {
  "lax:iota": (body, _, { d, s, dim }: { d: WireDType; s: readonly number[]; dim: number }) => {
    const dtype = dtypeOf(d);
    // Counting in bool has no op: 0 and 1.
    if (dtype !== "bool") return body.e.iota(dtype, s, dim);
    return body.e.convert(body.e.iota("int32", s, dim), "bool");
  },
  "lax:broadcast_in_dim": (
    body,
    [x],
    { s, bd }: { s: readonly number[]; bd: readonly number[] },
  ) =>
    bd.length === s.length && sameShape(body.shape(x as ValueId), s)
      ? x
      : body.e.broadcastInDim(x as ValueId, s, bd),
  "lax:broadcast": (body, [x], { sizes }: { sizes: readonly number[] }) =>
    body.e.broadcastTo(x as ValueId, [...sizes, ...body.shape(x as ValueId)]),
  "lax:reshape": (
    body,
    [x],
    { s, dims }: { s: readonly number[]; dims?: readonly number[] | null },
  ) => body.e.reshape(dims == null ? (x as ValueId) : body.e.transpose(x as ValueId, dims), s),
  "lax:squeeze": (body, [x], { dims }: { dims: readonly number[] }) => {
    const shape = body.shape(x as ValueId);
    const dropped = dims.map((d) => (d + shape.length) % shape.length);
    return body.e.reshape(
      x as ValueId,
      shape.filter((_, d) => !dropped.includes(d)),
    );
  },
  "lax:expand_dims": (body, [x], { dims }: { dims: readonly number[] }) => {
    const shape = [...body.shape(x as ValueId)];
    for (const d of [...dims].sort((a, b) => a - b)) shape.splice(d, 0, 1);
    return body.e.reshape(x as ValueId, shape);
  },
  "lax:transpose": (body, [x], { perm }: { perm: readonly number[] }) =>
    body.e.transpose(x as ValueId, perm),
  "lax:slice": (
    body,
    [x],
    p: { start: readonly number[]; limit: readonly number[]; strides?: readonly number[] | null },
  ) => {
    const shape = body.shape(x as ValueId);
    const strides = p.strides ?? shape.map(() => 1);
    const whole = shape.every(
      (size, d) => p.start[d] === 0 && p.limit[d] === size && strides[d] === 1,
    );
    if (whole) return x;
    return body.e.emit("slice", [x as ValueId], { start: p.start, limit: p.limit, strides });
  },
  "lax:pad": (
    body,
    [x, padding],
    { cfg }: { cfg: readonly (readonly [number, number, number])[] },
  ) =>
    cfg.every((dim) => dim.every((amount) => amount === 0))
      ? x
      : body.e.emit("pad", [x as ValueId, padding as ValueId], {
          config: cfg.map(([lo, hi, interior]) => ({ lo, hi, interior })),
        }),
  "lax:concatenate": (body, args, { dim }: { dim: number }) =>
    args.length === 1 ? args[0] : body.e.emit("concatenate", args, { dimension: dim }),
  "lax:rev": (body, [x], { dims }: { dims: readonly number[] }) =>
    body.e.emit("rev", [x as ValueId], { dimensions: dims }),
  "lax:split": (body, [x], { sizes, axis }: { sizes: readonly number[]; axis: number }) => {
    let from = 0;
    return sizes.map((size) => {
      const part = sliceAxis(body, x as ValueId, axis, from, from + size);
      from += size;
      return part;
    });
  },
  "lax:tile": (body, [x], { reps }: { reps: readonly number[] }) => tile(body, x as ValueId, reps),
  "tpu:repeat": (body, [x], { repeats, axis }: { repeats: number; axis: number }) =>
    tile(
      body,
      x as ValueId,
      body.shape(x as ValueId).map((_, d) => (d === axis ? repeats : 1)),
    ),
  "lax:stack": (body, args, { axis }: { axis: number }) => {
    const shape = body.shape(args[0] as ValueId).toSpliced(axis, 0, 1);
    const parts = args.map((arg) => body.e.reshape(arg, shape));
    return parts.length === 1 ? parts : body.e.emit("concatenate", parts, { dimension: axis });
  },
  "lax:unstack": (body, [x], { axis }: { axis: number }) => {
    const shape = body.shape(x as ValueId);
    return Array.from({ length: shape[axis] as number }, (_, i) =>
      body.e.reshape(sliceAxis(body, x as ValueId, axis, i, i + 1), shape.toSpliced(axis, 1)),
    );
  },
  "lax:dynamic_slice": (body, [x, ...starts], { sizes }: { sizes: readonly number[] }) =>
    starts.length === 0 ? x : body.e.emit("dynamic_slice", [x as ValueId, ...starts], { sizes }),
  "lax:dynamic_update_slice": (body, [x, update, ...starts]) =>
    starts.length === 0
      ? update
      : body.e.emit("dynamic_update_slice", [x as ValueId, update as ValueId, ...starts], {}),
  "lax:empty": (body, _args, _x, eqn) => {
    const { dtype, shape } = body.resultType(eqn);
    return body.full(dtype, shape, dtype === "bool" ? false : 0);
  },
  "core:zeros_like": (body, [x]) =>
    body.full(body.dtype(x as ValueId), body.shape(x as ValueId), 0),
};

/** NumPy's tile for as many repetitions as dimensions. */
export function tile(body: Body, x: ValueId, reps: readonly number[]): ValueId {
  const shape = body.shape(x);
  const own = [...Array<number>(Math.max(0, reps.length - shape.length)).fill(1), ...shape];
  const apart = own.flatMap((size, d) => [reps[d] as number, size]);
  const placed = own.flatMap((_, d) => (d < own.length - shape.length ? [] : [2 * d + 1]));
  const repeated = body.e.broadcastInDim(x, apart, placed);
  return body.e.reshape(
    repeated,
    own.map((size, d) => size * (reps[d] as number)),
  );
}

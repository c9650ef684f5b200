/**
 * Movement: functions that put elements elsewhere and compute nothing. Sizes are worked out here;
 * a named dim can be kept whole, not cut or joined.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type Dim, formatShape, type Shape } from "../ir/types.ts";
import { commonDType, materialise, tensorOf, valueFor } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import type { Operand, Tensor } from "../tensor.ts";
import type { Reshaped, Transpose } from "../types/shape-types.ts";
import { requireDims } from "./create.ts";
import { frontAxis } from "./reduction.ts";

/** The size of a dim that the function has to compute with. @throws BuildError GF2306 on a name */
export function sizeOf(name: string, shape: Shape, axis: number): number {
  const dim = shape[axis] as Dim;
  if (typeof dim === "number") return dim;
  throw new BuildError(
    "GF2306",
    `${name} needs the size of axis ${axis}, which is named "${dim}"`,
    {
      received: formatShape(shape),
      help: "keep that dim whole, or trace with its size in place of the name",
    },
  );
}

/** The same elements in row-major order under another shape; one entry may be −1. */
export function reshape<T extends Tensor, const N extends readonly Dim[]>(
  x: T,
  shape: N,
): Tensor<T["dtype"], Reshaped<N>> {
  return traced("reshape", (scope) => {
    const wanted = fillIn(x.shape, shape);
    return tensorOf(scope, scope.emitter.reshape(scope.resolve(x), wanted));
  }) as unknown as Tensor<T["dtype"], Reshaped<N>>;
}

function fillIn(from: Shape, to: Shape): Shape {
  const hole = to.indexOf(-1);
  if (hole < 0) return requireDims("reshape", to);
  const rest = to.filter((_, i) => i !== hole);
  requireDims("reshape", rest);
  const remaining = [...from];
  for (const dim of rest) {
    const at = typeof dim === "string" ? remaining.indexOf(dim) : -1;
    if (at >= 0) remaining.splice(at, 1);
  }
  const names = remaining.filter((dim) => typeof dim === "string");
  const have = remaining.reduce<number>((n, d) => (typeof d === "number" ? n * d : n), 1);
  const taken = rest.reduce<number>((n, d) => (typeof d === "number" ? n * d : n), 1);
  if (names.length === 1 && have === taken) return to.with(hole, names[0] as string);
  if (names.length === 0 && taken > 0 && Number.isInteger(have / taken)) {
    return to.with(hole, have / taken);
  }
  throw new BuildError(
    "GF2309",
    `reshape: no size for −1 makes ${formatShape(to)} hold as many elements as ${formatShape(from)}`,
    { expected: formatShape(from), received: formatShape(to), help: "write the size out" },
  );
}

/** One dimension. */
export const ravel = <T extends Tensor>(x: T): Tensor<T["dtype"], readonly [number]> =>
  traced("ravel", () => reshape(x, [-1])) as unknown as Tensor<T["dtype"], readonly [number]>;

/** NumPy broadcasting to `shape`. */
export function broadcastTo<T extends Operand, const S extends Shape>(
  x: T,
  shape: S,
): Tensor<T extends Tensor ? T["dtype"] : "int32" | "float32" | "bool", S> {
  return traced("broadcastTo", (scope) => {
    const dtype = commonDType("broadcastTo", [x]);
    return tensorOf(scope, materialise(scope, "broadcastTo", x, dtype, shape));
  }) as never;
}

/** lax.broadcast_in_dim: dim d of x becomes dim `dimensions[d]` of the result. */
export function broadcastInDim<T extends Tensor, const S extends Shape>(
  x: T,
  shape: S,
  dimensions: readonly number[],
): Tensor<T["dtype"], S> {
  return traced("broadcastInDim", (scope) =>
    tensorOf(scope, scope.emitter.broadcastInDim(scope.resolve(x), shape, dimensions)),
  ) as unknown as Tensor<T["dtype"], S>;
}

/** Dims in the order of `permutation`; reversed without one. */
export function transpose<
  T extends Tensor,
  const P extends readonly number[] | undefined = undefined,
>(x: T, permutation?: P): Tensor<T["dtype"], Transpose<T["shape"], P>> {
  return traced("transpose", (scope) => {
    const order = (permutation ?? x.shape.map((_, i) => x.ndim - 1 - i)).map((axis) =>
      frontAxis("transpose", axis, x.ndim),
    );
    return tensorOf(scope, scope.emitter.transpose(scope.resolve(x), order));
  }) as unknown as Tensor<T["dtype"], Transpose<T["shape"], P>>;
}

/** Exchanges two axes. */
export function swapaxes(x: Tensor, a: number, b: number): Tensor {
  return traced("swapaxes", () => {
    const [i, j] = [frontAxis("swapaxes", a, x.ndim), frontAxis("swapaxes", b, x.ndim)];
    return transpose(
      x,
      x.shape.map((_, at) => (at === i ? j : at === j ? i : at)),
    );
  });
}

/** Moves one axis to another place. */
export function moveaxis(x: Tensor, from: number, to: number): Tensor {
  return traced("moveaxis", () => {
    const [source, target] = [from, to].map((axis) => frontAxis("moveaxis", axis, x.ndim)) as [
      number,
      number,
    ];
    const order = x.shape.map((_, i) => i).filter((i) => i !== source);
    order.splice(target, 0, source);
    return transpose(x, order);
  });
}

/** Drops axes of size 1: the given ones, or all. */
export function squeeze(x: Tensor, axis?: number | readonly number[]): Tensor {
  return traced("squeeze", (scope) => {
    const all = x.shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
    const axes =
      axis === undefined
        ? all
        : (typeof axis === "number" ? [axis] : axis).map((a) => frontAxis("squeeze", a, x.ndim));
    const wide = axes.find((a) => x.shape[a] !== 1);
    if (wide !== undefined) {
      throw new BuildError("GF2310", `squeeze: axis ${wide} of ${formatShape(x.shape)} is not 1`, {
        expected: 1,
        received: x.shape[wide],
        help: "take one element with `x.index(…)`, or reduce over the axis",
      });
    }
    const rest = x.shape.filter((_, i) => !axes.includes(i));
    return tensorOf(scope, scope.emitter.reshape(scope.resolve(x), rest));
  });
}

/** Inserts axes of size 1 at these places of the result. */
export function expandDims(x: Tensor, axis: number | readonly number[]): Tensor {
  return traced("expandDims", (scope) => {
    const wanted = typeof axis === "number" ? [axis] : axis;
    const ndim = x.ndim + wanted.length;
    const axes = wanted.map((a) => frontAxis("expandDims", a, ndim)).sort((a, b) => a - b);
    const shape = [...x.shape];
    for (const a of axes) shape.splice(a, 0, 1);
    return tensorOf(scope, scope.emitter.reshape(scope.resolve(x), shape));
  });
}

/** lax.slice: elements from `start` up to `limit` (not included), one entry a dimension. */
export function slice(
  x: Tensor,
  start: readonly number[],
  limit: readonly number[],
  strides: readonly number[] = start.map(() => 1),
): Tensor {
  return traced("slice", (scope) =>
    tensorOf(scope, scope.emitter.emit("slice", [scope.resolve(x)], { start, limit, strides })),
  );
}

export interface AlongOptions {
  /** The first one where absent. */
  readonly axis?: number;
}
const alongOptions: OptionNames<AlongOptions> = { axis: true };

export interface SliceAlongOptions extends AlongOptions {
  readonly stride?: number;
}
const sliceAlongOptions: OptionNames<SliceAlongOptions> = { axis: true, stride: true };

/** Elements `start` … `limit` of one axis, the others whole. Negative bounds count from the end. */
export function sliceAlong(
  x: Tensor,
  start: number,
  limit: number,
  options: SliceAlongOptions = {},
): Tensor {
  return traced("sliceAlong", () => {
    const { axis = 0, stride = 1 } = checked("sliceAlong", options, sliceAlongOptions);
    const at = frontAxis("sliceAlong", axis, x.ndim);
    const size = sizeOf("sliceAlong", x.shape, at);
    const whole = x.shape.map((_, i) => (i === at ? size : sizeOf("sliceAlong", x.shape, i)));
    const bound = (n: number) => (n < 0 ? n + size : n);
    const zeros = whole.map(() => 0);
    const steps = whole.map(() => 1);
    return slice(
      x,
      zeros.with(at, bound(start)),
      whole.with(at, Math.min(size, bound(limit))),
      steps.with(at, stride),
    );
  });
}

export interface Padding {
  /** Elements before; negative crops. */
  readonly lo: number;
  /** Elements after; negative crops. */
  readonly hi: number;
  /** Elements between neighbours. */
  readonly interior?: number;
}
const paddingNames: OptionNames<Padding> = { lo: true, hi: true, interior: true };
/** lax.pad: one entry a dimension, `[lo, hi]` or with interior dilation. */
export function pad(
  x: Tensor,
  padding: readonly (Padding | readonly [number, number])[],
  value: Operand = 0,
): Tensor {
  return traced("pad", (scope) => {
    const config = padding.map((p) => {
      if (isPair(p)) return { lo: p[0], hi: p[1], interior: 0 };
      const { lo, hi, interior = 0 } = checked("pad", p, paddingNames);
      return { lo, hi, interior };
    });
    const filler = valueFor(scope, "pad", value, x.dtype);
    return tensorOf(scope, scope.emitter.emit("pad", [scope.resolve(x), filler], { config }));
  });
}
const isPair = (p: Padding | readonly [number, number]): p is readonly [number, number] =>
  Array.isArray(p);

/** Tensors end to end along an axis; dtypes promote. */
export function concatenate(tensors: readonly Tensor[], options: AlongOptions = {}): Tensor {
  return traced("concatenate", (scope) => {
    const { axis = 0 } = checked("concatenate", options, alongOptions);
    requireSome("concatenate", tensors);
    const dtype = commonDType("concatenate", tensors);
    const ids = tensors.map((t) => scope.emitter.convert(scope.resolve(t), dtype));
    if (ids.length === 1) return tensorOf(scope, ids[0] as number);
    const dimension = frontAxis("concatenate", axis, (tensors[0] as Tensor).ndim);
    return tensorOf(scope, scope.emitter.emit("concatenate", ids, { dimension }));
  });
}

/** Tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], options: AlongOptions = {}): Tensor {
  return traced("stack", () => {
    const { axis = 0 } = checked("stack", options, alongOptions);
    requireSome("stack", tensors);
    const at = frontAxis("stack", axis, (tensors[0] as Tensor).ndim + 1);
    return concatenate(
      tensors.map((t) => expandDims(t, at)),
      { axis: at },
    );
  });
}

function requireSome(name: string, tensors: readonly Tensor[]): void {
  if (tensors.length > 0) return;
  throw new BuildError("GF2311", `${name} of no tensors`, {
    help: "pass at least one; an empty tensor is `zeros(dtype, [0])`",
  });
}

/** Cuts an axis into equal parts (a number) or before the given indices (a list). */
export function split(
  x: Tensor,
  parts: number | readonly number[],
  options: AlongOptions = {},
): readonly Tensor[] {
  return traced("split", () => {
    const { axis = 0 } = checked("split", options, alongOptions);
    const at = frontAxis("split", axis, x.ndim);
    const size = sizeOf("split", x.shape, at);
    const cuts = typeof parts === "number" ? equalCuts(size, parts) : parts;
    const bounds = [0, ...cuts, size];
    return bounds
      .slice(1)
      .map((limit, i) => sliceAlong(x, bounds[i] as number, limit, { axis: at }));
  });
}

function equalCuts(size: number, parts: number): readonly number[] {
  if (Number.isInteger(parts) && parts > 0 && size % parts === 0) {
    return Array.from({ length: parts - 1 }, (_, i) => ((i + 1) * size) / parts);
  }
  throw new BuildError(
    "GF2312",
    `split: ${size} elements do not divide into ${parts} equal parts`,
    {
      expected: `a divisor of ${size}`,
      received: parts,
      help: "pass the list of indices to cut at",
    },
  );
}

/** Reverses axes: the given ones, or all. */
export function flip<T extends Tensor>(
  x: T,
  axis?: number | readonly number[],
): Tensor<T["dtype"], T["shape"]> {
  return traced("flip", (scope) => {
    const axes = axis === undefined ? x.shape.map((_, i) => i) : [axis].flat();
    const dimensions = axes.map((a) => frontAxis("flip", a, x.ndim));
    return tensorOf(scope, scope.emitter.emit("rev", [scope.resolve(x)], { dimensions }));
  }) as unknown as Tensor<T["dtype"], T["shape"]>;
}

/** Element j of an axis moves to j + shift, wrapping around. */
export function roll<T extends Tensor>(
  x: T,
  shift: number,
  options: AlongOptions = {},
): Tensor<T["dtype"], T["shape"]> {
  return traced("roll", () => {
    const { axis = 0 } = checked("roll", options, alongOptions);
    const at = frontAxis("roll", axis, x.ndim);
    const size = sizeOf("roll", x.shape, at);
    const by = size === 0 ? 0 : ((shift % size) + size) % size;
    if (by === 0) return x;
    const [head, tail] = split(x, [size - by], { axis: at }) as [Tensor, Tensor];
    return concatenate([tail, head], { axis: at });
  }) as unknown as Tensor<T["dtype"], T["shape"]>;
}

/** The tensor over and over, `counts` times along each axis. */
export function tile(x: Tensor, counts: number | readonly number[]): Tensor {
  return traced("tile", () => {
    const wanted = [counts].flat();
    const ndim = Math.max(x.ndim, wanted.length);
    const times = [...Array<number>(ndim - wanted.length).fill(1), ...wanted];
    const shape = [...Array<Dim>(ndim - x.ndim).fill(1), ...x.shape];
    const spread = times.flatMap((n, i) => [n, shape[i] as Dim]);
    const lifted = reshape(
      x,
      shape.flatMap((dim) => [1, dim]),
    );
    const result = times.map((n, i) =>
      n === 1 ? (shape[i] as Dim) : n * sizeOf("tile", shape, i),
    );
    return reshape(broadcastTo(lifted, spread) as Tensor, result);
  });
}

/** Each element `count` times in a row along an axis. */
export function repeat(x: Tensor, count: number, options: AlongOptions = {}): Tensor {
  return traced("repeat", () => {
    const { axis = 0 } = checked("repeat", options, alongOptions);
    const at = frontAxis("repeat", axis, x.ndim);
    const shape = [...x.shape];
    shape.splice(at + 1, 0, count);
    const result = x.shape.with(at, sizeOf("repeat", x.shape, at) * count);
    return reshape(broadcastTo(expandDims(x, at + 1), shape) as Tensor, result);
  });
}

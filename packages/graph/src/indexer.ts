/**
 * How one dimension is indexed, for refs and for `x.index(…)` alike: an element, a window, the whole,
 * or a list of elements. Written forms become `Selection`s; `"a:b:c"` is Python's slice.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { isInteger } from "@gridfuse/plan/scalar";
import { type Dim, formatShape, type Shape } from "./ir/types.ts";
import { isTensor, type Tensor } from "./tensor.ts";

type Start = number | Tensor;

/** `size` elements from `start`, `stride` apart. */
export interface Window {
  readonly kind: "window";
  readonly start: Start;
  readonly size: Start;
  readonly stride: number;
}
/** A window: `ds(start, size)`, with a stride `ds(start, size, 2)`. The start may be computed. */
export const ds = (start: Start, size: Start, stride = 1): Window => ({
  kind: "window",
  start,
  size,
  stride,
});

/** `":"` whole, `"1:3"`, `"::2"` (Python), `"..."` as many whole dimensions as are missing. */
export type SliceText = ":" | "..." | `${string}:${string}`;
export type Indexer = number | Tensor | Window | readonly number[] | SliceText;

export type Selection =
  | { readonly kind: "int"; readonly index: Start }
  | {
      readonly kind: "slice";
      readonly start: Start;
      readonly size: number;
      readonly stride: number;
    }
  | { readonly kind: "whole"; readonly size: Dim }
  | { readonly kind: "array"; readonly indices: Tensor | readonly number[] };

const fail = (what: string, received: unknown, help: string): never => {
  throw new BuildError("GF2209", what, { received, help });
};

/**
 * One selection for each dimension of `shape`; dimensions without an indexer are whole.
 *
 * @throws BuildError GF2209 where an indexer does not fit
 */
export function selections(name: string, shape: Shape, indexers: readonly Indexer[]): Selection[] {
  const missing = shape.length - indexers.filter((indexer) => indexer !== "...").length;
  if (missing < 0) {
    fail(
      `${name}: ${indexers.length} indexers for shape ${formatShape(shape)}`,
      indexers.length,
      "give at most one for each dimension",
    );
  }
  const whole = Array<Indexer>(missing).fill(":");
  const dots = indexers.indexOf("...");
  const full =
    dots < 0
      ? [...indexers, ...whole]
      : [...indexers.slice(0, dots), ...whole, ...indexers.slice(dots + 1)];
  return full.map((indexer, axis) => select(name, indexer, shape[axis] as Dim, axis));
}

function select(name: string, indexer: Indexer, dim: Dim, axis: number): Selection {
  const where = `${name}: axis ${axis} of ${dim}`;
  if (indexer === ":") return { kind: "whole", size: dim };
  if (typeof indexer === "number") return { kind: "int", index: element(where, indexer, dim) };
  if (isTensor(indexer)) {
    if (!isInteger(indexer.dtype)) {
      fail(
        `${where} is indexed by ${indexer}`,
        indexer.dtype,
        "convert the index with `.astype(i32)`",
      );
    }
    if (indexer.ndim === 0) return { kind: "int", index: indexer };
    return { kind: "array", indices: indexer };
  }
  if (typeof indexer === "string") return sliceOf(where, indexer, dim);
  if (isWindow(indexer)) return windowOf(where, indexer, dim);
  if (Array.isArray(indexer)) {
    return { kind: "array", indices: indexer.map((i: number) => element(where, i, dim)) };
  }
  return fail(
    `${where} is indexed by ${String(indexer)}`,
    indexer,
    'an indexer is a whole number, an integer tensor, `ds(start, size)`, a list of indices or ":"',
  );
}

const isWindow = (indexer: Indexer): indexer is Window =>
  typeof indexer === "object" && "kind" in indexer && indexer.kind === "window";

function sized(where: string, dim: Dim): number {
  if (typeof dim === "number") return dim;
  return fail(`${where} is cut, but "${dim}" has no size yet`, dim, 'take it whole with ":"');
}

function element(where: string, index: number, dim: Dim): number {
  const size = sized(where, dim);
  if (Number.isInteger(index) && index >= -size && index < size) {
    return index < 0 ? index + size : index;
  }
  return fail(`${where}: index ${index}`, index, `it must lie from ${-size} to ${size - 1}`);
}

function windowOf(where: string, { start, size, stride }: Window, dim: Dim): Selection {
  const room = sized(where, dim);
  if (isTensor(size)) {
    return fail(
      `${where}: a window of computed size`,
      size.toString(),
      "sizes are numbers: take the most and mask",
    );
  }
  if (!Number.isInteger(size) || size < 0 || !Number.isInteger(stride) || stride < 1) {
    fail(
      `${where}: ds(…, ${size}, ${stride})`,
      size,
      "the size is ≥ 0 and the stride ≥ 1, both whole",
    );
  }
  const reach = size === 0 ? 0 : (size - 1) * stride + 1;
  const fits = isTensor(start)
    ? reach <= room && isInteger(start.dtype) && start.ndim === 0
    : Number.isInteger(start) && start >= 0 && start + reach <= room;
  if (!fits) {
    fail(
      `${where}: ds(${start}, ${size}${stride === 1 ? "" : `, ${stride}`}) reaches outside`,
      isTensor(start) ? start.toString() : start,
      `the window spans ${reach}; it must lie from 0 to ${room}`,
    );
  }
  return { kind: "slice", start, size, stride };
}

function sliceOf(where: string, text: string, dim: Dim): Selection {
  const match = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/.exec(text);
  if (match === null)
    return fail(`${where}: "${text}"`, text, 'slices are written "start:stop:step"');
  const size = sized(where, dim);
  const stride = match[3] === undefined ? 1 : Number(match[3]);
  if (stride < 1)
    fail(`${where}: "${text}"`, text, "steps are ≥ 1: turn the axis around with `flip`");
  const bound = (part: string | undefined, otherwise: number) => {
    if (part === undefined) return otherwise;
    const n = Number(part);
    return Math.min(size, Math.max(0, n < 0 ? n + size : n));
  };
  const start = bound(match[1], 0);
  const stop = bound(match[2], size);
  return { kind: "slice", start, size: Math.max(0, Math.ceil((stop - start) / stride)), stride };
}

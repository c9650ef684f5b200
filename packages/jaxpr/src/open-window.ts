/**
 * Windows whose start may lie anywhere: what is read outside of the ref is what nobody wrote there, and what is
 * written there is lost. They are cut from a copy of the ref that has room for them.
 */
import type { ValueId } from "@gridfuse/graph";
import type { Body } from "./body.ts";
import type { Atom, View } from "./format.ts";
import { indexValue, staticInt } from "./literal.ts";
import { uninitialised } from "./memory.ts";

/** The last link of a view as a window whose start may lie anywhere. */
export interface OpenWindow {
  /** The view without its last link. */
  readonly outer: View;
  readonly shape: readonly number[];
  readonly starts: readonly ValueId[];
  /** 1 along dimensions that an int drops. */
  readonly sizes: readonly number[];
  /** Shape of what is read. */
  readonly result: readonly number[];
}

/** Undefined where the window surely fits, or is none. */
export function openWindow(body: Body, view: View): OpenWindow | undefined {
  return windowAt(body, view, true);
}

/** Of a window that fits, too. */
export function anyWindow(body: Body, view: View): OpenWindow | undefined {
  return windowAt(body, view, false);
}

function windowAt(body: Body, view: View, mayFit: boolean): OpenWindow | undefined {
  const last = view.t.at(-1);
  if (last?.k !== "idx") return undefined;
  if (last.ix.some((entry) => entry.k === "arr" || (entry.k === "s" && (entry.stride ?? 1) > 1)))
    return undefined;
  const sizes = last.ix.map((entry) => (entry.k === "s" ? entry.size : 1));
  const atoms = last.ix.map((entry) => (entry.k === "s" ? entry.start : (entry as { a: Atom }).a));
  const fits = atoms.every((atom, d) => {
    const start = staticInt(atom);
    return (
      start !== undefined && start >= 0 && start + (sizes[d] as number) <= (last.shape[d] as number)
    );
  });
  if (mayFit && fits) return undefined;
  return {
    outer: { ref: view.ref, t: view.t.slice(0, -1) },
    shape: last.shape,
    starts: atoms.map((atom) => indexValue(body, atom)),
    sizes,
    result: last.ix.flatMap((entry) => (entry.k === "s" ? [entry.size] : [])),
  };
}

/** What the window is cut from, the whole of its outer view, with room for it to overhang. */
export function padWhole(body: Body, { sizes }: OpenWindow, whole: ValueId): ValueId {
  const config = sizes.map((size) => ({ lo: 0, hi: size, interior: 0 }));
  return body.e.emit("pad", [whole, uninitialised(body, body.dtype(whole), [])], { config });
}

/** What the window shows; where it leaves the ref, what nobody wrote. */
export function windowOf(
  body: Body,
  { starts, sizes, result }: OpenWindow,
  padded: ValueId,
): ValueId {
  return body.e.reshape(body.e.emit("dynamic_slice", [padded, ...starts], { sizes }), result);
}

/** What the outer view holds with the part of `value` that lies inside; `padded` is what `padWhole` gave. */
export function withWindow(
  body: Body,
  window: OpenWindow,
  padded: ValueId,
  value: ValueId,
): ValueId {
  const update = body.e.reshape(value, window.sizes);
  const whole = body.e.emit("dynamic_update_slice", [padded, update, ...window.starts], {});
  const { shape } = window;
  return body.e.emit("slice", [whole], {
    start: shape.map(() => 0),
    limit: shape,
    strides: shape.map(() => 1),
  });
}

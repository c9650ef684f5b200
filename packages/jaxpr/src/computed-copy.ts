/**
 * Copies of as much as a value says. Arrays have sizes that are known: the most that it may be is read from both sides, and
 * beyond what is copied the destination stays what it was.
 */
import type { ValueId } from "@gridfuse/graph";
import type { Body } from "./body.ts";
import type { IndexEntry, View } from "./format.ts";
import { indexValue } from "./literal.ts";
import { anyWindow, type OpenWindow, windowOf } from "./open-window.ts";
import { readOpen, readPadded, writeOpen } from "./views.ts";

/** Along each dimension of what a window shows: where it lies in the ref, and how many there are where that is computed. */
interface Along {
  readonly dim: number;
  readonly count: ValueId | undefined;
}

const entriesOf = (view: View): readonly IndexEntry[] => {
  const last = view.t.at(-1);
  return last?.k === "idx" ? last.ix : [];
};

/** Whether a view is of a size that is computed. */
export const isComputed = (view: View): boolean =>
  entriesOf(view).some((entry) => entry.k === "s" && entry.n !== undefined);

const alongOf = (body: Body, view: View): readonly Along[] =>
  entriesOf(view).flatMap((entry, dim) =>
    entry.k === "s"
      ? [{ dim, count: entry.n === undefined ? undefined : indexValue(body, entry.n) }]
      : [],
  );

/** Elements of a view, a value. */
export function elementsOf(body: Body, view: View): ValueId {
  return entriesOf(view).reduce(
    (product, entry) =>
      entry.k !== "s"
        ? product
        : body.e.emit(
            "mul",
            [
              product,
              entry.n === undefined
                ? body.full("int32", [], entry.size)
                : indexValue(body, entry.n),
            ],
            {},
          ),
    body.full("int32", [], 1),
  );
}

/** Copies `src` to `dst`; false where one of them is no window. */
export function copyComputed(body: Body, src: View, dst: View): boolean {
  const [from, into] = [anyWindow(body, src), anyWindow(body, dst)];
  if (from === undefined || into === undefined) return false;
  const [read, written] = [alongOf(body, src), alongOf(body, dst)];
  if (read.length !== written.length) return false;
  const sizes = read.map(({ dim }, i) =>
    Math.min(from.sizes[dim] as number, into.sizes[(written[i] as Along).dim] as number),
  );
  const [source, target] = [cut(from, read, sizes), cut(into, written, sizes)];
  for (const [view, window] of [
    [src, from],
    [dst, into],
  ] as const) {
    reportEnds(body, view, window);
  }
  const whole = readPadded(body, target);
  const value = readOpen(body, source);
  const counts = read.map(({ count }, i) => count ?? (written[i] as Along).count);
  writeOpen(
    body,
    target,
    whole,
    body.e.emit(
      "select_n",
      [within(body, counts, sizes), windowOf(body, target, whole), value],
      {},
    ),
  );
  return true;
}

/** A window that is smaller along some dimensions. */
function cut(window: OpenWindow, along: readonly Along[], result: readonly number[]): OpenWindow {
  const sizes = [...window.sizes];
  for (const [i, { dim }] of along.entries()) sizes[dim] = result[i] as number;
  return { ...window, sizes, result };
}

/** Which elements are copied. */
function within(
  body: Body,
  counts: readonly (ValueId | undefined)[],
  shape: readonly number[],
): ValueId {
  const { e } = body;
  const tests = counts.flatMap((count, dimension) => {
    if (count === undefined) return [];
    const place = e.emit("iota", [], { dtype: "int32", shape, dimension });
    return [e.emit("lt", [place, e.broadcastTo(count, shape)], {})];
  });
  return tests.reduce((a, b) => e.emit("and", [a, b], {}));
}

/** The first and the last place along each dimension. */
function reportEnds(body: Body, view: View, { starts, sizes, shape }: OpenWindow): void {
  const { e } = body;
  for (const [d, entry] of entriesOf(view).entries()) {
    const last = (shape[d] as number) - 1;
    const start = starts[d] as ValueId;
    const count =
      entry.k === "s" && entry.n !== undefined
        ? indexValue(body, entry.n)
        : body.full("int32", [], sizes[d] as number);
    body.reportOutside(start, last);
    const one = body.full("int32", [], 1);
    const beyond = e.emit("sub", [e.emit("max", [count, one], {}), one], {});
    body.reportOutside(e.emit("add", [start, beyond], {}), last);
  }
}

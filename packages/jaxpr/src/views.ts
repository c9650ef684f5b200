/**
 * Views of refs as JAX chains them. Indexers at the front of the chain the graph knows itself; from the first
 * other transform on, the rest is arithmetic on what those give, and a write goes through it and back.
 * (JAX's own interpreters do not write through bitcasts, reshapes and transposes.)
 */
import {
  type DType,
  type RefIndexer as Indexer,
  type IndexSource,
  itemSize,
  type RefTransforms,
  readView,
  type ValueId,
  writeView,
} from "@gridfuse/graph";
import type { Body } from "./body.ts";
import { dtypeOf } from "./dtypes.ts";
import { malformed, unsupported } from "./errors.ts";
import type { Atom, IndexEntry, Transform, View } from "./format.ts";
import { indexValue, staticInt } from "./literal.ts";
import { type OpenWindow, openWindow, padWhole, windowOf, withWindow } from "./open-window.ts";
import { NOTHING } from "./scope.ts";

/** A view of one ref, ready to be read and written. */
export interface Place {
  readonly ref: ValueId;
  readonly transforms: RefTransforms;
  readonly operands: readonly ValueId[];
  /** What follows the last indexer that the graph applies. */
  readonly rest: readonly Transform[];
}

/** One of several refs, chosen by a value. */
interface Choice {
  readonly which: ValueId;
  readonly views: readonly View[];
}

type Target = { readonly place: Place } | { readonly choice: Choice };

function targetOf(body: Body, { ref, t }: View): Target {
  const at = t.findIndex(({ k }) => k === "select");
  if (at < 0) return { place: placeOf(body, ref, t) };
  const { a, refs } = t[at] as Extract<Transform, { k: "select" }>;
  const after = t.slice(at + 1);
  const views = refs.map((view): View => ({ ref: view.ref, t: [...view.t, ...after] }));
  return { choice: { which: body.e.convert(body.atom(a), "int32"), views } };
}

function placeOf(body: Body, ref: Atom, transforms: readonly Transform[]): Place {
  const operands: ValueId[] = [];
  const levels: Indexer[][] = [];
  let next = 0;
  for (; next < transforms.length; next++) {
    const transform = transforms[next] as Transform;
    if (transform.k !== "idx") break;
    if (isWhole(transform)) continue;
    levels.push(indexersOf(body, transform, operands));
  }
  return { ref: body.atom(ref), transforms: levels, operands, rest: transforms.slice(next) };
}

type IndexTransform = Extract<Transform, { k: "idx" }>;

const isWhole = ({ shape, ix }: IndexTransform): boolean =>
  ix.every(
    (entry, d) =>
      entry.k === "s" &&
      entry.n === undefined &&
      entry.size === shape[d] &&
      (entry.stride ?? 1) === 1 &&
      staticInt(entry.start) === 0,
  );

/** One link of the graph's; what is computed is appended to `operands`. */
export function indexersOf(
  body: Body,
  { shape, ix }: IndexTransform,
  operands: ValueId[],
): Indexer[] {
  const given = (index: ValueId, last?: number): { readonly operand: number } => {
    if (last !== undefined) body.reportOutside(index, last);
    return { operand: operands.push(index) - 1 };
  };
  const operand = (atom: Atom, last?: number) => given(indexValue(body, atom), last);
  return ix.map((entry, d): Indexer => {
    const extent = shape[d] as number;
    switch (entry.k) {
      case "arr":
        return "in" in entry
          ? {
              kind: "array",
              ...given(body.e.convert(readRef(body, entry.in), "int32"), extent - 1),
            }
          : { kind: "array", ...operand(entry.a, extent - 1) };
      case "i":
        return { kind: "int", index: sourceOf(entry.a, extent - 1, operand) };
      case "s": {
        const { size } = entry;
        if (entry.n !== undefined) throw unsupported("a view", "a slice whose size is computed");
        if (entry.stride === 0 && size > 1) throw malformed("a slice of stride 0 is written to");
        const stride = size > 1 ? (entry.stride ?? 1) : 1;
        const reach = size === 0 ? 0 : (size - 1) * stride + 1;
        return {
          kind: "slice",
          start: sourceOf(entry.start, extent - reach, operand),
          size,
          stride,
        };
      }
      default:
        throw malformed(`there is no indexer "${(entry satisfies never as IndexEntry).k}"`);
    }
  });
}

/** A number where it is known and inside; else a value, which gets clamped. */
function sourceOf(
  atom: Atom,
  last: number,
  operand: (atom: Atom, last: number) => { readonly operand: number },
): IndexSource {
  const known = staticInt(atom);
  return known !== undefined && known >= 0 && known <= last ? known : operand(atom, last);
}

// ── Reading and writing ─────────────────────────────────────────────────────────────────────

export function readRef(body: Body, view: View): ValueId {
  const once = withoutRepeats(view);
  if (once !== undefined) return body.e.broadcastTo(readRef(body, once.view), once.shape);
  const window = body.importing.reads === "fill" ? openWindow(body, view) : undefined;
  return window === undefined ? readWhole(body, view) : readOpen(body, window);
}

/** A view that reads once what slices of stride 0 repeat, and the shape to repeat it to; undefined where none does. */
function withoutRepeats(
  view: View,
): { readonly view: View; readonly shape: readonly number[] } | undefined {
  const last = view.t.at(-1);
  if (last?.k !== "idx" || last.ix.some(({ k }) => k === "arr")) return undefined;
  const repeats = (entry: IndexEntry): entry is Extract<IndexEntry, { k: "s" }> =>
    entry.k === "s" && entry.stride === 0 && entry.size > 1;
  if (!last.ix.some(repeats)) return undefined;
  const ix = last.ix.map((entry) => (repeats(entry) ? { ...entry, size: 1, stride: 1 } : entry));
  const shape = last.ix.flatMap((entry) => (entry.k === "s" ? [entry.size] : []));
  return { view: { ref: view.ref, t: [...view.t.slice(0, -1), { ...last, ix }] }, shape };
}

export const readPadded = (body: Body, window: OpenWindow): ValueId =>
  padWhole(body, window, readWhole(body, window.outer));

export const readOpen = (body: Body, window: OpenWindow): ValueId =>
  windowOf(body, window, readPadded(body, window));

export function writeOpen(body: Body, window: OpenWindow, padded: ValueId, value: ValueId): void {
  writeRef(body, window.outer, withWindow(body, window, padded, value));
}

function readWhole(body: Body, view: View): ValueId {
  const target = targetOf(body, view);
  if ("place" in target) return readPlace(body, target.place);
  const { which, views } = target.choice;
  return body.e.emit("select_n", [which, ...views.map((one) => readRef(body, one))], {});
}

/** Writes `value`; gives what was there where `wantsOld`. */
export function writeRef(
  body: Body,
  view: View,
  value: ValueId,
  wantsOld = false,
): ValueId | undefined {
  const window = body.importing.writes === "drop" ? openWindow(body, view) : undefined;
  if (window !== undefined) {
    const padded = readPadded(body, window);
    const old = wantsOld ? windowOf(body, window, padded) : undefined;
    writeOpen(body, window, padded, value);
    return old;
  }
  const target = targetOf(body, view);
  if ("place" in target) {
    const old = wantsOld ? readPlace(body, target.place) : undefined;
    writePlace(body, target.place, value);
    return old;
  }
  const { which, views } = target.choice;
  const old = wantsOld ? readRef(body, view) : undefined;
  for (const [i, one] of views.entries()) {
    const chosen = body.e.emit("eq", [which, body.full("int32", [], i)], {});
    writeRef(body, one, body.e.emit("select_n", [chosen, readRef(body, one), value], {}));
  }
  return old;
}

/** Adds `value` to the view; an element that is named twice gets both. */
export function addToRef(body: Body, view: View, value: ValueId): void {
  const target = targetOf(body, view);
  if ("place" in target && target.place.rest.length === 0) {
    const { ref, transforms, operands } = target.place;
    body.e.emitAll("addupdate", [ref, value, ...operands], { transforms });
    return;
  }
  writeRef(body, view, body.e.emit("add", [readRef(body, view), value], {}));
}

export function readPlace(body: Body, { ref, transforms, operands, rest }: Place): ValueId {
  if (ref === NOTHING) throw malformed("a semaphore is read as an array");
  const value = body.e.emit("get", [ref, ...operands], { transforms });
  return rest.reduce((seen, transform) => applied(body, seen, transform), value);
}

function writePlace(body: Body, place: Place, value: ValueId): void {
  const { ref, transforms, operands, rest } = place;
  let written = value;
  if (rest.length > 0) {
    const before = body.e.emit("get", [ref, ...operands], { transforms });
    written = writtenThrough(body, before, rest, value);
  }
  body.e.emitAll("set", [ref, written, ...operands], { transforms });
}

/** The value seen through one transform. */
function applied(body: Body, value: ValueId, transform: Transform): ValueId {
  switch (transform.k) {
    case "idx": {
      const operands: ValueId[] = [];
      const level = indexersOf(body, transform, operands);
      return readView(body.e, value, [level], operands);
    }
    case "bitcast":
      return repacked(body, value, dtypeOf(transform.d));
    case "reshape":
      return body.e.reshape(value, transform.s);
    case "transpose":
      return body.e.transpose(value, transform.perm);
    default:
      throw malformed(`a view goes through "${transform.k}" after another transform`);
  }
}

/** What `whole` becomes when `value` is written to it through `transforms`. */
function writtenThrough(
  body: Body,
  whole: ValueId,
  transforms: readonly Transform[],
  value: ValueId,
): ValueId {
  const [transform, ...rest] = transforms;
  if (transform === undefined) return value;
  const inner = writtenThrough(body, applied(body, whole, transform), rest, value);
  switch (transform.k) {
    case "idx": {
      const operands: ValueId[] = [];
      const level = indexersOf(body, transform, operands);
      return writeView(body.e, whole, [level], operands, inner);
    }
    case "bitcast":
      return repacked(body, inner, body.dtype(whole));
    case "reshape":
      return body.e.reshape(inner, body.shape(whole));
    case "transpose":
      return body.e.transpose(
        inner,
        transform.perm.map((_, d) => transform.perm.indexOf(d)),
      );
    default:
      throw malformed(`a view goes through "${transform.k}" after another transform`);
  }
}

/**
 * The same bits in elements of another width, packed along the second-minor dimension as in a TPU's
 * registers: float32[8, 128] is bfloat16[16, 128].
 */
export function repacked(body: Body, value: ValueId, dtype: DType): ValueId {
  const { e } = body;
  const from = e.dtype(value);
  if (from === dtype) return value;
  const [wide, narrow] = [itemSize(from), itemSize(dtype)];
  if (wide === narrow) return e.emit("bitcast_convert_type", [value], { dtype });
  const shape = body.shape(value);
  const rank = shape.length;
  const lead = shape.slice(0, -2);
  const rows = shape[rank - 2] as number;
  const columns = shape[rank - 1] as number;
  const swapped = [...lead.map((_, d) => d), rank - 2, rank, rank - 1];
  if (wide > narrow) {
    const parts = e.emit("bitcast_convert_type", [value], { dtype });
    return e.reshape(e.transpose(parts, swapped), [...lead, rows * (wide / narrow), columns]);
  }
  const ratio = narrow / wide;
  const apart = e.reshape(value, [...lead, rows / ratio, ratio, columns]);
  return e.emit("bitcast_convert_type", [e.transpose(apart, swapped)], { dtype });
}

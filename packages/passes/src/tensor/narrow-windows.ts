/**
 * narrow-windows: of what only a window is ever read, only that window is computed.
 *
 * Kernels for machines with wide registers pad what they work on: eight rows become 128, everything is done to all of
 * them, and eight are kept. Going backwards from the results, each node is told which part of it others read; where that
 * is at most half of what it has along a dimension, it becomes a node of that part (demand propagation, as in lazy arrays).
 */
import {
  definitionOf,
  type Emitter,
  type Node,
  type NodeNamed,
  type Region,
  sameShape,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { copyNode, rewriteRegion } from "./rebuild.ts";
import { coordinates, viewOf } from "./views.ts";

/** A part of an array: where it begins, and how much it is, along each dimension. */
interface Window {
  readonly start: readonly number[];
  readonly size: readonly number[];
}

/** Windows by value; what is not in it is read as a whole. */
type Windows = ReadonlyMap<ValueId, Window>;

export function narrowWindows(table: Table, region: Region): Region {
  const windows = mayBeNarrowed(table, region) ? windowsOf(table, region) : none;
  if (
    windows.size === 0 &&
    !region.nodes.some((id) => (table.nodes[id] as Node).regions.length > 0)
  ) {
    return region;
  }
  return rewriteRegion(table, region, (node, inputs, e) => {
    if (node.regions.length > 0) {
      const regions = node.regions.map((inner) => narrowWindows(table, inner));
      const isSame = regions.every((inner, i) => inner === node.regions[i]);
      return isSame ? undefined : copyNode(e, node, inputs, regions);
    }
    const isTouched = [...node.inputs, ...node.outputs].some((value) => windows.has(value));
    return isTouched ? [new Narrower(e, windows, node, inputs).emit()] : undefined;
  });
}

const none: Windows = new Map();

/** Parts are taken by slices and views of what the region makes. */
function mayBeNarrowed(table: Table, region: Region): boolean {
  return region.nodes.some((id) => {
    const node = table.nodes[id] as Node;
    if (node.op !== "slice" && node.op !== "view") return false;
    const [source] = node.inputs as readonly [ValueId];
    const maker = table.producer(source);
    return maker !== undefined && narrows(table, maker) && isStatic(table, source);
  });
}

const isStatic = (table: Table, value: ValueId): boolean =>
  table.tensor(value).shape.every((extent) => typeof extent === "number");

const isEmpty = (table: Table, value: ValueId): boolean => table.tensor(value).shape.includes(0);

// ── What is read ────────────────────────────────────────────────────────────────────────────

/** The windows of what need not be computed as a whole. */
function windowsOf(table: Table, region: Region): Windows {
  const wanted = new Map<ValueId, Window>();
  const want = (value: ValueId, window: Window): void => {
    const known = wanted.get(value);
    wanted.set(value, known === undefined ? window : around(known, window));
  };
  const wantAll = (value: ValueId): void => {
    if (table.types[value]?.kind === "tensor" && isStatic(table, value)) {
      want(value, wholeOf(table, value));
    }
  };
  region.results.forEach(wantAll);
  const windows = new Map<ValueId, Window>();
  for (let i = region.nodes.length - 1; i >= 0; i -= 1) {
    const node = table.nodes[region.nodes[i] as number] as Node;
    const [output] = node.outputs as readonly [ValueId];
    const window = output === undefined ? undefined : wanted.get(output);
    if (window === undefined || !narrows(table, node)) {
      node.inputs.forEach(wantAll);
      continue;
    }
    const own = worthwhile(table, node, window);
    if (own !== undefined) windows.set(output, own);
    const read = readBy(table, node, own ?? wholeOf(table, output));
    for (const [k, value] of node.inputs.entries()) want(value, read[k] as Window);
  }
  return windows;
}

function wholeOf(table: Table, value: ValueId): Window {
  const size = sizes(table.tensor(value).shape);
  return { start: size.map(() => 0), size };
}

function around(p: Window, q: Window): Window {
  const start = p.start.map((first, d) => Math.min(first, q.start[d] as number));
  const end = (w: Window, d: number): number => (w.start[d] as number) + (w.size[d] as number);
  return { start, size: start.map((first, d) => Math.max(end(p, d), end(q, d)) - first) };
}

/** At most half of what there is along each dimension that is narrowed; undefined where none is. */
function worthwhile(table: Table, node: Node, window: Window): Window | undefined {
  const whole = sizes(table.tensor(node.outputs[0] as ValueId).shape);
  const isNarrow = whole.map((extent, d) => {
    const size = window.size[d] as number;
    return size < extent && 2 * size <= extent && canNarrow(node, d, window);
  });
  if (!isNarrow.includes(true)) return undefined;
  return {
    start: window.start.map((first, d) => (isNarrow[d] ? first : 0)),
    size: whole.map((extent, d) => (isNarrow[d] ? (window.size[d] as number) : extent)),
  };
}

/** Whether there is a smaller node in the place of `node`. */
function narrows(table: Table, node: Node): boolean {
  const { op, inputs, outputs, regions } = node;
  const [output] = outputs as readonly [ValueId];
  if (outputs.length !== 1 || regions.length > 0 || table.types[output]?.kind !== "tensor") {
    return false;
  }
  const values = [output, ...inputs];
  if (!values.every((value) => isStatic(table, value) && !isEmpty(table, value))) return false;
  if (op === "full" || op === "iota" || op === "concatenate") return true;
  if (op === "pad") return node.params.config.every(({ interior }) => interior === 0);
  if (viewOf(table, node) !== undefined) return true;
  const { shape } = table.tensor(output);
  return (
    definitionOf(op).category === "elementwise" &&
    inputs.every((value) => isScalar(table, value) || sameShape(table.tensor(value).shape, shape))
  );
}

const isScalar = (table: Table, value: ValueId): boolean => table.tensor(value).shape.length === 0;

function canNarrow(node: Node, dimension: number, { start }: Window): boolean {
  if (node.op === "concatenate") return dimension !== node.params.dimension;
  return node.op !== "iota" || dimension !== node.params.dimension || start[dimension] === 0;
}

/** What a window of `node` reads of each operand. */
function readBy(table: Table, node: Node, window: Window): readonly Window[] {
  const { op, inputs } = node;
  const view = viewOf(table, node);
  if (view !== undefined) {
    const extents = sizes(table.tensor(inputs[0] as ValueId).shape);
    const at = shifted(window.size, window.start);
    const ranges = view.index.map((e, d) =>
      clipped(ix.substituteAxes(e, at), extents[d] as number),
    );
    return [{ start: ranges.map(({ lo }) => lo), size: ranges.map(({ lo, hi }) => hi - lo + 1) }];
  }
  if (op === "pad") {
    const extents = sizes(table.tensor(inputs[0] as ValueId).shape);
    const ranges = node.params.config.map(({ lo }, d) => {
      const first = (window.start[d] as number) - lo;
      const last = first + (window.size[d] as number) - 1;
      return clipped({ lo: first, hi: last }, extents[d] as number);
    });
    const start = ranges.map(({ lo }) => lo);
    const size = ranges.map(({ lo, hi }) => hi - lo + 1);
    return [{ start, size }, wholeOf(table, inputs[1] as ValueId)];
  }
  if (op === "concatenate") {
    return inputs.map((value) => {
      const extent = table.tensor(value).shape[node.params.dimension] as number;
      return {
        start: window.start.with(node.params.dimension, 0),
        size: window.size.with(node.params.dimension, extent),
      };
    });
  }
  return inputs.map((value) => (isScalar(table, value) ? wholeOf(table, value) : window));
}

const shifted = (extents: readonly number[], start: readonly number[]): IndexExpr[] =>
  coordinates(extents).map((e, d) => ix.add(e, ix.constant(start[d] as number)));

/** Places inside of an array; of those outside nothing is read. */
function clipped(range: { readonly lo: number; readonly hi: number }, extent: number) {
  const lo = Math.max(0, range.lo);
  const hi = Math.min(extent - 1, range.hi);
  return lo <= hi ? { lo, hi } : { lo: 0, hi: Math.min(extent, 1) - 1 };
}

// ── What is computed ────────────────────────────────────────────────────────────────────────

/** One node in terms of windows: its own, and those that its operands have become. */
class Narrower {
  readonly #e: Emitter;
  readonly #windows: Windows;
  readonly #node: Node;
  readonly #inputs: readonly ValueId[];
  readonly #window: Window;

  constructor(e: Emitter, windows: Windows, node: Node, inputs: readonly ValueId[]) {
    this.#e = e;
    this.#windows = windows;
    this.#node = node;
    this.#inputs = inputs;
    this.#window = this.#windowOf(node.outputs[0] as ValueId);
  }

  emit(): ValueId {
    const e = this.#e;
    const node = this.#node;
    const { start, size } = this.#window;
    const read = (k: number): ValueId => this.#read(k, wanted[k] as Window);
    const wanted = readBy(e.table, node, this.#window);
    switch (node.op) {
      case "full":
      case "iota":
        return e.emit(node.op, [], { ...node.params, shape: size } as never);
      case "pad":
        return this.#pad(node, read(0), wanted[0] as Window);
      case "transpose":
        return e.transpose(read(0), node.params.permutation);
      case "broadcast_in_dim":
        return e.broadcastInDim(read(0), size, node.params.broadcastDimensions);
      case "slice":
        if (node.params.strides.every((stride) => stride === 1)) return read(0);
        break;
      default:
    }
    const view = viewOf(e.table, node);
    if (view === undefined) {
      const operands = node.inputs.map((_, k) => read(k));
      return e.emit(node.op, operands, node.params as never);
    }
    const from = this.#windowOf(node.inputs[0] as ValueId);
    const index = view.index.map((given, d) =>
      ix.sub(ix.substituteAxes(given, shifted(size, start)), ix.constant(from.start[d] as number)),
    );
    const fill = view.fill ?? { lo: 0, hi: 0 };
    return e.emit("view", [this.#inputs[0] as ValueId], { shape: size, index, fill });
  }

  #windowOf(value: ValueId): Window {
    return this.#windows.get(value) ?? wholeOf(this.#e.table, value);
  }

  /** A window of operand number `k`. */
  #read(k: number, { start, size }: Window): ValueId {
    const value = this.#inputs[k] as ValueId;
    const known = this.#windowOf(this.#node.inputs[k] as ValueId);
    const first = start.map((at, d) => at - (known.start[d] as number));
    if (size.every((extent, d) => extent === known.size[d])) return value;
    const maker = this.#e.table.producer(value);
    if (maker?.op === "full") return this.#e.emit("full", [], { ...maker.params, shape: size });
    const limit = first.map((at, d) => at + (size[d] as number));
    return this.#e.emit("slice", [value], { start: first, limit, strides: first.map(() => 1) });
  }

  #pad({ params }: NodeNamed<"pad">, value: ValueId, from: Window): ValueId {
    const { start, size } = this.#window;
    const config = params.config.map((given, d) => {
      const lo = given.lo + (from.start[d] as number) - (start[d] as number);
      return { lo, hi: (size[d] as number) - (from.size[d] as number) - lo, interior: 0 };
    });
    if (config.every(({ lo, hi }) => lo === 0 && hi === 0)) return value;
    return this.#e.emit("pad", [value, this.#inputs[1] as ValueId], { config });
  }
}

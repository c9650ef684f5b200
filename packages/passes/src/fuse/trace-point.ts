/**
 * Which elements of other values one element of a value is computed from, found by walking to them with plain numbers for
 * coordinates. Choices that only depend on positions (iotas, masks, constant tables) are decided on the way, so that what
 * is found is what a kernel at this point would really read.
 */
import type { Node, NodeNamed, Table, ValueId } from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { fromBits, isInteger } from "@gridfuse/plan/scalar";
import { viewOf } from "../tensor/views.ts";
import { isFusable, kindOf } from "./op-kinds.ts";

export interface Element {
  readonly value: ValueId;
  /** Row-major position. */
  readonly at: number;
}

/** Positions that an element can have: no array is larger. */
const mostPositions = 2 ** 31;
const elementKey = (value: ValueId, position: number): number => value * mostPositions + position;

/** Nodes that one walk may visit: beyond it, no orbit is worth the search. */
const patience = 4096;
/** Ops on positions in a row: longer ones are left alone, as is the stack. */
const deepest = 256;

/** Where the elements of a movement come from, as far as somebody asked: −1 for outside. */
interface Moves {
  readonly sources: Map<number, number>;
  readonly isKnown: boolean;
}

export class PointTracer {
  readonly #table: Table;
  readonly #isRoot: (value: ValueId) => boolean;
  readonly #found = new Map<number, Element>();
  readonly #seen = new Set<number>();
  // What only depends on positions is found once for all traces.
  readonly #integers = new Map<number, number | undefined>();
  readonly #positional = new Map<ValueId, boolean>();
  readonly #moves = new Map<object, Moves>();

  constructor(table: Table, isRoot: (value: ValueId) => boolean) {
    this.#table = table;
    this.#isRoot = isRoot;
  }

  /**
   * Elements of values with memory, constants aside, that element `at` of `value` needs.
   *
   * @returns undefined where positions depend on data, or a reduction is in between
   */
  trace(value: ValueId, at: number): readonly Element[] | undefined {
    this.#found.clear();
    this.#seen.clear();
    const node = this.#table.producer(value);
    if (node === undefined) return undefined;
    return this.#visitNode(node, at) ? Array.from(this.#found.values()) : undefined;
  }

  #shape(value: ValueId): readonly number[] {
    return this.#table.tensor(value).shape as readonly number[];
  }

  /** A scalar has one element for all. */
  #positionIn(value: ValueId, at: number): number {
    return this.#shape(value).length === 0 ? 0 : at;
  }

  #visit(value: ValueId, at: number): boolean {
    const key = elementKey(value, at);
    if (this.#seen.has(key)) return true;
    if (this.#seen.size > patience) return false;
    this.#seen.add(key);
    const node = this.#table.producer(value);
    if (node?.op === "full" || node?.op === "iota" || node?.op === "constant") return true;
    if (node === undefined || this.#isRoot(value) || !isFusable(node)) {
      this.#found.set(key, { value, at });
      return true;
    }
    return this.#visitNode(node, at);
  }

  #visitNode(node: Node, at: number): boolean {
    switch (kindOf(node)) {
      case "reduction":
      case "apart":
        return false;
      case "movement": {
        const source = this.#moved(node, at);
        if (source === undefined) return false;
        return source < 0 || this.#visit(node.inputs[0] as ValueId, source);
      }
      case "indexing":
        return this.#visitParts(node, at);
      default: {
        if (node.op === "select_n") return this.#select(node, at);
        const { inputs, outputs } = node;
        if (node.op === "bitcast_convert_type") {
          const rank = this.#shape(outputs[0] as ValueId).length;
          if (this.#shape(inputs[0] as ValueId).length !== rank) return false;
        }
        for (let i = 0; i < inputs.length; i += 1) {
          const input = inputs[i] as ValueId;
          if (!this.#visit(input, this.#positionIn(input, at))) return false;
        }
        return true;
      }
    }
  }

  #visitParts(node: Node, at: number): boolean {
    const shape = this.#shape(node.outputs[0] as ValueId);
    switch (node.op) {
      case "concatenate":
        return this.#concatenate(node, unflatten(at, shape));
      case "pad":
        return this.#pad(node, unflatten(at, shape));
      case "gather":
        return this.#gather(node, unflatten(at, shape));
      default:
        return false;
    }
  }

  #visitAt(value: ValueId, at: readonly number[]): boolean {
    return this.#visit(value, flatten(at, this.#shape(value)));
  }

  /** Where a movement reads, −1 for outside; undefined where that depends on data. */
  #moved(node: Node, at: number): number | undefined {
    const view = viewOf(this.#table, node);
    if (view === undefined) return undefined;
    // Nodes of one kind share the description.
    const kind = node.op === "view" ? node : view;
    let moves = this.#moves.get(kind);
    if (moves === undefined) {
      moves = { sources: new Map(), isKnown: !view.index.some((e) => hasUnknown(e)) };
      this.#moves.set(kind, moves);
    }
    if (!moves.isKnown) return undefined;
    let source = moves.sources.get(at);
    if (source === undefined) {
      const own = unflatten(at, this.#shape(node.outputs[0] as ValueId));
      source = sourceOf(view.index, own, this.#shape(node.inputs[0] as ValueId));
      moves.sources.set(at, source);
    }
    return source;
  }

  #concatenate(node: NodeNamed<"concatenate">, at: readonly number[]): boolean {
    const { dimension } = node.params;
    let position = at[dimension] as number;
    for (const input of node.inputs) {
      const extent = this.#shape(input)[dimension] as number;
      if (position < extent) return this.#visitAt(input, at.with(dimension, position));
      position -= extent;
    }
    return false;
  }

  #pad(node: NodeNamed<"pad">, at: readonly number[]): boolean {
    const [source, padding] = node.inputs as readonly [ValueId, ValueId];
    const shape = this.#shape(source);
    const index = node.params.config.map(({ lo, interior }, d) => {
      return ((at[d] as number) - lo) / (interior + 1);
    });
    const inside = index.every((i, d) => Number.isInteger(i) && i >= 0 && i < (shape[d] as number));
    return inside ? this.#visitAt(source, index) : this.#visit(padding, 0);
  }

  #gather(node: NodeNamed<"gather">, at: readonly number[]): boolean {
    const [source, indices] = node.inputs as readonly [ValueId, ValueId];
    const { dimensions, sliceSizes } = node.params;
    const { offsetDims, collapsedSliceDims, operandBatchingDims } = dimensions;
    const shape = this.#shape(source);
    const batchAt = at.filter((_, d) => !offsetDims.includes(d));
    let window = 0;
    const index = shape.map((_, d) => {
      const batch = operandBatchingDims.indexOf(d);
      if (batch >= 0)
        return batchAt[dimensions.startIndicesBatchingDims[batch] as number] as number;
      if (collapsedSliceDims.includes(d)) return 0;
      window += 1;
      return at[offsetDims[window - 1] as number] as number;
    });
    for (const [i, d] of dimensions.startIndexMap.entries()) {
      const start = this.#integer(indices, flatten([...batchAt, i], this.#shape(indices)));
      if (start === undefined) return false;
      const room = (shape[d] as number) - (sliceSizes[d] as number);
      if (start < 0 || start > room) return true;
      index[d] = (index[d] as number) + start;
    }
    return this.#visitAt(source, index);
  }

  #select(node: NodeNamed<"select_n">, at: number): boolean {
    const [which, ...cases] = node.inputs as [ValueId, ...ValueId[]];
    const place = this.#positionIn(which, at);
    const chosen = this.#integer(which, place);
    if (chosen !== undefined) return this.#visit(cases[chosen] as ValueId, at);
    return this.#visit(which, place) && cases.every((value) => this.#visit(value, at));
  }

  /** An integer or bool that only depends on positions. */
  #integer(value: ValueId, at: number): number | undefined {
    if (!this.#isPositional(value)) return undefined;
    const key = elementKey(value, at);
    if (this.#integers.has(key)) return this.#integers.get(key);
    const result = this.#computeInteger(value, at);
    this.#integers.set(key, result);
    return result;
  }

  #computeInteger(value: ValueId, at: number): number | undefined {
    const node = this.#table.producer(value) as Node;
    const operand = (i: number): number | undefined => {
      const input = node.inputs[i] as ValueId;
      return this.#integer(input, this.#positionIn(input, at));
    };
    switch (node.op) {
      case "full":
        return Number(fromBits(node.params.dtype, node.params.bits));
      case "iota":
        return unflatten(at, this.#shape(value))[node.params.dimension];
      case "constant":
        return Number(node.params.data[at]);
      case "select_n": {
        const which = operand(0);
        return which === undefined ? undefined : operand(1 + which);
      }
      default: {
        const combine = positional[node.op];
        if (combine !== undefined) {
          const operands = node.inputs.map((_, i) => operand(i));
          if (operands.some((x) => x === undefined)) return undefined;
          const result = combine(...(operands as number[]));
          if (this.#table.tensor(value).dtype === "bool") return Number(result !== 0);
          return Math.abs(result) < 2 ** 31 ? result : undefined;
        }
        const source = this.#moved(node, at);
        if (source === undefined || source < 0) return undefined;
        return this.#integer(node.inputs[0] as ValueId, source);
      }
    }
  }

  /** Whether no data goes into a value: asked once of each, however many positions are looked at. */
  #isPositional(value: ValueId, depth = 0): boolean {
    const known = this.#positional.get(value);
    if (known !== undefined) return known;
    if (depth > deepest) return false;
    const node = this.#table.producer(value);
    const { dtype } = this.#table.tensor(value);
    const result =
      node !== undefined &&
      (isInteger(dtype) || dtype === "bool") &&
      (node.op === "full" ||
        node.op === "iota" ||
        node.op === "constant" ||
        ((node.op === "select_n" ||
          positional[node.op] !== undefined ||
          viewOf(this.#table, node) !== undefined) &&
          node.inputs.every((input) => this.#isPositional(input, depth + 1))));
    this.#positional.set(value, result);
    return result;
  }
}

/** Ops on positions, as long as nothing wraps around; bools are 0 and 1. */
const positional: { readonly [op: string]: ((...x: number[]) => number) | undefined } = {
  add: (x, y) => (x as number) + (y as number),
  sub: (x, y) => (x as number) - (y as number),
  mul: (x, y) => (x as number) * (y as number),
  and: (x, y) => (x as number) & (y as number),
  or: (x, y) => (x as number) | (y as number),
  xor: (x, y) => (x as number) ^ (y as number),
  eq: (x, y) => Number(x === y),
  ne: (x, y) => Number(x !== y),
  lt: (x, y) => Number((x as number) < (y as number)),
  le: (x, y) => Number((x as number) <= (y as number)),
  gt: (x, y) => Number((x as number) > (y as number)),
  ge: (x, y) => Number((x as number) >= (y as number)),
  convert_element_type: (x) => x as number,
};

const hasUnknown = (e: ix.IndexExpr): boolean => {
  let unknown = false;
  ix.forEachLeaf(e, (leaf) => {
    if (leaf.k !== "axis") unknown = true;
  });
  return unknown;
};

function unflatten(position: number, shape: readonly number[]): number[] {
  const at = new Array<number>(shape.length);
  let rest = position;
  for (let d = shape.length - 1; d >= 0; d -= 1) {
    at[d] = rest % (shape[d] as number);
    rest = Math.floor(rest / (shape[d] as number));
  }
  return at;
}

function flatten(at: readonly number[], shape: readonly number[]): number {
  let position = 0;
  for (let d = 0; d < at.length; d += 1)
    position = position * (shape[d] as number) + (at[d] as number);
  return position;
}

/** The row-major position in an array of `shape` that `index` says for coordinates; −1 outside. */
function sourceOf(
  index: readonly ix.IndexExpr[],
  at: readonly number[],
  shape: readonly number[],
): number {
  const env = { axis: (d: number): number => at[d] as number };
  let position = 0;
  for (let d = 0; d < index.length; d += 1) {
    const i = ix.evaluate(index[d] as ix.IndexExpr, env);
    const extent = shape[d] as number;
    if (i < 0 || i >= extent) return -1;
    position = position * extent + i;
  }
  return position;
}

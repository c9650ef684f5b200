/**
 * Which elements of other values one element of a value is computed from, found by walking to them with plain numbers for
 * coordinates. Choices that only depend on positions (iotas, masks, constant tables) are decided on the way, so that what
 * is found is what a kernel at this point would really read.
 */
import {
  definitionOf,
  type Node,
  type NodeNamed,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { fromBits, isInteger } from "@gridfuse/plan/scalar";
import { viewOf } from "../tensor/views.ts";
import { isFusable, isReduction } from "./op-kinds.ts";

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

export class PointTracer {
  readonly #table: Table;
  readonly #isRoot: (value: ValueId) => boolean;
  readonly #found = new Map<number, Element>();
  readonly #seen = new Set<number>();
  readonly #integers = new Map<number, number | undefined>();
  readonly #positional = new Map<ValueId, boolean>();

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
    this.#integers.clear();
    const node = this.#table.producer(value);
    if (node === undefined) return undefined;
    const complete = this.#visitNode(node, unflatten(at, this.#shape(value)));
    return complete ? [...this.#found.values()] : undefined;
  }

  #shape(value: ValueId): readonly number[] {
    return sizes(this.#table.tensor(value).shape);
  }

  #visit(value: ValueId, at: readonly number[]): boolean {
    const key = elementKey(value, flatten(at, this.#shape(value)));
    if (this.#seen.has(key)) return true;
    if (this.#seen.size > patience) return false;
    this.#seen.add(key);
    const node = this.#table.producer(value);
    if (node?.op === "full" || node?.op === "iota" || node?.op === "constant") return true;
    if (node === undefined || this.#isRoot(value) || !isFusable(node)) {
      this.#found.set(key, { value, at: flatten(at, this.#shape(value)) });
      return true;
    }
    return this.#visitNode(node, at);
  }

  #visitNode(node: Node, at: readonly number[]): boolean {
    if (isReduction(node)) return false;
    switch (node.op) {
      case "concatenate":
        return this.#concatenate(node, at);
      case "pad":
        return this.#pad(node, at);
      case "gather":
        return this.#gather(node, at);
      case "select_n":
        return this.#select(node, at);
      case "dynamic_slice":
      case "dynamic_update_slice":
        return false;
      case "bitcast_convert_type": {
        const source = node.inputs[0] as ValueId;
        return this.#shape(source).length === at.length && this.#visit(source, at);
      }
      default: {
        const source = this.#moved(node, at);
        if (source === "outside") return true;
        if (source !== undefined) return this.#visit(node.inputs[0] as ValueId, source);
        if (definitionOf(node.op).scalar === undefined) return false;
        return node.inputs.every((input) =>
          this.#visit(input, this.#shape(input).length === 0 ? [] : at),
        );
      }
    }
  }

  /** Where a movement reads; undefined where the node is none. */
  #moved(node: Node, at: readonly number[]): readonly number[] | "outside" | undefined {
    const view = viewOf(this.#table, node);
    if (view === undefined) return undefined;
    if (view.index.some((e) => hasUnknown(e))) return undefined;
    const source = view.index.map((e) => ix.evaluate(e, { axis: (d) => at[d] as number }));
    const shape = this.#shape(node.inputs[0] as ValueId);
    return source.every((i, d) => i >= 0 && i < (shape[d] as number)) ? source : "outside";
  }

  #concatenate(node: NodeNamed<"concatenate">, at: readonly number[]): boolean {
    const { dimension } = node.params;
    let position = at[dimension] as number;
    for (const input of node.inputs) {
      const extent = this.#shape(input)[dimension] as number;
      if (position < extent) return this.#visit(input, at.with(dimension, position));
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
    return inside ? this.#visit(source, index) : this.#visit(padding, []);
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
      const start = this.#integer(indices, [...batchAt, i]);
      if (start === undefined) return false;
      const room = (shape[d] as number) - (sliceSizes[d] as number);
      if (start < 0 || start > room) return true;
      index[d] = (index[d] as number) + start;
    }
    return this.#visit(source, index);
  }

  #select(node: NodeNamed<"select_n">, at: readonly number[]): boolean {
    const [which, ...cases] = node.inputs as [ValueId, ...ValueId[]];
    const chosen = this.#integer(which, this.#shape(which).length === 0 ? [] : at);
    if (chosen !== undefined) return this.#visit(cases[chosen] as ValueId, at);
    return (
      this.#visit(which, this.#shape(which).length === 0 ? [] : at) &&
      cases.every((value) => this.#visit(value, at))
    );
  }

  /** An integer or bool that only depends on positions. */
  #integer(value: ValueId, at: readonly number[]): number | undefined {
    if (!this.#isPositional(value)) return undefined;
    const key = elementKey(value, flatten(at, this.#shape(value)));
    if (this.#integers.has(key)) return this.#integers.get(key);
    const result = this.#computeInteger(value, at);
    this.#integers.set(key, result);
    return result;
  }

  #computeInteger(value: ValueId, at: readonly number[]): number | undefined {
    const node = this.#table.producer(value) as Node;
    const operand = (i: number): number | undefined => {
      const input = node.inputs[i] as ValueId;
      return this.#integer(input, this.#shape(input).length === 0 ? [] : at);
    };
    switch (node.op) {
      case "full":
        return Number(fromBits(node.params.dtype, node.params.bits));
      case "iota":
        return at[node.params.dimension];
      case "constant":
        return Number(node.params.data[flatten(at, this.#shape(value))]);
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
        if (source === undefined || source === "outside") return undefined;
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

const flatten = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((position, i, d) => position * (shape[d] as number) + i, 0);

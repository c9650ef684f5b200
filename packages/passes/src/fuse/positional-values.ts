/** What only depends on positions: where movement reads, and integers that are computed from coordinates and constant tables. */
import type { Node, NodeId, Table, ValueId } from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { fromBits, isInteger } from "@gridfuse/plan/scalar";
import { viewOf } from "../tensor/views.ts";

/** Ops on positions in a row: longer ones are left alone, as is the stack. */
const deepest = 256;

/** Where the elements of a movement come from, as far as somebody asked: −1 for outside. */
interface Moves {
  readonly sources: Map<number, number>;
  readonly index: readonly ix.IndexExpr[];
  /** It depends on more than coordinates. */
  readonly isUnknown: boolean;
}

/** Everything is found once, however many walks ask for it. */
export class PositionalValues {
  readonly #table: Table;
  readonly #isPositional = new Map<ValueId, boolean>();
  /** Integers by position; NaN where there is none. */
  readonly #integers = new Map<ValueId, Map<number, number>>();
  readonly #movesOfNodes = new Map<NodeId, Moves | null>();
  readonly #movesOfViews = new Map<object, Moves>();

  constructor(table: Table) {
    this.#table = table;
  }

  #shape(value: ValueId): readonly number[] {
    return this.#table.tensor(value).shape as readonly number[];
  }

  /** Where a movement reads, −1 for outside; undefined where that depends on data. */
  moved(node: Node, at: number): number | undefined {
    let moves = this.#movesOfNodes.get(node.id);
    if (moves === undefined) {
      moves = this.#findMoves(node);
      this.#movesOfNodes.set(node.id, moves);
    }
    if (moves === null || moves.isUnknown) return undefined;
    let source = moves.sources.get(at);
    if (source === undefined) {
      const own = unflatten(at, this.#shape(node.outputs[0] as ValueId));
      source = sourceOf(moves.index, own, this.#shape(node.inputs[0] as ValueId));
      moves.sources.set(at, source);
    }
    return source;
  }

  #findMoves(node: Node): Moves | null {
    const view = viewOf(this.#table, node);
    if (view === undefined) return null;
    // Nodes of one kind share the description.
    const kind = node.op === "view" ? node : view;
    let moves = this.#movesOfViews.get(kind);
    if (moves === undefined) {
      const { index } = view;
      moves = { sources: new Map(), index, isUnknown: index.some((e) => hasUnknown(e)) };
      this.#movesOfViews.set(kind, moves);
    }
    return moves;
  }

  /** An integer or bool that only depends on positions. */
  integer(value: ValueId, at: number): number | undefined {
    if (!this.#depends(value, 0)) return undefined;
    let known = this.#integers.get(value);
    if (known === undefined) {
      known = new Map();
      this.#integers.set(value, known);
    }
    let result = known.get(at);
    if (result === undefined) {
      result = this.#compute(value, at) ?? Number.NaN;
      known.set(at, result);
    }
    return Number.isNaN(result) ? undefined : result;
  }

  /** Of operand `i` of a node, at the place of element `at` of its result. */
  #operand({ inputs }: Node, i: number, at: number): number | undefined {
    const input = inputs[i] as ValueId;
    return this.integer(input, this.#shape(input).length === 0 ? 0 : at);
  }

  #compute(value: ValueId, at: number): number | undefined {
    const node = this.#table.producer(value) as Node;
    switch (node.op) {
      case "full":
        return Number(fromBits(node.params.dtype, node.params.bits));
      case "iota":
        return unflatten(at, this.#shape(value))[node.params.dimension];
      case "constant":
        return Number(node.params.data[at]);
      case "select_n": {
        const which = this.#operand(node, 0, at);
        return which === undefined ? undefined : this.#operand(node, 1 + which, at);
      }
      default: {
        const combine = positional[node.op];
        if (combine !== undefined) {
          const operands: number[] = [];
          for (let i = 0; i < node.inputs.length; i += 1) {
            const operand = this.#operand(node, i, at);
            if (operand === undefined) return undefined;
            operands.push(operand);
          }
          const result = combine(operands[0] as number, operands[1] as number);
          if (this.#table.tensor(value).dtype === "bool") return Number(result !== 0);
          return Math.abs(result) < 2 ** 31 ? result : undefined;
        }
        const source = this.moved(node, at);
        if (source === undefined || source < 0) return undefined;
        return this.integer(node.inputs[0] as ValueId, source);
      }
    }
  }

  /** Whether no data goes into a value. */
  #depends(value: ValueId, depth: number): boolean {
    const known = this.#isPositional.get(value);
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
          node.inputs.every((input) => this.#depends(input, depth + 1))));
    this.#isPositional.set(value, result);
    return result;
  }
}

/** Ops on positions, as long as nothing wraps around; bools are 0 and 1. */
const positional: { readonly [op: string]: ((x: number, y: number) => number) | undefined } = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  eq: (x, y) => Number(x === y),
  ne: (x, y) => Number(x !== y),
  lt: (x, y) => Number(x < y),
  le: (x, y) => Number(x <= y),
  gt: (x, y) => Number(x > y),
  ge: (x, y) => Number(x >= y),
  convert_element_type: (x) => x,
};

function hasUnknown(e: ix.IndexExpr): boolean {
  let unknown = false;
  ix.forEachLeaf(e, (leaf) => {
    if (leaf.k !== "axis") unknown = true;
  });
  return unknown;
}

/** Coordinates of the element at a row-major position. */
export function unflatten(position: number, shape: readonly number[]): number[] {
  const at = new Array<number>(shape.length);
  let rest = position;
  for (let d = shape.length - 1; d >= 0; d -= 1) {
    at[d] = rest % (shape[d] as number);
    rest = Math.floor(rest / (shape[d] as number));
  }
  return at;
}

/** The opposite of `unflatten`. */
export function flatten(at: readonly number[], shape: readonly number[]): number {
  let position = 0;
  for (let d = 0; d < at.length; d += 1) {
    position = position * (shape[d] as number) + (at[d] as number);
  }
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

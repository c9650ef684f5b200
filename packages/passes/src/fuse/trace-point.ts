/**
 * Which elements of other values one element of a value is computed from, found by walking to them with plain numbers for
 * coordinates. Choices that only depend on positions (iotas, masks, constant tables) are decided on the way, so that what
 * is found is what a kernel at this point would really read.
 *
 * A cone is walked once for every position that is tried, so what does not depend on the position is found out before.
 */
import type { Node, NodeNamed, Table, ValueId } from "@gridfuse/graph";
import type { ConeReading } from "./cone-shapes.ts";
import { kindOf } from "./op-kinds.ts";
import { flatten, PositionalValues, unflatten } from "./positional-values.ts";

/** Values that one walk may visit: beyond it, no orbit is worth the search. */
const patience = 4097;
/** Room for them, with more to spare. */
const slots = 2 ** 14;

/** How a walk goes on from a value. */
const nothing = 0;
const leaf = 1;
const pointwise = 2;
const moved = 3;
const chosen = 4;
const inParts = 5;
const unknown = 6;

const noCone: ConeReading = { number: -1, values: [], nodes: [], operands: [], starts: [] };

export class PointTracer {
  readonly #table: Table;
  readonly #positional: PositionalValues;
  #cone: ConeReading = noCone;
  /** By turn: how to go on, and whether there is one element for all. */
  #ways: number[] = [];
  #isScalar: boolean[] = [];
  /** Turns and positions that the walk has come by, in an open hash table; those of the walk at hand have its number. */
  readonly #walkOf = new Int32Array(slots);
  readonly #turnOf = new Int32Array(slots);
  readonly #placeOf = new Int32Array(slots);
  #walk = 0;
  #visited = 0;
  /** What the walk has found: leaves by turn, and the row-major positions at which they are read. */
  readonly turns: number[] = [];
  readonly positions: number[] = [];
  found = 0;

  constructor(table: Table) {
    this.#table = table;
    this.#positional = new PositionalValues(table);
  }

  /** Makes ready for walks through a cone. */
  prepare(cone: ConeReading): void {
    this.#cone = cone;
    this.#ways = [];
    this.#isScalar = [];
    for (let turn = 0; turn < cone.values.length; turn += 1) {
      this.#ways.push(this.#wayOf(turn));
      this.#isScalar.push(this.#shape(cone.values[turn] as ValueId).length === 0);
    }
  }

  /**
   * Finds the elements of the cone's leaves, constants aside, that element `at` of its head needs.
   *
   * @returns false where positions depend on data, or a reduction is in between
   */
  trace(at: number): boolean {
    this.#walk += 1;
    this.#visited = 0;
    this.found = 0;
    return this.#go(0, at);
  }

  #shape(value: ValueId): readonly number[] {
    return this.#table.tensor(value).shape as readonly number[];
  }

  #wayOf(turn: number): number {
    const { values, nodes } = this.#cone;
    const value = values[turn] as ValueId;
    const node = nodes[turn];
    const op = (node ?? this.#table.producer(value))?.op;
    if (turn > 0 && (op === "full" || op === "iota" || op === "constant")) return nothing;
    if (node === undefined) return turn > 0 ? leaf : unknown;
    switch (kindOf(node)) {
      case "reduction":
      case "apart":
        return unknown;
      case "movement":
        return moved;
      case "indexing":
        return inParts;
      default:
        if (node.op === "select_n") return chosen;
        if (node.op === "bitcast_convert_type") {
          const rank = this.#shape(value).length;
          if (this.#shape(node.inputs[0] as ValueId).length !== rank) return unknown;
        }
        return pointwise;
    }
  }

  /** Whether the walk has not come by yet. */
  #isNew(turn: number, at: number): boolean {
    const place = at | 0;
    let slot = (place * 31 + turn * 7919) & (slots - 1);
    for (; this.#walkOf[slot] === this.#walk; slot = (slot + 1) & (slots - 1)) {
      if (this.#turnOf[slot] === turn && this.#placeOf[slot] === place) return false;
    }
    this.#walkOf[slot] = this.#walk;
    this.#turnOf[slot] = turn;
    this.#placeOf[slot] = place;
    this.#visited += 1;
    return true;
  }

  #visit(turn: number, at: number): boolean {
    if (!this.#isNew(turn, at)) return true;
    if (this.#visited > patience) return false;
    return this.#go(turn, at);
  }

  #go(turn: number, at: number): boolean {
    const { nodes, operands, starts } = this.#cone;
    switch (this.#ways[turn]) {
      case nothing:
        return true;
      case leaf:
        this.turns[this.found] = turn;
        this.positions[this.found] = at;
        this.found += 1;
        return true;
      case pointwise: {
        const start = starts[turn] as number;
        const end = start + (nodes[turn] as Node).inputs.length;
        for (let i = start; i < end; i += 1) {
          if (!this.#visitScaled(operands[i] as number, at)) return false;
        }
        return true;
      }
      case moved: {
        const source = this.#positional.moved(nodes[turn] as Node, at);
        if (source === undefined) return false;
        return source < 0 || this.#visit(operands[starts[turn] as number] as number, source);
      }
      case chosen:
        return this.#select(turn, at);
      case inParts:
        return this.#visitParts(turn, at);
      default:
        return false;
    }
  }

  /** A scalar has one element for all. */
  #visitScaled(turn: number, at: number): boolean {
    return this.#visit(turn, this.#isScalar[turn] === true ? 0 : at);
  }

  #visitParts(turn: number, at: number): boolean {
    const { values, nodes, operands, starts } = this.#cone;
    const place = unflatten(at, this.#shape(values[turn] as ValueId));
    const first = starts[turn] as number;
    const node = nodes[turn] as Node;
    switch (node.op) {
      case "concatenate":
        return this.#concatenate(node, first, place);
      case "pad":
        return this.#pad(node, first, place);
      case "gather":
        return this.#gather(node, operands[first] as number, place);
      default:
        return false;
    }
  }

  #visitAt(turn: number, at: readonly number[]): boolean {
    return this.#visit(turn, flatten(at, this.#shape(this.#cone.values[turn] as ValueId)));
  }

  #concatenate(node: NodeNamed<"concatenate">, first: number, at: readonly number[]): boolean {
    const { dimension } = node.params;
    let position = at[dimension] as number;
    for (let i = 0; i < node.inputs.length; i += 1) {
      const extent = this.#shape(node.inputs[i] as ValueId)[dimension] as number;
      if (position < extent) {
        const turn = this.#cone.operands[first + i] as number;
        return this.#visitAt(turn, at.with(dimension, position));
      }
      position -= extent;
    }
    return false;
  }

  #pad(node: NodeNamed<"pad">, first: number, at: readonly number[]): boolean {
    const { operands } = this.#cone;
    const shape = this.#shape(node.inputs[0] as ValueId);
    const index = node.params.config.map(({ lo, interior }, d) => {
      return ((at[d] as number) - lo) / (interior + 1);
    });
    const inside = index.every((i, d) => Number.isInteger(i) && i >= 0 && i < (shape[d] as number));
    return inside
      ? this.#visitAt(operands[first] as number, index)
      : this.#visit(operands[first + 1] as number, 0);
  }

  #gather(node: NodeNamed<"gather">, source: number, at: readonly number[]): boolean {
    const [operand, indices] = node.inputs as readonly [ValueId, ValueId];
    const { dimensions, sliceSizes } = node.params;
    const { offsetDims, collapsedSliceDims, operandBatchingDims } = dimensions;
    const shape = this.#shape(operand);
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
      const place = flatten([...batchAt, i], this.#shape(indices));
      const start = this.#positional.integer(indices, place);
      if (start === undefined) return false;
      const room = (shape[d] as number) - (sliceSizes[d] as number);
      if (start < 0 || start > room) return true;
      index[d] = (index[d] as number) + start;
    }
    return this.#visitAt(source, index);
  }

  #select(turn: number, at: number): boolean {
    const { nodes, operands, starts } = this.#cone;
    const { inputs } = nodes[turn] as Node;
    const first = starts[turn] as number;
    const which = operands[first] as number;
    const place = this.#isScalar[which] === true ? 0 : at;
    const choice = this.#positional.integer(inputs[0] as ValueId, place);
    if (choice !== undefined) {
      const last = inputs.length - 2;
      return this.#visit(operands[first + 1 + Math.min(choice, last)] as number, at);
    }
    if (!this.#visit(which, place)) return false;
    for (let i = 1; i < inputs.length; i += 1) {
      if (!this.#visit(operands[first + i] as number, at)) return false;
    }
    return true;
  }
}

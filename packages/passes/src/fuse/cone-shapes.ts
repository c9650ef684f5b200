/**
 * Cones that are written alike, found by numbers.
 *
 * A cone is read out node by node: the type of what a node makes and what it does, or, where it has been read out before, which
 * one it was. Where two cones are read out in the same words, everything is alike that depends on nothing else, such as the
 * positions at which they read their leaves.
 */
import type { Node, Table, TensorType, ValueId } from "@gridfuse/graph";
import { type Kinds, kindsOf, Lists, Words } from "../simplify/key.ts";
import { isFusable } from "./op-kinds.ts";

/** A cone as it is read out: its values have turns, 0 for the head. */
export interface ConeReading {
  /** The same for cones that are alike. */
  readonly number: number;
  readonly values: readonly ValueId[];
  /** What makes each value; undefined for a leaf, which is read. */
  readonly nodes: readonly (Node | undefined)[];
  /** The turns of a value's operands: as many as its node has, from `starts` on. */
  readonly operands: readonly number[];
  readonly starts: readonly number[];
}

/** In place of a type: the value was read out before. In place of a kind: it is a leaf. */
const seenMark = 0;
const leafMark = 0;
const marks = 1;

export class ConeShapes {
  readonly #table: Table;
  readonly #kinds: Kinds;
  readonly #isRoot: (value: ValueId) => boolean;
  readonly #types = new Map<string, number>();
  readonly #typeNumbers = new Map<TensorType, number>();
  readonly #lists = new Lists();
  readonly #words = new Words();
  readonly #turns = new Map<ValueId, number>();
  // The cone at hand.
  #values: ValueId[] = [];
  #nodes: (Node | undefined)[] = [];
  #operands: number[] = [];
  #starts: number[] = [];

  constructor(table: Table, isRoot: (value: ValueId) => boolean) {
    this.#table = table;
    this.#kinds = kindsOf(table);
    this.#isRoot = isRoot;
  }

  of(head: ValueId): ConeReading {
    this.#turns.clear();
    this.#words.length = 0;
    this.#values = [];
    this.#nodes = [];
    this.#operands = [];
    this.#starts = [];
    this.#read(head);
    return {
      number: this.#lists.numberOf(this.#words),
      values: this.#values,
      nodes: this.#nodes,
      operands: this.#operands,
      starts: this.#starts,
    };
  }

  /** The turn of `value`. */
  #read(value: ValueId): number {
    const words = this.#words;
    const known = this.#turns.get(value);
    if (known !== undefined) {
      words.push(seenMark);
      words.push(known);
      return known;
    }
    const turn = this.#values.length;
    this.#turns.set(value, turn);
    words.push(this.#typeOf(value));
    const maker = this.#table.producer(value);
    const isLeaf = maker === undefined || (turn > 0 && (this.#isRoot(value) || !isFusable(maker)));
    const operands = this.#operands;
    const start = operands.length;
    this.#values.push(value);
    this.#nodes.push(isLeaf ? undefined : maker);
    this.#starts.push(start);
    if (isLeaf) {
      words.push(leafMark);
      return turn;
    }
    // With the types of operands and result this says where an op reads.
    const { inputs } = maker;
    words.push(marks + this.#kinds.numberOf(maker));
    words.push(inputs.length);
    for (let i = 0; i < inputs.length; i += 1) operands.push(0);
    for (let i = 0; i < inputs.length; i += 1) {
      operands[start + i] = this.#read(inputs[i] as ValueId);
    }
    return turn;
  }

  /** A number that no mark is. */
  #typeOf(value: ValueId): number {
    const type = this.#table.tensor(value);
    let number = this.#typeNumbers.get(type);
    if (number === undefined) {
      const text = `${type.dtype}${type.shape.join()}`;
      number = this.#types.get(text);
      if (number === undefined) {
        number = marks + this.#types.size;
        this.#types.set(text, number);
      }
      this.#typeNumbers.set(type, number);
    }
    return number;
  }
}

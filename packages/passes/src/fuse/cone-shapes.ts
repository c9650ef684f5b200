/**
 * Cones that are written alike, found by numbers.
 *
 * A cone is read out node by node: the type of what a node makes and what it does, or, where it has been read out before, which
 * one it was. A tree of all that has been read out says whether the same was read before. Where two cones are alike, so is
 * everything that depends on nothing else, such as the positions at which they read their leaves.
 */
import type { Table, ValueId } from "@gridfuse/graph";
import { Kinds } from "../simplify/key.ts";
import { isFusable } from "./op-kinds.ts";

export interface ConeShape {
  /** The same for cones that are alike. */
  readonly number: number;
  /** What the cone reads, in the order in which it is read out. */
  readonly leaves: readonly ValueId[];
}

/** More words than a program can have. */
const mostWords = 2 ** 26;
/** In place of a type: the value was read out before. In place of a kind: it is a leaf. */
const seenMark = 0;
const leafMark = 0;
const marks = 1;

export class ConeShapes {
  readonly #table: Table;
  readonly #kinds = new Kinds();
  readonly #types = new Map<string, number>();
  /** The place after a place and a word. */
  readonly #tree = new Map<number, number>();
  /** What has been read out of the cone at hand, by its turn. */
  readonly #seen = new Map<ValueId, number>();
  #place = 0;

  constructor(table: Table) {
    this.#table = table;
  }

  of(head: ValueId, isRoot: (value: ValueId) => boolean): ConeShape {
    const seen = this.#seen;
    const leaves: ValueId[] = [];
    const visit = (value: ValueId): void => {
      const known = seen.get(value);
      if (known !== undefined) {
        this.#read(seenMark);
        this.#read(known);
        return;
      }
      seen.set(value, seen.size);
      const node = this.#table.producer(value);
      this.#read(this.#typeOf(value));
      if (node === undefined || (value !== head && (isRoot(value) || !isFusable(node)))) {
        leaves.push(value);
        this.#read(leafMark);
        return;
      }
      // With the types of operands and result this says where an op reads.
      const { inputs } = node;
      this.#read(marks + this.#kinds.numberOf(node));
      this.#read(inputs.length);
      for (let i = 0; i < inputs.length; i += 1) visit(inputs[i] as ValueId);
    };
    seen.clear();
    this.#place = 0;
    visit(head);
    return { number: this.#place, leaves };
  }

  #read(word: number): void {
    const key = this.#place * mostWords + word;
    const next = this.#tree.get(key);
    this.#place = next ?? this.#tree.size + 1;
    if (next === undefined) this.#tree.set(key, this.#place);
  }

  /** A number that no mark is. */
  #typeOf(value: ValueId): number {
    const { dtype, shape } = this.#table.tensor(value);
    const text = `${dtype}${shape.join()}`;
    let type = this.#types.get(text);
    if (type === undefined) {
      type = marks + this.#types.size;
      this.#types.set(text, type);
    }
    return type;
  }
}

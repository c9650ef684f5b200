/**
 * Cones that are written alike, found by numbers.
 *
 * A cone is read out node by node: what a node does and the type of what it makes, or, where it has been read out before, which
 * one it was. A tree of all that has been read out says whether the same was read before. Where two cones are alike, so is
 * everything that depends on nothing else, such as the positions at which they read their leaves.
 */
import { definitionOf, type Node, type Table, type ValueId } from "@gridfuse/graph";
import { keyOfParams } from "../simplify/key.ts";
import { viewOf } from "../tensor/views.ts";
import { isFusable } from "./op-kinds.ts";

export interface ConeShape {
  /** The same for cones that are alike. */
  readonly number: number;
  /** What the cone reads, in the order in which it is read out. */
  readonly leaves: readonly ValueId[];
}

/** More words than a program can have. */
const mostWords = 2 ** 26;

export class ConeShapes {
  readonly #table: Table;
  /** The place after a place and a word. */
  readonly #tree = new Map<number, number>();
  readonly #texts = new Map<string, number>();
  /** Words of values: as leaves, and as what is computed. */
  readonly #leafWords = new Map<ValueId, number>();
  readonly #nodeWords = new Map<ValueId, number>();

  constructor(table: Table) {
    this.#table = table;
  }

  of(head: ValueId, isRoot: (value: ValueId) => boolean): ConeShape {
    const seen = new Map<ValueId, number>();
    const leaves: ValueId[] = [];
    let place = 0;
    const read = (word: number): void => {
      const key = place * mostWords + word;
      const next = this.#tree.get(key);
      place = next ?? this.#tree.size + 1;
      if (next === undefined) this.#tree.set(key, place);
    };
    const visit = (value: ValueId): void => {
      const known = seen.get(value);
      if (known !== undefined) {
        read(2 * known + 1);
        return;
      }
      seen.set(value, seen.size);
      const node = this.#table.producer(value);
      if (node === undefined || (value !== head && (isRoot(value) || !isFusable(node)))) {
        leaves.push(value);
        read(this.#leafWord(value));
        return;
      }
      read(this.#nodeWord(value, node));
      for (const input of node.inputs) visit(input);
    };
    visit(head);
    return { number: place, leaves };
  }

  #leafWord(value: ValueId): number {
    let word = this.#leafWords.get(value);
    if (word === undefined) {
      word = this.#word(this.#typeText(value));
      this.#leafWords.set(value, word);
    }
    return word;
  }

  /** An op reads as many operands as its text says: where the words agree, so do the cones. */
  #nodeWord(value: ValueId, node: Node): number {
    let word = this.#nodeWords.get(value);
    if (word === undefined) {
      const { op, inputs } = node;
      word = this.#word(
        `${this.#typeText(value)} ${op}/${inputs.length} ${this.#paramsText(node)}`,
      );
      this.#nodeWords.set(value, word);
    }
    return word;
  }

  #typeText(value: ValueId): string {
    const { dtype, shape } = this.#table.tensor(value);
    return `${dtype}[${shape.join()}]`;
  }

  #paramsText(node: Node): string {
    if (node.op === "constant") return `${node.id}`;
    const view = viewOf(this.#table, node);
    if (view !== undefined) return view.index.map(({ key }) => key).join();
    return definitionOf(node.op).scalar === undefined ? keyOfParams(node.params) : "";
  }

  /** Even, for odd words name what was read before. */
  #word(text: string): number {
    let word = this.#texts.get(text);
    if (word === undefined) {
      word = 2 * this.#texts.size;
      this.#texts.set(text, word);
    }
    return word;
  }
}

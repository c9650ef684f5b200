/**
 * Structural identity of nodes: equal numbers mean equal results.
 *
 * A long program asks this of every node more than once, so the answer is found by numbers alone: an op with its params is
 * spelled as a list of words, what it is with its operands is another list, and an open hash table knows all lists.
 */
import type { Node, NodeId, OpName, Table, ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";

const dataNumbers = new WeakMap<object, number>();
let nextDataNumber = 0;

function numberOf(data: object): number {
  let number = dataNumbers.get(data);
  if (number === undefined) {
    number = nextDataNumber;
    nextDataNumber += 1;
    dataNumbers.set(data, number);
  }
  return number;
}

const isIndexExpr = (value: object): value is IndexExpr => "k" in value && "key" in value;

export function hasEntries(record: unknown): boolean {
  for (const _ in record as object) return true;
  return false;
}

/** Lists as short as this are kept with the objects of the language, and cost as little. */
const smallestTable = 16;

/** Integers of 32 bits, one after the other. */
export class Words {
  list: Int32Array = new Int32Array(smallestTable);
  length = 0;

  push(word: number): void {
    if (this.length === this.list.length) {
      const longer = new Int32Array(this.length * 4);
      longer.set(this.list);
      this.list = longer;
    }
    this.list[this.length] = word;
    this.length += 1;
  }
}

/** Numbers 0, 1, 2… for lists of integers, in the order in which they are first seen. */
export class Lists {
  /** Open addressing: a list's number + 1 at the first free slot from its hash on; 0 is free. */
  #slots = new Int32Array(smallestTable);
  readonly #hashes = new Words();
  /** All lists one after the other, and where each one ends. */
  readonly #words = new Words();
  readonly #ends = new Words();

  get size(): number {
    return this.#hashes.length;
  }

  /** The number of the list that `words` holds. */
  numberOf({ list: words, length }: Words): number {
    let hash = length;
    for (let i = 0; i < length; i += 1) hash = (hash * 41 + (words[i] as number)) | 0;
    hash ^= (hash >>> 11) ^ (hash >>> 21);
    const slots = this.#slots;
    const hashes = this.#hashes.list;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = (slots[slot] as number) - 1;
      if (hashes[number] === hash && this.#isSame(number, words, length)) return number;
    }
    for (let i = 0; i < length; i += 1) this.#words.push(words[i] as number);
    this.#ends.push(this.#words.length);
    const number = this.#hashes.length;
    this.#hashes.push(hash);
    if (number * 2 < mask) slots[slot] = number + 1;
    else this.#grow();
    return number;
  }

  #isSame(number: number, words: Int32Array, length: number): boolean {
    const ends = this.#ends.list;
    const start = number === 0 ? 0 : (ends[number - 1] as number);
    if ((ends[number] as number) - start !== length) return false;
    const known = this.#words.list;
    for (let i = 0; i < length; i += 1) if (known[start + i] !== words[i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 4);
    const { list: hashes, length } = this.#hashes;
    const mask = slots.length - 1;
    for (let number = 0; number < length; number += 1) {
      let slot = (hashes[number] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** Words that say what kind of thing follows. */
const listMark = -1;
const recordMark = -2;
const endMark = -3;
const textMark = -4;
const dataMark = -5;
const largestWord = 2 ** 31 - 1;

const hasParams = -1;

const kindsIn = new WeakMap<Table, Kinds>();

/** The numbers of all that nodes of a table do. */
export function kindsOf(table: Table): Kinds {
  let kinds = kindsIn.get(table);
  if (kinds === undefined) {
    kinds = new Kinds(table);
    kindsIn.set(table, kinds);
  }
  return kinds;
}

/** Numbers for what nodes without regions do: an op with its params. Of each node it is found once. */
export class Kinds {
  readonly #nodes: readonly Node[];
  /** The number + 1 of each node of the table; 0 where nobody has asked. */
  #known: Int32Array;
  readonly #lists = new Lists();
  readonly #texts = new Map<string, number>();
  /** Kinds of ops without params, as most are; `hasParams` for others. */
  readonly #plain = new Map<OpName, number>();
  /** The list that is being spelled. */
  readonly #words = new Words();

  constructor({ nodes }: Table) {
    this.#nodes = nodes;
    this.#known = new Int32Array(nodes.length + smallestTable);
  }

  numberOf(node: Node): number {
    const { id } = node;
    // Who tries other params for a node makes one with the same id.
    if (this.#nodes[id] !== node) return this.#find(node);
    let known = this.#known[id] ?? 0;
    if (known === 0) {
      known = this.#find(node) + 1;
      this.#note(id, known);
    }
    return known - 1;
  }

  /** `copy` does what `node` does. */
  copied(node: Node, copy: NodeId): void {
    if (this.#nodes[node.id] === node) this.#note(copy, this.#known[node.id] ?? 0);
  }

  #note(id: NodeId, known: number): void {
    if (id >= this.#known.length) {
      const longer = new Int32Array(2 * Math.max(id, this.#nodes.length));
      longer.set(this.#known);
      this.#known = longer;
    }
    this.#known[id] = known;
  }

  #find(node: Node): number {
    const { op, params } = node;
    let plain = this.#plain.get(op);
    if (plain === undefined) {
      plain = hasEntries(params) ? hasParams : this.#spelled(node);
      this.#plain.set(op, plain);
    }
    return plain === hasParams ? this.#spelled(node) : plain;
  }

  #spelled(node: Node): number {
    const words = this.#words;
    words.length = 0;
    words.push(this.#textNumber(node.op));
    switch (node.op) {
      // What programs have most of.
      case "full": {
        const { dtype, shape, bits } = node.params;
        words.push(this.#textNumber(dtype));
        words.push(bits.lo);
        words.push(bits.hi);
        this.#spellList(shape);
        break;
      }
      case "slice": {
        const { start, limit, strides } = node.params;
        this.#spellList(start);
        this.#spellList(limit);
        this.#spellList(strides);
        break;
      }
      case "reshape":
        this.#spellList(node.params.shape);
        break;
      case "broadcast_in_dim":
        this.#spellList(node.params.shape);
        this.#spellList(node.params.broadcastDimensions);
        break;
      case "transpose":
        this.#spellList(node.params.permutation);
        break;
      case "convert_element_type":
        words.push(this.#textNumber(node.params.dtype));
        break;
      default:
        this.#spellRecord(node.params);
    }
    return this.#lists.numberOf(words);
  }

  #textNumber(text: string): number {
    let number = this.#texts.get(text);
    if (number === undefined) {
      number = this.#texts.size;
      this.#texts.set(text, number);
    }
    return number;
  }

  #spellList(list: readonly unknown[]): void {
    this.#words.push(listMark);
    for (let i = 0; i < list.length; i += 1) {
      const item = list[i];
      if (typeof item === "number") this.#spellNumber(item);
      else this.#spell(item);
    }
    this.#words.push(endMark);
  }

  #spellRecord(record: object): void {
    for (const name in record) {
      this.#words.push(this.#textNumber(name));
      this.#spell((record as Readonly<Record<string, unknown>>)[name]);
    }
  }

  /** Numbers of all sizes, marks among them, stay apart from words. */
  #spellNumber(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value <= largestWord) this.#words.push(value);
    else this.#spellText(String(value));
  }

  /** Typed arrays count by identity, index expressions by their key. */
  #spell(value: unknown): void {
    if (typeof value === "number") {
      this.#spellNumber(value);
    } else if (typeof value !== "object" || value === null) {
      this.#spellText(String(value));
    } else if (Array.isArray(value)) {
      this.#spellList(value);
    } else if (ArrayBuffer.isView(value)) {
      this.#words.push(dataMark);
      this.#words.push(numberOf(value));
    } else if (isIndexExpr(value)) {
      this.#spellText(value.key);
    } else {
      this.#words.push(recordMark);
      this.#spellRecord(value);
      this.#words.push(endMark);
    }
  }

  #spellText(text: string): void {
    this.#words.push(textMark);
    this.#words.push(this.#textNumber(text));
  }
}

/** Numbers for nodes without regions: 0, 1, 2… in the order in which they are first seen. */
export class Structures {
  readonly #kinds: Kinds;
  /** Kinds with their operands. */
  readonly #lists = new Lists();
  readonly #words = new Words();

  constructor(table: Table) {
    this.#kinds = kindsOf(table);
  }

  /** Says that `copy` does what `node` does. */
  copied(node: Node, copy: NodeId): void {
    this.#kinds.copied(node, copy);
  }

  /** The number of `node` with `inputs` for operands. */
  numberOf(node: Node, inputs: readonly ValueId[]): number {
    const words = this.#words;
    words.length = 0;
    words.push(this.#kinds.numberOf(node));
    for (let i = 0; i < inputs.length; i += 1) words.push(inputs[i] as number);
    return this.#lists.numberOf(words);
  }
}

/**
 * Structural identity of nodes: equal numbers mean equal results.
 *
 * A long program asks this of every node more than once, so the answer is found by numbers alone: an op with its params is
 * spelled as a list of words, what it is with its operands is another list, and an open hash table knows all lists.
 */
import type { Node, OpName, ValueId } from "@gridfuse/graph";
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

/** Params as text; typed arrays count by identity, index expressions by their key. */
function paramKey(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `#${numberOf(value)}`;
  if (Array.isArray(value)) return `[${value.map(paramKey).join()}]`;
  if (isIndexExpr(value)) return value.key;
  let text = "{";
  for (const name of Object.keys(value)) {
    text += `${name}:${paramKey((value as Record<string, unknown>)[name])},`;
  }
  return `${text}}`;
}

const knownParams = new WeakMap<object, string>();

export function hasEntries(record: unknown): boolean {
  for (const _ in record as object) return true;
  return false;
}

/** Params of an op as text. Most ops have none; those that have them are asked by every pass. */
export function keyOfParams(params: object): string {
  if (!hasEntries(params)) return "";
  let key = knownParams.get(params);
  if (key === undefined) {
    key = paramKey(params);
    knownParams.set(params, key);
  }
  return key;
}

const smallestTable = 64;

/** Numbers 0, 1, 2… for lists of integers, in the order in which they are first seen. */
export class Lists {
  /** Open addressing: a list's number + 1 at the first free slot from its hash on; 0 is free. */
  #slots = new Int32Array(smallestTable);
  readonly #hashes: number[] = [];
  /** All lists one after the other, and where each one ends. */
  readonly #words: number[] = [];
  readonly #ends: number[] = [];

  get size(): number {
    return this.#hashes.length;
  }

  /** The number of the first `length` of `words`. */
  numberOf(words: readonly number[], length: number): number {
    let hash = length;
    for (let i = 0; i < length; i += 1) hash = (hash * 41 + (words[i] as number)) | 0;
    hash ^= (hash >>> 11) ^ (hash >>> 21);
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = (slots[slot] as number) - 1;
      if (hashes[number] === hash && this.#isSame(number, words, length)) return number;
    }
    for (let i = 0; i < length; i += 1) this.#words.push(words[i] as number);
    this.#ends.push(this.#words.length);
    const number = this.#hashes.push(hash) - 1;
    if (number * 2 < mask) this.#slots[slot] = number + 1;
    else this.#grow();
    return number;
  }

  #isSame(number: number, words: readonly number[], length: number): boolean {
    const start = number === 0 ? 0 : (this.#ends[number - 1] as number);
    if ((this.#ends[number] as number) - start !== length) return false;
    const known = this.#words;
    for (let i = 0; i < length; i += 1) if (known[start + i] !== words[i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 4);
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    for (let number = 0; number < hashes.length; number += 1) {
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

/** Numbers for what nodes without regions do: an op with its params. */
export class Kinds {
  readonly #lists = new Lists();
  readonly #texts = new Map<string, number>();
  /** Kinds of ops without params: most nodes have none. */
  readonly #plain = new Map<OpName, number>();
  /** The list that is being spelled. */
  readonly #words: number[] = [];
  #length = 0;

  numberOf(node: Node): number {
    const { op, params } = node;
    if (op !== "full" && !hasEntries(params)) {
      let plain = this.#plain.get(op);
      if (plain === undefined) {
        plain = this.#spelled(node);
        this.#plain.set(op, plain);
      }
      return plain;
    }
    return this.#spelled(node);
  }

  #spelled(node: Node): number {
    this.#length = 0;
    this.#say(this.#textNumber(node.op));
    if (node.op === "full") {
      // What programs have most of.
      const { dtype, shape, bits } = node.params;
      this.#say(this.#textNumber(dtype));
      this.#say(bits.lo);
      this.#say(bits.hi);
      this.#spellList(shape);
    } else {
      this.#spellRecord(node.params);
    }
    return this.#lists.numberOf(this.#words, this.#length);
  }

  #say(word: number): void {
    this.#words[this.#length] = word;
    this.#length += 1;
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
    this.#say(listMark);
    for (let i = 0; i < list.length; i += 1) this.#spell(list[i]);
    this.#say(endMark);
  }

  #spellRecord(record: object): void {
    for (const name in record) {
      this.#say(this.#textNumber(name));
      this.#spell((record as Readonly<Record<string, unknown>>)[name]);
    }
  }

  /** Typed arrays count by identity, index expressions by their key. */
  #spell(value: unknown): void {
    if (typeof value === "number") {
      // Numbers of all sizes, marks among them, stay apart from words.
      if (Number.isInteger(value) && value >= 0) this.#say(value);
      else this.#sayText(String(value));
    } else if (typeof value !== "object" || value === null) {
      this.#sayText(String(value));
    } else if (Array.isArray(value)) {
      this.#spellList(value);
    } else if (ArrayBuffer.isView(value)) {
      this.#say(dataMark);
      this.#say(numberOf(value));
    } else if (isIndexExpr(value)) {
      this.#sayText(value.key);
    } else {
      this.#say(recordMark);
      this.#spellRecord(value);
      this.#say(endMark);
    }
  }

  #sayText(text: string): void {
    this.#say(textMark);
    this.#say(this.#textNumber(text));
  }
}

/** Numbers for nodes without regions: 0, 1, 2… in the order in which they are first seen. */
export class Structures {
  readonly #kinds = new Kinds();
  /** Kinds with their operands. */
  readonly #lists = new Lists();
  readonly #words: number[] = [];

  /** How many there are so far. */
  get size(): number {
    return this.#lists.size;
  }

  /** The number of `node` with `inputs` for operands. */
  numberOf(node: Node, inputs: readonly ValueId[]): number {
    this.#words[0] = this.#kinds.numberOf(node);
    for (let i = 0; i < inputs.length; i += 1) this.#words[i + 1] = inputs[i] as number;
    return this.#lists.numberOf(this.#words, inputs.length + 1);
  }
}

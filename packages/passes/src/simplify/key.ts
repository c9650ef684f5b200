/**
 * Structural identity of nodes: equal numbers mean equal results.
 *
 * A long program asks this of every node more than once, so the answer is found by numbers (op, params, operands) in an
 * open hash table; text is made of params only, and only of those that an op has.
 */
import type { Node, ValueId } from "@gridfuse/graph";
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

/** Most ops have no params; those that have them are asked by every pass. */
function keyOfParams(params: object): string {
  for (const _ in params) {
    let key = knownParams.get(params);
    if (key === undefined) {
      key = paramKey(params);
      knownParams.set(params, key);
    }
    return key;
  }
  return "";
}

const smallestTable = 64;

/** Numbers for nodes without regions: 0, 1, 2… in the order in which they are first seen. */
export class Structures {
  /** Ops with their params, as text. */
  readonly #kinds = new Map<string, number>();
  /** Open addressing: a structure's number + 1 at the first free slot from its hash on; 0 is free. */
  #slots = new Int32Array(smallestTable);
  readonly #hashes: number[] = [];
  readonly #kindOf: number[] = [];
  readonly #operands: (readonly ValueId[])[] = [];

  /** How many there are so far. */
  get size(): number {
    return this.#hashes.length;
  }

  /** The number of `node` with `inputs` for operands. */
  numberOf(node: Node, inputs: readonly ValueId[]): number {
    const kind = this.#kind(node);
    let hash = Math.imul(kind + 1, 0x9e3779b1);
    for (const input of inputs) {
      hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(input + 1, 0x85ebca6b);
    }
    hash ^= hash >>> 16;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (this.#hashes[number] === hash && this.#isSame(number, kind, inputs)) return number;
    }
    const number = this.#hashes.push(hash) - 1;
    this.#kindOf.push(kind);
    this.#operands.push(inputs);
    if (number * 2 < mask) this.#slots[slot] = number + 1;
    else this.#grow();
    return number;
  }

  #kind({ op, params }: Node): number {
    const key = op + keyOfParams(params);
    let kind = this.#kinds.get(key);
    if (kind === undefined) {
      kind = this.#kinds.size;
      this.#kinds.set(key, kind);
    }
    return kind;
  }

  #isSame(number: number, kind: number, inputs: readonly ValueId[]): boolean {
    const own = this.#operands[number] as readonly ValueId[];
    if (this.#kindOf[number] !== kind || own.length !== inputs.length) return false;
    for (let i = 0; i < own.length; i += 1) if (own[i] !== inputs[i]) return false;
    return true;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 4);
    const mask = this.#slots.length - 1;
    for (const [number, hash] of this.#hashes.entries()) {
      let slot = hash & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

/**
 * Which of the nodes that do alike are tiles of one step, and which are steps that all tiles go through.
 *
 * Literals tell both apart: where a tile lies, and a distance. Where no lane is used twice they are of tiles; else what has
 * the same literals belongs together, or, where that leaves nodes alone, each layer holds what comes from a lane once.
 */
import type { Node, Table, ValueId } from "@gridfuse/graph";
import { Lists, Words } from "../simplify/key.ts";
import { fewest } from "./columns.ts";
import type { Homes } from "./homes.ts";

export class Layers {
  readonly #table: Table;
  readonly #homes: Homes;
  /** Lists by which nodes are told apart. */
  readonly #keys = new Lists();
  readonly #words = new Words();

  constructor(table: Table, homes: Homes) {
    this.#table = table;
    this.#homes = homes;
  }

  of(members: readonly Node[]): readonly (readonly Node[])[] {
    const seen = new Map<number, number>();
    const isShared = sharedOperands(members);
    const layers = partition(members, (node) => {
      const key = this.#lanesOf(node, isShared);
      if (key === undefined) return 0;
      const layer = seen.get(key) ?? 0;
      seen.set(key, layer + 1);
      return layer;
    });
    if (layers.length === 1) return layers;
    const byLiterals = partition(members, (node) => this.#literalsOf(node));
    return byLiterals.every((part) => part.length >= fewest) ? byLiterals : layers;
  }

  /** Members by the packs in which their operands lie. */
  byPacks(members: readonly Node[]): readonly (readonly Node[])[] {
    return partition(members, (node) => this.#packsOf(node));
  }

  /** A number for the operands that lie in packs, but for those that all siblings have; undefined where there is none. */
  #lanesOf({ inputs }: Node, isShared: readonly boolean[]): number | undefined {
    const words = this.#words;
    words.length = 0;
    for (let i = 0; i < inputs.length; i += 1) {
      const value = inputs[i] as ValueId;
      if (!isShared[i] && this.#homes.has(value)) words.push(value);
    }
    if (words.length === 0) return undefined;
    // Lists have numbers from 0 on.
    return words.length === 1 ? -1 - (words.list[0] as number) : this.#keys.numberOf(words);
  }

  #packsOf({ inputs }: Node): number {
    const words = this.#words;
    words.length = 0;
    for (let i = 0; i < inputs.length; i += 1) {
      words.push(this.#homes.idOf(inputs[i] as ValueId));
    }
    return this.#keys.numberOf(words);
  }

  /** A number for the literals among the operands, or for where a slice starts. */
  #literalsOf(node: Node): number {
    const words = this.#words;
    words.length = 0;
    if (node.op === "slice") {
      for (const start of node.params.start) words.push(start);
    } else {
      for (const value of node.inputs) {
        const from = this.#table.producer(value);
        words.push(from?.op === "full" ? 1 : 0);
        words.push(from?.op === "full" ? from.params.bits.hi : 0);
        words.push(from?.op === "full" ? from.params.bits.lo : 0);
      }
    }
    return this.#keys.numberOf(words);
  }
}

/** By operand: whether it is one value for all siblings. */
function sharedOperands(members: readonly Node[]): readonly boolean[] {
  const [first] = members as readonly [Node];
  return first.inputs.map((value, i) => members.every(({ inputs }) => inputs[i] === value));
}

/** The nodes by key, in order. */
function partition(nodes: readonly Node[], keyOf: (node: Node) => number): Node[][] {
  const parts = new Map<number, Node[]>();
  for (const node of nodes) {
    const key = keyOf(node);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [node]);
    else part.push(node);
  }
  return [...parts.values()];
}

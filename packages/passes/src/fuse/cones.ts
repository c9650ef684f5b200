/**
 * Cones: what one kernel computes, from a value with memory back to the values with memory that it reads.
 *
 * They are walked once each, in the numbers of their region; who reads a value is known when all have been.
 */
import type { Node, Table, ValueId } from "@gridfuse/graph";
import { operationsOf } from "./cost.ts";
import type { RegionNumbers } from "./region-numbers.ts";

export interface Cone {
  /** Values with memory that it reads, constants aside. */
  readonly reads: readonly ValueId[];
  readonly operations: number;
  /** Nothing in it folds: where its elements come from can be said element by element. */
  readonly isPlain: boolean;
}

const none: readonly ValueId[] = [];

export class Cones {
  readonly #table: Table;
  readonly #numbers: RegionNumbers;
  /** By number: whether a value is a root; what makes it, by its place in the region, −1 for nothing. */
  readonly #isRoot: Uint8Array;
  readonly #makers: Int32Array;
  /** Kernels on the longest way to a value. Values of one depth do not depend on each other. */
  readonly #depths: Int32Array;
  /** Values that cones end in, in order. */
  readonly #heads: ValueId[] = [];
  readonly #cones = new Map<ValueId, Cone>();
  readonly #readers = new Map<ValueId, ValueId[]>();

  /** @param bases values whose memory roots take, through reshapes */
  constructor(
    table: Table,
    numbers: RegionNumbers,
    roots: ReadonlySet<ValueId>,
    bases: ReadonlySet<ValueId>,
  ) {
    const count = numbers.values.length;
    this.#table = table;
    this.#numbers = numbers;
    this.#isRoot = new Uint8Array(count);
    this.#makers = new Int32Array(count).fill(-1);
    this.#depths = new Int32Array(count);
    for (const value of roots) {
      const number = numbers.of(value);
      if (number >= 0) this.#isRoot[number] = 1;
    }
    this.#measure(bases);
    this.#walk();
  }

  #measure(bases: ReadonlySet<ValueId>): void {
    const { nodes, kinds, operands, starts } = this.#numbers;
    const depths = this.#depths;
    for (let i = 0; i < nodes.length; i += 1) {
      const node = nodes[i] as Node;
      let depth = 0;
      for (let k = starts[i] as number; k < (starts[i + 1] as number); k += 1) {
        const own = depths[operands[k] as number] as number;
        if (own > depth) depth = own;
      }
      const mayHead = kinds[i] !== "apart" && kinds[i] !== "movement";
      for (let o = 0; o < node.outputs.length; o += 1) {
        const value = node.outputs[o] as ValueId;
        const number = this.#numbers.of(value);
        const isHead = this.#isRoot[number] === 1 || bases.has(value);
        this.#makers[number] = i;
        depths[number] = isHead ? depth + 1 : depth;
        if (isHead && mayHead) this.#heads.push(value);
      }
    }
  }

  #walk(): void {
    /** The place of the head whose cone a value was last found in. */
    const seen = new Int32Array(this.#depths.length).fill(-1);
    for (let place = 0; place < this.#heads.length; place += 1) {
      const head = this.#heads[place] as ValueId;
      const cone = this.#look(head, place, seen);
      this.#cones.set(head, cone);
      for (const value of cone.reads) {
        const readers = this.#readers.get(value);
        if (readers === undefined) this.#readers.set(value, [head]);
        else readers.push(head);
      }
    }
  }

  #look(head: ValueId, place: number, seen: Int32Array): Cone {
    const { nodes, kinds, operands, starts, values } = this.#numbers;
    const reads: ValueId[] = [];
    const first = this.#numbers.of(head);
    const open: number[] = [first];
    seen[first] = place;
    let operations = 0;
    let isPlain = true;
    while (open.length > 0) {
      const number = open.pop() as number;
      const at = this.#makers[number] as number;
      const node = at < 0 ? undefined : (nodes[at] as Node);
      if (node?.op === "constant") continue;
      if (node === undefined || (number !== first && this.#isRoot[number] === 1)) {
        if (node !== undefined || this.#isVariable(number)) reads.push(values[number] as ValueId);
        continue;
      }
      const kind = kinds[at];
      if (kind !== "movement") operations += operationsOf(node.op);
      if (kind === "reduction") isPlain = false;
      for (let k = starts[at] as number; k < (starts[at + 1] as number); k += 1) {
        const input = operands[k] as number;
        if (seen[input] === place) continue;
        seen[input] = place;
        open.push(input);
      }
    }
    return { reads, operations, isPlain };
  }

  /** Of a value that comes from outside of the region. */
  #isVariable(number: number): boolean {
    return this.#table.producer(this.#numbers.values[number] as ValueId)?.op !== "constant";
  }

  /** From the first to the last. */
  heads(): readonly ValueId[] {
    return this.#heads;
  }

  has(value: ValueId): boolean {
    return this.#cones.has(value);
  }

  depthOf(value: ValueId): number {
    return this.#depths[this.#numbers.of(value)] ?? 0;
  }

  /** Heads of the cones that read `value`, in order. */
  readersOf(value: ValueId): readonly ValueId[] {
    return this.#readers.get(value) ?? none;
  }

  /** The cone of a head. */
  of(head: ValueId): Cone {
    return this.#cones.get(head) as Cone;
  }
}

/**
 * Cones: what one kernel computes, from a value with memory back to the values with memory that it reads.
 *
 * Who reads what is found for a whole region in one walk backwards, in which every node says for which cones it is
 * computed. What lies in a cone is looked at only when somebody asks.
 */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";
import { operationsOf } from "./cost.ts";
import { isFusable, isMovement, isReduction } from "./op-kinds.ts";

export interface Cone {
  readonly reads: ReadonlySet<ValueId>;
  readonly operations: number;
  /** Nothing in it folds: where its elements come from can be said element by element. */
  readonly isPlain: boolean;
}

const none: readonly ValueId[] = [];

export class Cones {
  readonly #table: Table;
  readonly #roots: ReadonlySet<ValueId>;
  /** Values that cones end in, in order, with their place in it. */
  readonly #heads = new Map<ValueId, number>();
  readonly #readers = new Map<ValueId, Set<ValueId>>();
  readonly #ordered = new Map<ValueId, readonly ValueId[]>();
  /** Kernels on the longest way to a value. Values of one depth do not depend on each other. */
  readonly #depths = new Map<ValueId, number>();
  readonly #cones = new Map<ValueId, Cone>();

  /** @param bases values whose memory roots take, through reshapes */
  constructor(
    table: Table,
    region: Region,
    roots: ReadonlySet<ValueId>,
    bases: ReadonlySet<ValueId>,
  ) {
    this.#table = table;
    this.#roots = new Set(roots);
    for (const id of region.nodes) this.#measure(table.nodes[id] as Node, bases);
    this.#findReaders(region);
  }

  #measure(node: Node, bases: ReadonlySet<ValueId>): void {
    let depth = 0;
    for (const input of node.inputs) depth = Math.max(depth, this.depthOf(input));
    for (const value of node.outputs) {
      const isHead = this.#roots.has(value) || bases.has(value);
      this.#depths.set(value, isHead ? depth + 1 : depth);
      if (isHead && isFusable(node) && !isMovement(node)) this.#heads.set(value, this.#heads.size);
    }
  }

  #findReaders({ nodes }: Region): void {
    const table = this.#table;
    /** Heads whose cones a value lies in; lists are shared and never changed. */
    const inner = new Map<ValueId, readonly ValueId[]>();
    for (let i = nodes.length - 1; i >= 0; i -= 1) {
      const { op, inputs, outputs } = table.nodes[nodes[i] as number] as Node;
      if (op === "constant") continue;
      let heads = none;
      for (const value of outputs) {
        if (!this.#roots.has(value)) heads = union(heads, inner.get(value) ?? none);
        if (this.#heads.has(value)) heads = union(heads, [value]);
      }
      if (heads.length === 0) continue;
      for (const input of inputs) {
        const isRead = this.#roots.has(input) || table.producer(input) === undefined;
        if (isRead) this.#addReaders(input, heads);
        else inner.set(input, union(inner.get(input) ?? none, heads));
      }
    }
  }

  #addReaders(value: ValueId, heads: readonly ValueId[]): void {
    if (this.#table.producer(value)?.op === "constant") return;
    let readers = this.#readers.get(value);
    if (readers === undefined) {
      readers = new Set();
      this.#readers.set(value, readers);
    }
    for (const head of heads) readers.add(head);
  }

  /** From the first to the last. */
  heads(): readonly ValueId[] {
    return [...this.#heads.keys()];
  }

  has(head: ValueId): boolean {
    return this.#heads.has(head);
  }

  depthOf(value: ValueId): number {
    return this.#depths.get(value) ?? 0;
  }

  /** Heads of the cones that read `value`, in order. */
  readersOf(value: ValueId): readonly ValueId[] {
    let ordered = this.#ordered.get(value);
    if (ordered === undefined) {
      const place = (head: ValueId): number => this.#heads.get(head) as number;
      ordered = [...(this.#readers.get(value) ?? none)].sort((p, q) => place(p) - place(q));
      this.#ordered.set(value, ordered);
    }
    return ordered;
  }

  of(head: ValueId): Cone {
    let cone = this.#cones.get(head);
    if (cone === undefined) {
      cone = this.#look(head);
      this.#cones.set(head, cone);
    }
    return cone;
  }

  #look(head: ValueId): Cone {
    const reads = new Set<ValueId>();
    const seen = new Set<ValueId>([head]);
    const open: ValueId[] = [head];
    let operations = 0;
    let isPlain = true;
    for (let value = open.pop(); value !== undefined; value = open.pop()) {
      const node = this.#table.producer(value);
      if (node?.op === "constant") continue;
      if (node === undefined || (value !== head && this.#roots.has(value))) {
        reads.add(value);
        continue;
      }
      if (!isMovement(node)) operations += operationsOf(node.op);
      if (isReduction(node)) isPlain = false;
      for (const input of node.inputs) {
        if (!seen.has(input)) {
          seen.add(input);
          open.push(input);
        }
      }
    }
    return { reads, operations, isPlain };
  }
}

function union(a: readonly ValueId[], b: readonly ValueId[]): readonly ValueId[] {
  if (a.length === 0 || a === b) return b;
  if (b.length === 0) return a;
  if (b.length === 1) return a.includes(b[0] as ValueId) ? a : [...a, b[0] as ValueId];
  const all = new Set(a);
  for (const value of b) all.add(value);
  return all.size === a.length ? a : [...all];
}

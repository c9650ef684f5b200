/**
 * A region in numbers: 0, 1, 2… for its values in order of appearance, so that what is known of them fits into arrays,
 * and what each node takes and makes in those numbers.
 */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";

/** Ids of a region lie close together; where they do not, a table of them would be mostly empty. */
const mostRoom = 16;

export class RegionNumbers {
  readonly nodes: readonly Node[];
  /** Values by number. */
  readonly values: ValueId[] = [];
  /** Operands of node `i` of the region: those from `starts[i]` to `starts[i + 1]`. */
  readonly operands: Int32Array;
  readonly starts: Int32Array;
  /** The first result of each node; −1 where it has none. */
  readonly results: Int32Array;
  readonly #first: number;
  /** Number + 1 of the value `first` + i; 0 where it has none. */
  readonly #dense: Int32Array | undefined;
  readonly #sparse = new Map<ValueId, number>();

  constructor(table: Table, region: Region) {
    const nodes = region.nodes.map((id) => table.nodes[id] as Node);
    this.nodes = nodes;
    let first = Number.POSITIVE_INFINITY;
    let last = -1;
    let inputCount = 0;
    let count = region.params.length;
    for (const param of region.params) {
      first = Math.min(first, param);
      last = Math.max(last, param);
    }
    for (const { inputs, outputs } of nodes) {
      for (const value of inputs) {
        if (value < first) first = value;
        if (value > last) last = value;
      }
      for (const value of outputs) {
        if (value < first) first = value;
        if (value > last) last = value;
      }
      inputCount += inputs.length;
      count += inputs.length + outputs.length;
    }
    const room = count === 0 ? 0 : last - first + 1;
    this.#first = first;
    this.#dense = room <= count * mostRoom ? new Int32Array(room) : undefined;
    this.operands = new Int32Array(inputCount);
    this.starts = new Int32Array(nodes.length + 1);
    this.results = new Int32Array(nodes.length).fill(-1);
    for (const param of region.params) this.#add(param);
    let at = 0;
    for (let i = 0; i < nodes.length; i += 1) {
      const { inputs, outputs } = nodes[i] as Node;
      // Regions are closed, but those under construction need not be.
      for (const value of inputs) {
        this.operands[at] = this.#add(value);
        at += 1;
      }
      this.starts[i + 1] = at;
      for (let o = outputs.length - 1; o > 0; o -= 1) this.#add(outputs[o] as ValueId);
      if (outputs.length > 0) this.results[i] = this.#add(outputs[0] as ValueId);
    }
  }

  #add(value: ValueId): number {
    const known = this.of(value);
    if (known >= 0) return known;
    const number = this.values.push(value) - 1;
    if (this.#dense === undefined) this.#sparse.set(value, number);
    else this.#dense[value - this.#first] = number + 1;
    return number;
  }

  /** −1 for values of other regions. */
  of(value: ValueId): number {
    if (this.#dense === undefined) return this.#sparse.get(value) ?? -1;
    return (this.#dense[value - this.#first] ?? 0) - 1;
  }
}

/** Numbers 0, 1, 2… for the values of a region, so that what is known of them fits into arrays. */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";

/** Ids of a region lie close together; where they do not, a table of them would be mostly empty. */
const mostRoom = 16;

export class RegionNumbers {
  /** Values by number. */
  readonly values: ValueId[] = [];
  readonly #first: number;
  /** Number + 1 of the value `first` + i; 0 where it has none. */
  readonly #dense: Int32Array | undefined;
  readonly #sparse = new Map<ValueId, number>();

  constructor(table: Table, region: Region) {
    let first = Number.POSITIVE_INFINITY;
    let last = -1;
    let count = 0;
    const span = (value: ValueId): void => {
      if (value < first) first = value;
      if (value > last) last = value;
      count += 1;
    };
    const nodes = region.nodes.map((id) => table.nodes[id] as Node);
    for (const param of region.params) span(param);
    for (const { inputs, outputs } of nodes) {
      for (const value of inputs) span(value);
      for (const value of outputs) span(value);
    }
    const room = count === 0 ? 0 : last - first + 1;
    this.#first = first;
    this.#dense = room <= count * mostRoom ? new Int32Array(room) : undefined;
    for (const param of region.params) this.#add(param);
    for (const { inputs, outputs } of nodes) {
      // Regions are closed, but those under construction need not be.
      for (const value of inputs) this.#add(value);
      for (const value of outputs) this.#add(value);
    }
  }

  #add(value: ValueId): void {
    if (this.of(value) >= 0) return;
    const number = this.values.push(value) - 1;
    if (this.#dense === undefined) this.#sparse.set(value, number);
    else this.#dense[value - this.#first] = number + 1;
  }

  /** −1 for values of other regions. */
  of(value: ValueId): number {
    if (this.#dense === undefined) return this.#sparse.get(value) ?? -1;
    return (this.#dense[value - this.#first] ?? 0) - 1;
  }
}

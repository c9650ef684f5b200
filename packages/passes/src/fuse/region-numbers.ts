/**
 * A region in numbers: 0, 1, 2… for its values in order of appearance, so that what is known of them fits into arrays,
 * what each node takes and makes in those numbers, and what is asked of every node and value again and again.
 */
import { elementCount, type Node, type Region, type Table, type ValueId } from "@gridfuse/graph";
import { kindOf, type OpKind } from "./op-kinds.ts";

/** So many ids of the whole table for each node of the region: beyond, a list of them would be mostly empty. */
const mostRoom = 16;

export class RegionNumbers {
  readonly nodes: readonly Node[];
  readonly kinds: readonly OpKind[];
  /** Values by number. */
  readonly values: ValueId[] = [];
  /** Elements and dimensions of each value. */
  readonly sizes: Float64Array;
  readonly ranks: Uint8Array;
  /** Operands of node `i` of the region: those from `starts[i]` to `starts[i + 1]`. */
  readonly operands: Int32Array;
  readonly starts: Int32Array;
  /** The first result of each node; −1 where it has none. */
  readonly results: Int32Array;
  /** Number + 1 of each value of the table; 0 where it has none. */
  readonly #dense: Int32Array | undefined;
  readonly #sparse = new Map<ValueId, number>();

  constructor(table: Table, region: Region) {
    const nodes: Node[] = [];
    const kinds: OpKind[] = [];
    for (let i = 0; i < region.nodes.length; i += 1) {
      const node = table.nodes[region.nodes[i] as number] as Node;
      nodes.push(node);
      kinds.push(kindOf(node));
    }
    this.nodes = nodes;
    this.kinds = kinds;
    const room = table.types.length;
    this.#dense = room <= nodes.length * mostRoom ? new Int32Array(room) : undefined;
    const operands: number[] = [];
    this.starts = new Int32Array(nodes.length + 1);
    this.results = new Int32Array(nodes.length).fill(-1);
    for (const param of region.params) this.#add(param);
    for (let i = 0; i < nodes.length; i += 1) {
      const { inputs, outputs } = nodes[i] as Node;
      // Regions are closed, but those under construction need not be.
      for (let k = 0; k < inputs.length; k += 1) operands.push(this.#add(inputs[k] as ValueId));
      this.starts[i + 1] = operands.length;
      for (let o = outputs.length - 1; o > 0; o -= 1) this.#add(outputs[o] as ValueId);
      if (outputs.length > 0) this.results[i] = this.#add(outputs[0] as ValueId);
    }
    this.operands = new Int32Array(operands);
    this.sizes = new Float64Array(this.values.length);
    this.ranks = new Uint8Array(this.values.length);
    this.#measure(table);
  }

  #measure(table: Table): void {
    for (let i = 0; i < this.values.length; i += 1) {
      const { shape } = table.tensor(this.values[i] as ValueId);
      this.sizes[i] = elementCount(shape);
      this.ranks[i] = shape.length;
    }
  }

  #add(value: ValueId): number {
    const known = this.of(value);
    if (known >= 0) return known;
    const number = this.values.push(value) - 1;
    if (this.#dense === undefined) this.#sparse.set(value, number);
    else this.#dense[value] = number + 1;
    return number;
  }

  /** −1 for values of other regions. */
  of(value: ValueId): number {
    if (this.#dense === undefined) return this.#sparse.get(value) ?? -1;
    return (this.#dense[value] ?? 0) - 1;
  }
}

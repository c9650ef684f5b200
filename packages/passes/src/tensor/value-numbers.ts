/** A number for each of some values of a table: in a list by id where those are a good part of all, else in a map. */
import type { ValueId } from "@gridfuse/graph";

/** So many ids of the table for each value: beyond, a list of them would be mostly empty. */
const mostRoom = 16;

export class ValueNumbers {
  /** Number + 1 of each value of the table; 0 where it has none. */
  readonly #dense: Int32Array | undefined;
  readonly #sparse = new Map<ValueId, number>();

  /**
   * @param room values of the table
   * @param count of those that will have numbers, about
   */
  constructor(room: number, count: number) {
    this.#dense = room <= count * mostRoom ? new Int32Array(room) : undefined;
  }

  /** −1 where it has none. */
  get(value: ValueId): number {
    if (this.#dense === undefined) return this.#sparse.get(value) ?? -1;
    return (this.#dense[value] ?? 0) - 1;
  }

  set(value: ValueId, number: number): void {
    if (this.#dense === undefined) this.#sparse.set(value, number);
    else this.#dense[value] = number + 1;
  }
}

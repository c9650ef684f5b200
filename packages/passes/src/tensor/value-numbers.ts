/** A number for each of some values of a table: in a list by id where those are a good part of all, else in a map. */
import type { ValueId } from "@gridfuse/graph";

/** So many ids of the table for each value: beyond, a list of them would be mostly empty. */
const mostRoom = 16;

export class ValueNumbers {
  /** Number + 1 of each value of the table; 0 where it has none. */
  #dense: Int32Array | undefined;
  readonly #sparse = new Map<ValueId, number>();

  /**
   * @param room values of the table; more may follow
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

  /** @param number from 0 to 2³¹ − 2 */
  set(value: ValueId, number: number): void {
    if (this.#dense === undefined) {
      this.#sparse.set(value, number);
      return;
    }
    if (value >= this.#dense.length) {
      const longer = new Int32Array(2 * value + 1);
      longer.set(this.#dense);
      this.#dense = longer;
    }
    this.#dense[value] = number + 1;
  }
}

/** What stands for `value` now, where `now` has something else for it. */
export function valueNow(now: ValueNumbers, value: ValueId): ValueId {
  const other = now.get(value);
  return other < 0 ? value : other;
}

/** The same for several: the very same list where all are as they were. */
export function valuesNow(now: ValueNumbers, values: readonly ValueId[]): readonly ValueId[] {
  for (let i = 0; i < values.length; i += 1) {
    if (now.get(values[i] as ValueId) < 0) continue;
    const renamed: ValueId[] = [];
    for (let k = 0; k < values.length; k += 1) renamed.push(valueNow(now, values[k] as ValueId));
    return renamed;
  }
  return values;
}

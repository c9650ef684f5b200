/** A map from values, which are small numbers, over a list. */
import type { ValueId } from "@gridfuse/graph";

export class ValueMap<T> {
  readonly #entries: (T | undefined)[];

  /** @param count of values that there are; more may follow */
  constructor(count: number) {
    this.#entries = new Array<T | undefined>(count).fill(undefined);
  }

  get(value: ValueId): T | undefined {
    return this.#entries[value];
  }
  has(value: ValueId): boolean {
    return this.#entries[value] !== undefined;
  }
  set(value: ValueId, entry: T): void {
    while (this.#entries.length < value) this.#entries.push(undefined);
    this.#entries[value] = entry;
  }
  delete(value: ValueId): void {
    if (value < this.#entries.length) this.#entries[value] = undefined;
  }
}

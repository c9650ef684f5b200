/** Where values lie that siblings make: which pack holds each, and in which lane. */
import type { Region, Table, ValueId } from "@gridfuse/graph";
import { ValueNumbers } from "../tensor/value-numbers.ts";
import type { Group } from "./columns.ts";

export class Homes {
  readonly #groups: readonly Group[];
  readonly #numbers: ValueNumbers;
  readonly #lanes: ValueNumbers;

  /** @param groups by id, as they are made */
  constructor(table: Table, region: Region, groups: readonly Group[]) {
    this.#groups = groups;
    this.#numbers = new ValueNumbers(table.types.length, region.nodes.length);
    this.#lanes = new ValueNumbers(table.types.length, region.nodes.length);
  }

  has(value: ValueId): boolean {
    return this.#numbers.get(value) >= 0;
  }

  groupOf(value: ValueId): Group | undefined {
    const number = this.#numbers.get(value);
    return number < 0 ? undefined : this.#groups[number];
  }

  /** −1 for a value of no group. */
  idOf(value: ValueId): number {
    return this.#numbers.get(value);
  }

  laneOf(value: ValueId): number {
    return this.#lanes.get(value);
  }

  set(value: ValueId, group: Group, lane: number): void {
    this.#numbers.set(value, group.id);
    this.#lanes.set(value, lane);
  }
}

/** A list of numbers as a stream of choices; it starts again, shifted, when it is used up. */
export class Dice {
  readonly #numbers: readonly number[];
  #next = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }
  /** A whole number in [0, n). */
  below(n: number): number {
    const number = this.#numbers[this.#next % this.#numbers.length] as number;
    this.#next += 1;
    return (number + Math.floor(this.#next / this.#numbers.length)) % n;
  }
  flip(): boolean {
    return this.below(2) === 1;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

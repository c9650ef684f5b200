/**
 * What params refer to by name: dimensions whose sizes are known only when the inputs are, and the
 * counters of enclosing scans.
 */
import { type Dim, InputError, type Shape } from "@gridfuse/graph";

export class Environment {
  readonly #sizes = new Map<string, number>();
  /** Current value of each scan counter that index expressions name. */
  readonly counters: Map<number, number> = new Map();

  /**
   * The size that `dim` stands for.
   * @throws InputError GF1503 if it is a name that no input binds
   */
  size(dim: Dim): number {
    if (typeof dim === "number") return dim;
    const size = this.#sizes.get(dim);
    if (size === undefined) {
      throw new InputError("GF1503", `dimension "${dim}" has no size`, {
        help: "Pass the input that has this dimension as { dtype, shape, data }.",
      });
    }
    return size;
  }

  sizes(shape: Shape): readonly number[] {
    return shape.map((dim) => this.size(dim));
  }

  /** Binds the names in `declared` to the sizes of `actual`; false if they do not fit together. */
  bind(declared: Shape, actual: readonly number[]): boolean {
    return (
      declared.length === actual.length &&
      declared.every((dim, d) => {
        if (typeof dim === "number") return dim === actual[d];
        const known = this.#sizes.get(dim);
        this.#sizes.set(dim, known ?? actual[d]);
        return known === undefined || known === actual[d];
      })
    );
  }
}

/**
 * An ordered reduction of a few elements whose lanes run along the reduced index: they are computed abreast and taken in one
 * after the other.
 */
import { accumulators, identityOf, type Reduction } from "@gridfuse/plan";
import type { BinaryOp } from "@gridfuse/plan/scalar";
import { heldType, pushConst } from "../wasm/held.ts";
import { emitBinary, type Push } from "../wasm/scalar-ops.ts";
import { extracted } from "../wasm/vector-lanes.ts";
import type { Nest } from "./nest.ts";
import type { Accumulator } from "./reductions.ts";

export class ChainFold implements Accumulator {
  readonly #nest: Nest;
  readonly #reduction: Reduction;
  readonly #quads: readonly number[];
  readonly #value: number;

  constructor(nest: Nest, reduction: Reduction) {
    this.#nest = nest;
    this.#reduction = reduction;
    this.#quads = Array.from({ length: accumulators / nest.lanes }, () => nest.local("v128"));
    this.#value = nest.local(heldType(reduction.dtype));
  }

  begin(): void {
    const { op, dtype } = this.#reduction;
    pushConst(this.#nest.code, dtype, identityOf(op as "add" | "mul", dtype));
    this.#nest.code.set(this.#value);
  }
  beginSegment(): void {}
  endSegment(): void {}
  finish(): void {}

  accumulate(values: readonly Push[], valid: number): void {
    const { code, helpers, lanes } = this.#nest;
    const { op, dtype } = this.#reduction;
    for (const [part, value] of values.entries()) {
      value(code);
      code.set(this.#quads[part] as number);
    }
    for (let i = 0; i < valid; i++) {
      const quad: Push = (into) => into.get(this.#quads[Math.floor(i / lanes)] as number);
      const element = extracted(quad, dtype, i % lanes);
      emitBinary(code, helpers, op as BinaryOp, dtype, (into) => into.get(this.#value), element);
      code.set(this.#value);
    }
  }

  result(): Push {
    return (code) => code.get(this.#value);
  }
}

/**
 * The running result of scans that are the lanes of a vector: one operation for each element, every one of which waits for the
 * one before.
 *
 * That is why extrema of floats are put together from what is quick. `pmax(a, b)` and `pmax(b, a)` differ only where both are
 * zeros, of which the bits that they have in common are the greater one, and where one is a NaN; from where a NaN was seen on,
 * all is NaN. That takes two instructions after one another instead of eight.
 */
import { type Bits, type DType, identityOf, isFloat, type ScanStep } from "@gridfuse/plan";
import type { Push } from "../wasm/scalar-ops.ts";
import { pushSplat } from "../wasm/vector-lanes.ts";
import { emitVectorBinary } from "../wasm/vector-ops.ts";
import { isWholeFloat } from "./float-extremes.ts";
import type { Nest } from "./nest.ts";

/** x ⊕ (what leaves x as it is, signs of zeros included). */
function neutral(op: ScanStep["op"], dtype: DType): Bits {
  if (op !== "add" || !isFloat(dtype)) return identityOf(op, dtype);
  if (dtype === "float64") return { lo: 0, hi: 0x80000000 };
  return { lo: dtype === "float32" ? 0x80000000 : 0x8000, hi: 0 };
}

export class RunningVector {
  readonly #nest: Nest;
  readonly #op: ScanStep["op"];
  readonly #dtype: DType;
  readonly #sum: number;
  /** All ones where there was a NaN; undefined where the sum says so itself. */
  readonly #nans: number | undefined;

  constructor(nest: Nest, op: ScanStep["op"], dtype: DType) {
    this.#nest = nest;
    this.#op = op;
    this.#dtype = dtype;
    this.#sum = nest.local("v128");
    const isExtreme = op === "max" || op === "min";
    this.#nans = isExtreme && isWholeFloat(dtype) ? nest.local("v128") : undefined;
  }

  begin(): void {
    const { code } = this.#nest;
    pushSplat(code, this.#dtype, neutral(this.#op, this.#dtype)).set(this.#sum);
    if (this.#nans !== undefined) code.v128([0, 0, 0, 0]).set(this.#nans);
  }

  /** Goes on from where another is. */
  become(other: RunningVector): void {
    const { code } = this.#nest;
    code.get(other.#sum).set(this.#sum);
    if (this.#nans !== undefined && other.#nans !== undefined) {
      code.get(other.#nans).set(this.#nans);
    }
  }

  /** Takes the value in local `x` in, which becomes the result so far. */
  take(x: number): void {
    const { code } = this.#nest;
    if (this.#nans === undefined) {
      const [sum, value] = [this.#sum, x].map(
        (local): Push =>
          (into) =>
            into.get(local),
      ) as [Push, Push];
      emitVectorBinary(this.#nest, this.#op, this.#dtype, sum, value);
      code.tee(this.#sum).set(x);
      return;
    }
    const shape = this.#dtype === "float32" ? "f32x4" : "f64x2";
    const [most, both] =
      this.#op === "max" ? (["pmax", "and"] as const) : (["pmin", "or"] as const);
    code.get(this.#sum).get(x).op(`${shape}.${most}`);
    code.get(x).get(this.#sum).op(`${shape}.${most}`);
    code.op(`v128.${both}`).set(this.#sum);
    code.get(x).get(x).op(`${shape}.ne`).get(this.#nans).op("v128.or").tee(this.#nans);
    code.get(this.#sum).op("v128.or").set(x);
  }

  /** Pushes the result so far. */
  push(): void {
    const { code } = this.#nest;
    code.get(this.#sum);
    if (this.#nans !== undefined) code.get(this.#nans).op("v128.or");
  }
}

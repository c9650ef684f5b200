/**
 * Pushes the words of a sort key: unsigned numbers whose order is that of `sort`. −0 equals +0, all NaNs are
 * equal and come last; `js/order-keys.ts` says the same in JS.
 */
import { bitsDType, type DType, isFloat, isSigned, itemSize } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import { loadOp } from "../wasm/held.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

/** Number of 32-bit words in a key. */
export const wordCount = (dtype: DType): 1 | 2 => (itemSize(dtype) === 8 ? 2 : 1);

export class OrderWords {
  readonly #fn: FunctionBuilder;
  readonly #narrow: number;
  readonly #wide: number;

  constructor(fn: FunctionBuilder) {
    this.#fn = fn;
    this.#narrow = fn.local("i32");
    this.#wide = fn.local("i64");
  }

  /** Pushes word `word` (0 is the least significant) of the element whose address is on the stack. */
  push(dtype: DType, word: number, offset: number): void {
    const { code } = this.#fn;
    code.memory(loadOp(isFloat(dtype) ? bitsDType(dtype) : dtype), offset);
    if (itemSize(dtype) === 8) {
      this.#wideKey(code, dtype);
      if (word === 1) code.i64(32n).op("i64.shr_u");
      code.op("i32.wrap_i64");
    } else if (isFloat(dtype)) {
      if (itemSize(dtype) === 2) code.i32(16).op("i32.shl");
      this.#floatKey(code, dtype === "float16" ? 0x7c000000 : 0x7f800000);
    } else if (isSigned(dtype)) {
      code.i32(-0x80000000).op("i32.xor");
    }
  }

  /** Bits of a non-negative float order as integers once the sign is set, those of a negative one reversed. */
  #floatKey(code: Code, infinity: number): void {
    const bits = this.#narrow;
    const pushMagnitude = (): Code => code.get(bits).i32(0x7fffffff).op("i32.and");
    code.set(bits);
    code.i32(-0x80000000);
    code.get(bits).get(bits).i32(31).op("i32.shr_s").i32(-0x80000000).op("i32.or").op("i32.xor");
    pushMagnitude().op("i32.eqz").op("select").set(this.#key);
    code.i32(-1).get(this.#key);
    pushMagnitude().i32(infinity).op("i32.gt_u").op("select");
  }
  /** Holds the key while NaN is looked at. */
  get #key(): number {
    this.#keyLocal ??= this.#fn.local("i32");
    return this.#keyLocal;
  }
  #keyLocal: number | undefined;
  get #wideKeyLocal(): number {
    this.#wideLocal ??= this.#fn.local("i64");
    return this.#wideLocal;
  }
  #wideLocal: number | undefined;

  #wideKey(code: Code, dtype: DType): void {
    const sign = -(2n ** 63n);
    if (dtype === "uint64") return;
    if (dtype === "int64") {
      code.i64(sign).op("i64.xor");
      return;
    }
    const bits = this.#wide;
    const pushMagnitude = (): Code =>
      code
        .get(bits)
        .i64(2n ** 63n - 1n)
        .op("i64.and");
    code.set(bits).i64(sign);
    code.get(bits).get(bits).i64(63n).op("i64.shr_s").i64(sign).op("i64.or").op("i64.xor");
    pushMagnitude().op("i64.eqz").op("select").set(this.#wideKeyLocal);
    code.i64(-1n).get(this.#wideKeyLocal);
    pushMagnitude().i64(0x7ff0000000000000n).op("i64.gt_u").op("select");
  }
}

/** Elements of 32 bits as words whose order is theirs (order-words.ts), four at a time. */
import type { DType } from "@gridfuse/plan";
import type { FunctionBuilder } from "../wasm/module.ts";
import { unroll, vectorBytes } from "./radix-form.ts";

/** Four elements as the words of `OrderWords`. */
export class WordVectors {
  readonly #fn: FunctionBuilder;
  readonly #descending: boolean;
  readonly #bits: number;
  readonly #nan: number;
  readonly #zero: number;
  readonly #sign: number;

  constructor(fn: FunctionBuilder, descending: boolean) {
    this.#fn = fn;
    this.#descending = descending;
    const vector = (): number => fn.local("v128");
    [this.#bits, this.#nan, this.#zero, this.#sign] = [vector(), vector(), vector(), vector()];
  }

  /** Before the loop. */
  prepare(): void {
    this.#fn.code.i32(-0x80000000).op("i32x4.splat").set(this.#sign);
  }

  /** Replaces elements on the stack; notes −0 and NaN in `special`. */
  convert(dtype: DType, special: number | undefined): void {
    const { code } = this.#fn;
    if (dtype === "int32") code.get(this.#sign).op("v128.xor");
    if (dtype === "float32") {
      code.tee(this.#bits).get(this.#bits).op("f32x4.ne").set(this.#nan);
      code.get(this.#bits).get(this.#sign).op("i32x4.eq").set(this.#zero);
      if (special !== undefined) {
        code.get(this.#nan).get(this.#zero).op("v128.or").get(special).op("v128.or").set(special);
      }
      code.get(this.#bits).get(this.#bits).i32(31).op("i32x4.shr_s");
      code.get(this.#sign).op("v128.or").op("v128.xor");
      code.get(this.#zero).op("i32x4.sub").get(this.#nan).op("v128.or");
    }
    if (this.#descending) code.op("v128.not");
  }
}

/** Locals of whoever writes elements. */
export interface ElementLocals {
  /** Where the words are. */
  readonly from: number;
  /** Where the elements go; moves. */
  readonly target: number;
  readonly entry: number;
  readonly end: number;
  readonly word: number;
}

/** Writes `extent` words as the elements that they stand for. */
export function emitElements(
  fn: FunctionBuilder,
  dtype: DType,
  extent: number,
  { from, target, entry, end, word }: ElementLocals,
): void {
  const { code } = fn;
  const inQuads = extent - (extent % unroll);
  const words = fn.local("v128");
  const sign = fn.local("v128");
  code.i32(-0x80000000).op("i32x4.splat").set(sign);
  code
    .get(from)
    .tee(entry)
    .i32(4 * inQuads)
    .op("i32.add")
    .set(end);
  code.loop();
  code.get(target).get(entry).memory("v128.load", 0);
  if (dtype === "int32") code.get(sign).op("v128.xor");
  if (dtype === "float32") {
    code.tee(words).get(words).op("v128.not").i32(31).op("i32x4.shr_s");
    code.get(sign).op("v128.or").op("v128.xor");
  }
  code.memory("v128.store", 0);
  code.get(target).i32(vectorBytes).op("i32.add").set(target);
  code.get(entry).i32(vectorBytes).op("i32.add").tee(entry);
  code.get(end).op("i32.lt_u").brIf(0).end();
  for (let i = 0; i < extent - inQuads; i++) {
    code
      .get(target)
      .get(entry)
      .memory("i32.load", 4 * i);
    if (dtype === "int32") code.i32(-0x80000000).op("i32.xor");
    if (dtype === "float32") {
      code.tee(word).get(word).i32(-1).op("i32.xor").i32(31).op("i32.shr_s");
      code.i32(-0x80000000).op("i32.or").op("i32.xor");
    }
    code.memory("i32.store", 4 * i);
  }
}

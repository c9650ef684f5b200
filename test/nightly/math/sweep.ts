/**
 * Every argument of a format, or every n-th, through compiled code, against a float64 reference.
 *
 * Arguments are taken by their bit patterns in columns. Where a function is odd or even the negative half is
 * held to the positive one to the bit and costs no reference values.
 */
import { loadLanes } from "@gridfuse/plan/scalar";
import { type Compiled, compileFunction } from "./compiled.ts";
import { errorOf, type Format, formats, inverseUnits, larger, type Worst } from "./error.ts";
import type { MathFunction } from "./functions.ts";

export const columnLength = 1 << 16;

export interface Sweep {
  /** Arguments looked at. */
  readonly inputs: number;
  readonly worst?: Worst;
}

const signBit = 0x80000000;
/** Exponent field of the float64 from which on a float32 is infinite. */
const firstInfinite = 1023 + 128;

/** A function made ready to be swept in float32. */
export class Sweeper {
  readonly #function: MathFunction;
  readonly #compiled: Compiled;
  readonly #wide: Compiled | undefined;
  readonly #arguments: Float32Array;
  readonly #patterns: Uint32Array;
  readonly #expected: Float64Array;
  readonly #format = formats.float32 as Format;
  readonly #inverse = inverseUnits(this.#format);

  constructor(of: MathFunction) {
    this.#function = of;
    this.#compiled = compileFunction(of, "float32", columnLength);
    this.#arguments = this.#compiled.operands[0] as Float32Array;
    this.#patterns = wordsOf(this.#arguments);
    if (of.reference === undefined) {
      this.#wide = compileFunction(of, "float32", columnLength, "float64");
    }
    this.#expected = (this.#wide?.result as Float64Array) ?? new Float64Array(columnLength);
  }

  /** The patterns first, first + step, … of one column, and their negatives where the function has a parity. */
  column(first: number, step: number): Sweep {
    const { parity } = this.#function;
    this.#fill(first, step);
    this.#expect();
    this.#compiled.run();
    const worst = this.#compare();
    if (parity === undefined) return { inputs: columnLength, ...(worst && { worst }) };
    const positive = wordsOf(this.#compiled.result as Float32Array).slice();
    for (let i = 0; i < columnLength; i++)
      this.#patterns[i] = (this.#patterns[i] as number) ^ signBit;
    this.#compiled.run();
    const whole = larger(worst, this.#mirrored(positive, parity));
    return { inputs: 2 * columnLength, ...(whole && { worst: whole }) };
  }

  /** One pattern out of each `step`; not the first, whose last bits are zeros. */
  #fill(first: number, step: number): void {
    for (let i = 0; i < columnLength; i++) {
      const within = step === 1 ? 0 : (Math.imul(first + i, 0x9e3779b1) >>> 7) % step;
      this.#patterns[i] = first + i * step + within;
    }
  }

  #expect(): void {
    const { reference } = this.#function;
    const x = this.#arguments;
    const expected = this.#expected;
    if (reference !== undefined) {
      for (let i = 0; i < columnLength; i++) expected[i] = reference(x[i] as number);
      return;
    }
    const wide = this.#wide as Compiled;
    (wide.operands[0] as Float32Array).set(x);
    wide.run();
  }

  #compare(): Worst | undefined {
    const got = this.#compiled.result as Float32Array;
    const x = this.#arguments;
    const expected = this.#expected;
    const words = wordsOf(got);
    const high = new Uint32Array(expected.buffer, expected.byteOffset);
    const inverse = this.#inverse;
    const { floor } = this.#function;
    let most = 0;
    let worst: Worst | undefined;
    for (let i = 0; i < columnLength; i++) {
      const value = got[i] as number;
      const signAndExponent = high[2 * i + 1] as number;
      const field = (signAndExponent >>> 20) & 2047;
      const quick = Math.abs(value - (expected[i] as number)) * (inverse[field] as number);
      if (quick <= most) {
        if (value !== 0 || ((signAndExponent ^ (words[i] as number)) | 0) >= 0) continue;
      } else if (field >= firstInfinite && Object.is(value, Math.fround(expected[i] as number))) {
        continue;
      }
      const size = floor?.(x[i] as number) ?? 0;
      const error = errorOf(value, expected[i] as number, this.#format, size);
      if (error <= most) continue;
      most = error;
      worst = { error, at: [x[i] as number], got: value, expected: expected[i] as number };
    }
    return worst;
  }

  /** The first result that is not the mirror image of the one for the positive argument. */
  #mirrored(positive: Uint32Array, parity: "odd" | "even"): Worst | undefined {
    const got = wordsOf(this.#compiled.result as Float32Array);
    const flip = parity === "odd" ? signBit | 0 : 0;
    for (let i = 0; i < columnLength; i++) {
      if ((got[i] as number) === ((positive[i] as number) ^ flip) >>> 0) continue;
      const value = (this.#compiled.result as Float32Array)[i] as number;
      const [expected] = new Float32Array(Uint32Array.of((positive[i] as number) ^ flip).buffer);
      if (Number.isNaN(value) && Number.isNaN(expected)) continue;
      const at = [this.#arguments[i] as number];
      return { error: Infinity, at, got: value, expected: expected as number };
    }
    return undefined;
  }
}

export const wordsOf = (of: Float32Array): Uint32Array =>
  new Uint32Array(of.buffer, of.byteOffset, of.length);

/** Columns of a whole sweep: with a parity only those of positive patterns. */
export const columnsOf = ({ parity }: MathFunction, step: number): number =>
  Math.ceil((parity === undefined ? 2 ** 32 : 2 ** 31) / (columnLength * step));

/** All 65,536 arguments of a 16-bit format. */
export function sweepHalf(of: MathFunction, dtype: "float16" | "bfloat16"): Sweep {
  const length = 2 ** 16;
  const { reference, floor } = of;
  const compiled = compileFunction(of, dtype, length);
  const patterns = compiled.operands[0] as Uint16Array;
  for (let i = 0; i < length; i++) patterns[i] = i;
  compiled.run();
  const x = loadLanes(dtype, patterns, 0, length) as Float32Array;
  const got = loadLanes(dtype, compiled.result, 0, length) as Float32Array;
  const expected =
    reference === undefined ? inFloat64(of, x) : Float64Array.from(x, (v) => reference(v));
  let worst: Worst | undefined;
  for (const [i, at] of x.entries()) {
    const values = { got: got[i] as number, expected: expected[i] as number };
    const error = errorOf(values.got, values.expected, formats[dtype] as Format, floor?.(at));
    worst = larger(worst, { error, at: [at], ...values });
  }
  return { inputs: length, ...(worst && { worst }) };
}

function inFloat64(of: MathFunction, x: Float32Array): Float64Array {
  const wide = compileFunction(of, "float32", x.length, "float64");
  (wide.operands[0] as Float32Array).set(x);
  wide.run();
  return wide.result as Float64Array;
}

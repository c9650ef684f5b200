/**
 * Functions of two float32 operands at random pairs: any bit patterns, numbers of ordinary size, numbers beside 1
 * with large partners, and small integers.
 */
import { random } from "../../../packages/plan/test/math-support.ts";
import { compileFunction } from "./compiled.ts";
import { errorOf, type Format, formats, larger, type Worst } from "./error.ts";
import type { MathFunction } from "./functions.ts";
import { columnLength, type Sweep, wordsOf } from "./sweep.ts";

/** The bits of a number with an exponent of lo … hi − 1. */
const sized = (next: () => number, lo: number, hi: number): number =>
  (Math.floor(next() * 2) * 0x80000000 +
    (127 + lo + Math.floor(next() * (hi - lo))) * 0x800000 +
    Math.floor(next() * 0x800000)) >>>
  0;
const anything = (next: () => number): number => Math.floor(next() * 2 ** 32);
const besideOne = (next: () => number): number =>
  0x3f800000 + Math.round((next() - 0.5) * 2 ** (1 + Math.floor(next() * 23)));
const integers = Float32Array.from({ length: 64 }, (_, i) => i - 32);
const integer = (next: () => number): number =>
  wordsOf(integers)[Math.floor(next() * integers.length)] as number;

const kinds: readonly (readonly ((next: () => number) => number)[])[] = [
  [anything, anything],
  [(next) => sized(next, -4, 5), (next) => sized(next, -8, 6)],
  [besideOne, (next) => sized(next, 0, 30)],
  [(next) => sized(next, -6, 6), integer],
];

export function sweepPairs(of: MathFunction, count: number, seed: number): Sweep {
  const reference = of.reference as (...operands: number[]) => number;
  const compiled = compileFunction(of, "float32", columnLength);
  const operands = compiled.operands as readonly Float32Array[];
  const [x, y] = operands as readonly [Float32Array, Float32Array];
  const words = operands.map(wordsOf);
  const got = compiled.result as Float32Array;
  const next = random(seed);
  let worst: Worst | undefined;
  let inputs = 0;
  while (inputs < count) {
    for (let i = 0; i < columnLength; i++) {
      const kind = kinds[i % kinds.length] as (typeof kinds)[number];
      for (const [k, column] of words.entries())
        column[i] = (kind[k] as (typeof kind)[number])(next);
    }
    compiled.run();
    for (let i = 0; i < columnLength; i++) {
      const at = [x[i] as number, y[i] as number];
      const values = { got: got[i] as number, expected: reference(...at) };
      const error = errorOf(values.got, values.expected, formats.float32 as Format);
      if (worst === undefined || error > worst.error)
        worst = larger(worst, { error, at, ...values });
    }
    inputs += columnLength;
  }
  return { inputs, ...(worst && { worst }) };
}

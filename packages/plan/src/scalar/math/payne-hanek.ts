/**
 * x mod π for any float, in integers (Payne & Hanek, "Radian reduction for trigonometric functions",
 * SIGNUM Newsletter 1983).
 *
 * With x = M·2^E, the bits of 1/π above weight 2^−E only add even multiples of π, and those far below
 * do not reach the digits wanted. So M is multiplied by a window of 1/π that starts at weight 2^−E:
 * three words of the format's width, of which the product keeps the upper two. Its first bit tells
 * odd from even multiples of π, the rest is the fraction of π.
 */
import type { Scalar } from "../builder.ts";
import { cut, piBits } from "./fixed-point.ts";
import type { FloatKit, PerFormat } from "./float-kit.ts";

/** x = (n + fraction)·unit, with n known modulo 2 (unit π) or 4 (unit π/2). */
export interface FarReduction {
  /** Low bits of n, as a signed integer; the other bits are 0. */
  readonly n: Scalar;
  /** fraction·unit, |fraction| ≤ ½. */
  readonly r: Scalar;
}

/** Upper two words of M·window, modulo 2 in units of π. */
interface Product {
  readonly high: Scalar;
  readonly low: Scalar;
}

/** Words of 1/π; word 0 holds the weights above ½, which are 0. */
function tableWords(bits: 32 | 64): bigint[] {
  const words = bits === 32 ? 8 : 20;
  const fraction = bits * words - bits - 1;
  const inverse = (1n << BigInt(2 * fraction)) / piBits(fraction);
  return Array.from({ length: words }, (_, i) =>
    BigInt.asUintN(bits, inverse >> BigInt(bits * (words - 1 - i))),
  );
}

const tables = new Map<number, bigint[]>();

/** Words index … index + 3 of the table: a barrel shifter over the bits of `index`. */
function fourWords(f: FloatKit, index: Scalar): Scalar[] {
  const { bits } = f.format;
  const table = tables.get(bits) ?? tableWords(bits);
  tables.set(bits, table);
  let words = table.map((word) => f.word(word));
  for (let step = 2 ** Math.floor(Math.log2(table.length - 4)); step >= 1; step /= 2) {
    const bit = f.compare("ne", f.and(index, f.int(step)), f.int(0));
    const needed = Math.min(words.length, 4 + step - 1);
    words = Array.from({ length: needed }, (_, i) => {
      const moved = words[i + step];
      return moved === undefined ? (words[i] as Scalar) : f.select(bit, moved, words[i] as Scalar);
    });
  }
  return words;
}

/** The window of three words that starts at weight 2^−E. */
function windowAt(f: FloatKit, exponent: Scalar): Scalar[] {
  const { bits, word } = f.format;
  const position = f.add(exponent, f.int(bits));
  const words = fourWords(f, f.shiftRight(position, Math.log2(bits)));
  const shift = f.b.convert(f.and(position, f.int(bits - 1)), word);
  const back = f.sub(f.word(bits), shift);
  return [0, 1, 2].map((i) =>
    f.or(
      f.binary("shiftLeft", words[i] as Scalar, shift),
      f.binary("shiftRightLogical", words[i + 1] as Scalar, back),
    ),
  );
}

function multiply32(f: FloatKit, m: Scalar, window: readonly Scalar[]): Product {
  const [w0, w1, w2] = window as [Scalar, Scalar, Scalar];
  const low = f.mul(m, w1);
  const sum = f.add(low, f.binary("mulhi", m, w2));
  const carry = f.b.convert(f.compare("lt", sum, low), f.format.word);
  return { high: f.add(f.add(f.mul(m, w0), f.binary("mulhi", m, w1)), carry), low: sum };
}

/** Schoolbook product in limbs of 32 bits, each row with its carry in a 64-bit word. */
function multiply64(f: FloatKit, m: Scalar, window: readonly Scalar[]): Product {
  const mask = f.word(0xffffffffn);
  const limbs = [...window]
    .reverse()
    .flatMap((word) => [f.and(word, mask), f.shiftRight(word, 32)]);
  const product: Scalar[] = limbs.map(() => f.word(0));
  for (const [offset, digit] of [f.and(m, mask), f.shiftRight(m, 32)].entries()) {
    let carry = f.word(0);
    for (let i = offset; i < limbs.length; i++) {
      const partial = f.mul(digit, limbs[i - offset] as Scalar);
      const total = f.add(f.add(partial, product[i] as Scalar), carry);
      product[i] = f.and(total, mask);
      carry = f.shiftRight(total, 32);
    }
  }
  const join = (high: number): Scalar =>
    f.or(f.shiftLeft(product[high] as Scalar, 32), product[high - 1] as Scalar);
  return { high: join(5), low: join(3) };
}

/**
 * Reduces |x| by `unit`, for |x| ≥ 2^10; `offset` (a multiple of ½) is added to |x|/π first.
 * Where x is Inf or NaN the result means nothing.
 */
export function reduceFar(f: FloatKit, x: Scalar, unit: "π" | "π/2", offset = 0): FarReduction {
  const { bits, bias, fractionBits, word, int } = f.format;
  const pattern = f.asInt(f.abs(x));
  const exponent = f.add(f.shiftRight(pattern, fractionBits), f.int(-bias - fractionBits));
  const hidden = 1n << BigInt(fractionBits);
  const m = f.b.convert(f.or(f.and(pattern, f.int(hidden - 1n)), f.int(hidden)), word);
  const window = windowAt(f, exponent);
  const product = bits === 32 ? multiply32(f, m, window) : multiply64(f, m, window);

  const whole = unit === "π" ? 1 : 2;
  const added = BigInt(Math.round(offset * 2)) << BigInt(bits - 2);
  const high = added === 0n ? product.high : f.add(product.high, f.word(added));
  // The fraction of the unit as a signed number of two words: what is ½ or more counts down to the next n.
  const half = f.word(1n << BigInt(bits - 1 - whole));
  const n = f.b.convert(f.shiftRight(f.add(high, half), bits - whole), int);
  const upper = f.or(f.shiftLeft(high, whole), f.shiftRight(product.low, bits - whole));
  const sign = f.shiftRight(f.b.convert(upper, int), bits - 1);
  const ones = f.b.convert(sign, word);
  const magnitude = [upper, f.shiftLeft(product.low, whole)].map((w) => f.binary("xor", w, ones));
  const r = timesUnit(f, magnitude as [Scalar, Scalar], unit === "π" ? 0 : 1);
  return { n, r: f.select(f.compare("lt", sign, f.int(0)), f.neg(r), r) };
}

const piInTwo: PerFormat<readonly [number, number]> = {
  float32: cut(piBits(120), 120, [12, 24]) as [number, number],
  float64: cut(piBits(120), 120, [26, 53]) as [number, number],
};

/** fraction·π·2^−halvings: the leading half word times π in two pieces, then what is below it. */
function timesUnit(f: FloatKit, [high, low]: [Scalar, Scalar], halvings: 0 | 1): Scalar {
  const { bits, fractionBits } = f.format;
  const digits = Math.floor((fractionBits + 1) / 2);
  const top = f.word(-(1n << BigInt(bits - 1 - digits)));
  const leading = f.toFloat(f.and(high, top));
  const rest = f.toFloat(f.and(high, f.b.unary("not", top)));
  const below = f.times(f.toFloat(low), 2 ** -bits);
  const scale = 2 ** (-bits - halvings);
  const [pi0, pi1] = f.pick(piInTwo);
  const second = f.add(f.times(leading, pi1 * scale), f.times(f.add(rest, below), Math.PI * scale));
  return f.add(f.times(leading, pi0 * scale), second);
}

/**
 * Lists of integers as index expressions: which lane of a pack, or which offset of a window, the k-th
 * sibling takes. Unrolled loops leave regular lists behind: affine ones, nested ones (k floordiv c and
 * k mod c), rotations, and butterflies, where bits of k are flipped or trade places.
 */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";

/** An expression e of axis 0 with e(k) = list[k] for every k, or undefined where none is found. */
export function expressionOf(list: readonly number[]): IndexExpr | undefined {
  const at = ix.axis(0, list.length);
  return flipped(list, at) ?? mixedRadix(list, at) ?? bitwise(list, at) ?? rotated(list, at);
}

export const isIdentity = (list: readonly number[]): boolean => list.every((n, k) => n === k);

/** Whether every bit of list[k] is a bit of k, the same for all k, or turned over, or always the same. */
export function isPlain(list: readonly number[]): boolean {
  const masks = masksOf(list);
  return masks?.every((mask) => (mask & (mask - 1)) === 0) ?? false;
}

/** What each bit of k changes in list[k]; undefined where that is not the same for all k. */
function masksOf(list: readonly number[]): readonly number[] | undefined {
  const count = Math.log2(list.length);
  if (!Number.isInteger(count) || list.some((n) => n < 0 || n >= 2 ** 24)) return undefined;
  const first = list[0] as number;
  const masks = Array.from({ length: count }, (_, j) => (list[1 << j] as number) ^ first);
  for (let k = 1; k < list.length; k += 1) {
    const lowest = 31 - Math.clz32(k & -k);
    if (list[k] !== ((list[k & (k - 1)] as number) ^ (masks[lowest] as number))) return undefined;
  }
  return masks;
}

/** k xor c. */
function flipped(list: readonly number[], at: IndexExpr): IndexExpr | undefined {
  const mask = list[0] as number;
  if (mask <= 0 || mask >= 2 ** 31 || !Number.isInteger(Math.log2(list.length))) return undefined;
  return list.every((n, k) => n === (k ^ mask)) ? ix.xor(at, ix.constant(mask)) : undefined;
}

/** list[0] + Σ stride·digit, over the digits of k in some mixed radix. */
function mixedRadix(list: readonly number[], at: IndexExpr): IndexExpr | undefined {
  const parts: IndexExpr[] = [ix.constant(list[0] as number)];
  let starts = list;
  let unit = 1;
  while (starts.length > 1) {
    const extent = evenRun(starts);
    if (extent === undefined) return undefined;
    const step = (starts[1] as number) - (starts[0] as number);
    const digit = ix.mod(ix.floordiv(at, unit), extent);
    parts.push(ix.mul(digit, step));
    starts = starts.filter((_, k) => k % extent === 0);
    unit *= extent;
  }
  return ix.add(...parts);
}

/** The longest length of even steps into which the whole list can be cut, all of them with the same step. */
function evenRun(list: readonly number[]): number | undefined {
  const step = (list[1] as number) - (list[0] as number);
  let longest = 1;
  while (longest < list.length && list[longest] === (list[0] as number) + longest * step) {
    longest += 1;
  }
  for (let extent = longest; extent > 1; extent -= 1) {
    if (list.length % extent !== 0) continue;
    const even = list.every((n, k) => {
      const digit = k % extent;
      return n === (list[k - digit] as number) + digit * step;
    });
    if (even) return extent;
  }
  return undefined;
}

/** Every bit of list[k] is the parity of some bits of k, turned over or not: exchanges of exchanged tiles. */
function bitwise(list: readonly number[], at: IndexExpr): IndexExpr | undefined {
  const masks = masksOf(list);
  if (masks === undefined) return undefined;
  const parts: IndexExpr[] = [];
  for (let bit = 1; bit < 2 ** 24; bit *= 2) {
    const digits = masks.flatMap((mask, j) =>
      (mask & bit) === 0 ? [] : [ix.mod(ix.floordiv(at, 2 ** j), 2)],
    );
    if (digits.length > 0) parts.push(ix.mul(ix.mod(ix.add(...digits), 2), bit));
  }
  return ix.xor(ix.add(...parts), ix.constant(list[0] as number));
}

/** list[k] = first + step·((k + turn) mod n): a neighbour, round the corner. */
function rotated(list: readonly number[], at: IndexExpr): IndexExpr | undefined {
  const count = list.length;
  const step = (list.at(-1) as number) - (list.at(-2) as number);
  const other = (list[1] as number) - (list[0] as number);
  for (const each of step === other ? [step] : [step, other]) {
    if (each === 0) continue;
    const first = list.reduce((p, q) => (each > 0 ? Math.min(p, q) : Math.max(p, q)));
    const turn = ((list[0] as number) - first) / each;
    if (list.every((n, k) => n === first + each * ((k + turn) % count))) {
      const turned = ix.mod(ix.add(at, ix.constant(turn)), count);
      return ix.add(ix.constant(first), ix.mul(turned, each));
    }
  }
  return undefined;
}

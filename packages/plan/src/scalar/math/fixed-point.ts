/**
 * π and ln 2 to any number of bits, from their series in exact integer arithmetic.
 *
 * Range reduction needs these constants in pieces that no decimal literal could be checked against,
 * so the pieces are cut from the number itself: π = 16 atan(1/5) − 4 atan(1/239) (Machin, 1706) and
 * ln 2 = 2 atanh(1/3).
 */

/** Σ ±1/((2k+1)·x^(2k+1)) with `bits` fraction bits: atan(1/x) for sign −1, atanh(1/x) for +1. */
function inverseTangent(x: bigint, sign: 1n | -1n, bits: bigint): bigint {
  let power = (1n << bits) / x;
  let sum = 0n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += power / k;
    power = (sign * power) / (x * x);
  }
  return sum;
}

const guard = 16n;

/** ⌊π·2^bits⌉, to within a unit in the last place. */
export function piBits(bits: number): bigint {
  const inner = BigInt(bits) + guard;
  const pi = 16n * inverseTangent(5n, -1n, inner) - 4n * inverseTangent(239n, -1n, inner);
  return pi >> guard;
}

/** ⌊ln 2·2^bits⌉, to within a unit in the last place. */
export const ln2Bits = (bits: number): bigint =>
  (2n * inverseTangent(3n, 1n, BigInt(bits) + guard)) >> guard;

/**
 * Cuts value·2^−bits into a sum of floats, the i-th holding the next `widths[i]` significant bits;
 * what lies below the last is rounded into it.
 */
export function cut(value: bigint, bits: number, widths: readonly number[]): number[] {
  const parts: number[] = [];
  let rest = value;
  let end = value.toString(2).length;
  for (const [i, width] of widths.entries()) {
    const last = i === widths.length - 1;
    end -= width;
    const unit = BigInt(Math.max(end, 0));
    const half = last && unit > 0n ? 1n << (unit - 1n) : 0n;
    const kept = ((rest + half) >> unit) << unit;
    // `kept` has at most 53 significant bits, so both steps are exact.
    parts.push(Number(kept >> unit) * 2 ** (Number(unit) - bits));
    rest -= kept;
  }
  return parts;
}

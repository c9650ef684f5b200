/** Ranges of integers whose bits are flipped. */

/** The smallest 2^k − 1 that is not below n; a logarithm would round beyond 2^47. */
export function allOnes(n: number): number {
  let power = 1;
  while (power <= n) power *= 2;
  return power - 1;
}

/** Least and greatest x xor `flips` for lo ≤ x ≤ hi: each bit as wished where the range has such an x. */
export function flippedRange(lo: number, hi: number, flips: number): { lo: number; hi: number } {
  const reach = (wish: 0 | 1): number => {
    let chosen = 0;
    let result = 0;
    for (let unit = (allOnes(Math.max(hi, flips)) + 1) / 2; unit >= 1; unit /= 2) {
      const flip = Math.floor(flips / unit) % 2;
      const first = chosen + (flip === wish ? 0 : unit);
      const possible = first <= hi && first + unit - 1 >= lo;
      const taken = possible ? first : chosen + (first === chosen ? unit : 0);
      if (possible === (wish === 1)) result += unit;
      chosen = taken;
    }
    return result;
  };
  return { lo: reach(0), hi: reach(1) };
}

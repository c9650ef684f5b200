/**
 * Index expressions: integer arithmetic over the axes of a kernel, kept in a canonical linear form.
 *
 * Every leaf carries its own range, so an expression can be simplified, bounded and compared
 * without any context. Sums are flat (`terms` sorted by key, one entry an atom), which makes
 * "are these two index maps the same" a string comparison and lets `x - x` and
 * `(e floordiv c)*c + e mod c` cancel by themselves. The rules are those of quasi-affine maps as
 * in Halide's simplifier and MLIR's affine dialect; each is valid over all of ℤ or states its range.
 */
import {
  binaryNode,
  constant,
  divisionNode,
  type IndexDivision,
  type IndexExpr,
  type IndexLeaf,
  type IndexTerm,
  sumNode,
  zero,
} from "./nodes.ts";
import { Terms } from "./terms.ts";

export * from "./nodes.ts";

// ── Sums ────────────────────────────────────────────────────────────────────────────────────

function addScaled(into: Terms, e: IndexExpr, factor: number): void {
  if (e.k === "const") {
    into.constant += factor * e.value;
  } else if (e.k === "sum") {
    into.constant += factor * e.constant;
    const { terms } = e;
    for (let i = 0; i < terms.length; i += 1) {
      const term = terms[i] as IndexTerm;
      into.add(term.of, factor * term.factor);
    }
  } else {
    into.add(e, factor);
  }
}

/**
 * Rejoins quotient and remainder:
 *   f·(e mod c) + f·c·(e floordiv c)           → f·e
 *   f·(e mod c) + f·c·((e floordiv c) mod d)   → f·(e mod c·d)
 */
function rejoin(into: Terms): boolean {
  for (const { factor, of: remainder } of into.list) {
    if (remainder.k !== "mod") continue;
    const quotient = floordiv(remainder.of, remainder.by);
    const wanted = factor * remainder.by;
    if (quotient.k !== "const" && quotient.k !== "sum") {
      if (into.factorOf(quotient.key) === wanted) {
        into.delete(quotient.key);
        into.delete(remainder.key);
        addScaled(into, remainder.of, factor);
        return true;
      }
    } else if (quotient.k === "sum") {
      // The quotient was itself split into a sum: look for all of its terms.
      if (quotient.terms.every((t) => into.factorOf(t.of.key) === wanted * t.factor)) {
        into.delete(remainder.key);
        addScaled(into, quotient, -wanted);
        addScaled(into, remainder.of, factor);
        return true;
      }
    }
    if (rejoinFlipped(into, factor, remainder, quotient)) return true;
    for (const { factor: outer, of: upper } of into.list) {
      if (upper.k === "mod" && outer === wanted && upper.of.key === quotient.key) {
        into.delete(upper.key);
        into.delete(remainder.key);
        addScaled(into, mod(remainder.of, remainder.by * upper.by), factor);
        return true;
      }
    }
  }
  return false;
}

/**
 * The same where a bit is flipped, as by reversing a dimension of two:
 *   −f·(e mod c) + f·(c−1) + f·c·(e floordiv c)   → f·(e xor c−1)      for a power of two c
 *   f·(e mod c) + f·c·((e floordiv c) xor k)      → f·(e xor c·k)      the same
 *   f·(e mod c) − f·c·(e floordiv c) + f·c        → f·(e xor c)        where e floordiv c is 0 or 1
 */
function rejoinFlipped(
  into: Terms,
  factor: number,
  remainder: IndexDivision,
  quotient: IndexExpr,
): boolean {
  const { of: e, by } = remainder;
  if (e.lo < 0) return false;
  if (!isPowerOfTwo(by)) return false;
  if (factor < 0 && into.constant >= -factor * (by - 1) && quotient.k !== "const") {
    const parts = quotient.k === "sum" ? quotient.terms : [{ factor: 1, of: quotient }];
    const wanted = -by * factor;
    const joins =
      (quotient.k !== "sum" || quotient.constant === 0) &&
      parts.every((t) => into.factorOf(t.of.key) === wanted * t.factor);
    if (joins) {
      into.delete(remainder.key);
      addScaled(into, quotient, -wanted);
      into.constant += factor * (by - 1);
      addScaled(into, xor(e, constant(by - 1)), -factor);
      return true;
    }
  }
  const flipsTop =
    quotient.k !== "const" &&
    quotient.k !== "sum" &&
    quotient.lo >= 0 &&
    quotient.hi <= 1 &&
    factor > 0 &&
    into.constant >= factor * by &&
    into.factorOf(quotient.key) === -factor * by;
  if (flipsTop) {
    into.delete(quotient.key);
    into.delete(remainder.key);
    into.constant -= factor * by;
    addScaled(into, xor(e, constant(by)), factor);
    return true;
  }
  for (const { factor: outer, of: upper } of into.list) {
    if (upper.k !== "xor" || upper.b.k !== "const" || outer !== factor * by) continue;
    if (upper.a.key !== quotient.key) continue;
    into.delete(upper.key);
    into.delete(remainder.key);
    addScaled(into, xor(e, constant(upper.b.value * by)), factor);
    return true;
  }
  return false;
}

/** f·((e mod c) xor k) + f·c·(e floordiv c) → f·(e xor k), for a power of two c > k. */
function rejoinXor(into: Terms): boolean {
  for (const { factor, of } of into.list) {
    if (of.k !== "xor" || of.a.k !== "mod" || of.b.k !== "const") continue;
    const { of: e, by } = of.a;
    if (!isPowerOfTwo(by) || of.b.value >= by || e.lo < 0) continue;
    const quotient = floordiv(e, by);
    if (quotient.k === "const") continue;
    const parts = quotient.k === "sum" ? quotient.terms : [{ factor: 1, of: quotient }];
    if (quotient.k === "sum" && quotient.constant !== 0) continue;
    if (!parts.every((t) => into.factorOf(t.of.key) === factor * by * t.factor)) continue;
    into.delete(of.key);
    addScaled(into, quotient, -factor * by);
    addScaled(into, xor(e, of.b), factor);
    return true;
  }
  return false;
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

function finish(into: Terms): IndexExpr {
  while (
    into.list.length > 1 &&
    ((into.hasMod && rejoin(into)) || (into.hasXor && rejoinXor(into)))
  );
  if (into.list.length === 0) return constant(into.constant);
  const first = into.list[0] as IndexTerm;
  if (into.list.length === 1 && first.factor === 1 && into.constant === 0) return first.of;
  return sumNode(into.sorted(), into.constant);
}

export function add(...parts: readonly IndexExpr[]): IndexExpr {
  const into = new Terms(0);
  for (let i = 0; i < parts.length; i += 1) addScaled(into, parts[i] as IndexExpr, 1);
  return finish(into);
}

/** e·factor; the factor is an integer of either sign. */
export function mul(e: IndexExpr, factor: number): IndexExpr {
  if (factor === 1) return e;
  if (factor === 0) return zero;
  if (e.k === "const") return constant(factor * e.value);
  if (e.k !== "sum") return sumNode([{ factor, of: e }], 0);
  const into = new Terms(0);
  addScaled(into, e, factor);
  return finish(into);
}

export const sub = (a: IndexExpr, b: IndexExpr): IndexExpr => add(a, mul(b, -1));

// ── Division ────────────────────────────────────────────────────────────────────────────────

export function gcd(a: number, b: number): number {
  let x = Math.abs(a);
  let y = Math.abs(b);
  while (y !== 0) {
    const rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}

function sum(terms: readonly IndexTerm[], constantPart: number): IndexExpr {
  const into = new Terms(constantPart);
  for (let i = 0; i < terms.length; i += 1) {
    const { factor, of } = terms[i] as IndexTerm;
    into.add(of, factor);
  }
  return finish(into);
}

/** Writes e as unit·high + low with 0 ≤ low < unit, for the largest unit > 1 dividing `by` that allows it. */
function splitByUnit(
  e: IndexExpr,
  by: number,
): { unit: number; high: IndexExpr; low: IndexExpr } | undefined {
  // An atom, or several that share nothing with `by`, cannot be split.
  if (e.k !== "sum") return undefined;
  const { terms } = e;
  const units: number[] = [];
  for (let i = 0; i < terms.length; i += 1) {
    const unit = gcd((terms[i] as IndexTerm).factor, by);
    if (unit > 1 && !units.includes(unit)) units.push(unit);
  }
  for (const unit of units.sort((p, q) => q - p)) {
    const high: IndexTerm[] = [];
    const low: IndexTerm[] = [];
    for (const term of terms) {
      if (term.factor % unit === 0) high.push({ factor: term.factor / unit, of: term.of });
      else low.push(term);
    }
    const rest = e.constant;
    const lowConstant = ((rest % unit) + unit) % unit;
    const lowPart = sum(low, lowConstant);
    if (lowPart.lo < 0 || lowPart.hi >= unit) continue;
    return { unit, high: sum(high, (rest - lowConstant) / unit), low: lowPart };
  }
  return undefined;
}

/** Takes the multiples of `by` out of e: e = by·whole + rest. */
function takeMultiples(e: IndexExpr, by: number): { whole: IndexExpr; rest: IndexExpr } {
  if (e.k !== "sum") return { whole: zero, rest: e };
  const whole: IndexTerm[] = [];
  const rest: IndexTerm[] = [];
  for (let i = 0; i < e.terms.length; i += 1) {
    const term = e.terms[i] as IndexTerm;
    if (term.factor % by === 0) whole.push({ factor: term.factor / by, of: term.of });
    else rest.push(term);
  }
  const quotient = Math.floor(e.constant / by);
  return {
    whole: sum(whole, quotient),
    rest: sum(rest, e.constant - quotient * by),
  };
}

export function floordiv(e: IndexExpr, by: number): IndexExpr {
  if (by === 1) return e;
  if (e.k === "const") return constant(Math.floor(e.value / by));
  const { whole, rest } = takeMultiples(e, by);
  const low = Math.floor(rest.lo / by);
  if (low === Math.floor(rest.hi / by)) return add(whole, constant(low));
  if (whole.k !== "const" || whole.value !== 0) return add(whole, floordiv(rest, by));
  const split = splitByUnit(rest, by);
  if (split !== undefined) return floordiv(split.high, by / split.unit);
  if (rest.k === "floordiv") return floordiv(rest.of, rest.by * by);
  if (rest.k === "mod" && rest.by % by === 0) return mod(floordiv(rest.of, by), rest.by / by);
  return divisionNode("floordiv", rest, by);
}

export function mod(e: IndexExpr, by: number): IndexExpr {
  if (by === 1) return zero;
  if (e.k === "const") return constant(((e.value % by) + by) % by);
  const { rest } = takeMultiples(e, by);
  const low = Math.floor(rest.lo / by);
  if (low === Math.floor(rest.hi / by)) return add(rest, constant(-low * by));
  const split = splitByUnit(rest, by);
  if (split !== undefined) {
    return add(mul(mod(split.high, by / split.unit), split.unit), split.low);
  }
  if (rest.k === "mod" && rest.by % by === 0) return mod(rest.of, by);
  return divisionNode("mod", rest, by);
}

// ── Bounds and bits ─────────────────────────────────────────────────────────────────────────

export function min(a: IndexExpr, b: IndexExpr): IndexExpr {
  if (a.hi <= b.lo) return a;
  if (b.hi <= a.lo) return b;
  if (a.key === b.key) return a;
  if (a.k === "const") return min(b, a);
  return binaryNode("min", a, b);
}

export function max(a: IndexExpr, b: IndexExpr): IndexExpr {
  if (a.lo >= b.hi) return a;
  if (b.lo >= a.hi) return b;
  if (a.key === b.key) return a;
  if (a.k === "const") return max(b, a);
  return binaryNode("max", a, b);
}

export const clamp = (e: IndexExpr, lo: number, hi: number): IndexExpr =>
  min(max(e, constant(lo)), constant(hi));

/** The bits above the lowest `unit` that all numbers of the range share. */
function fixedBits({ lo, hi }: IndexExpr): { base: number; unit: number } {
  let unit = 1;
  while (Math.floor(lo / unit) !== Math.floor(hi / unit)) unit *= 2;
  return { base: Math.floor(lo / unit) * unit, unit };
}

function requireNonNegative(op: string, ...operands: readonly IndexExpr[]): void {
  for (const { lo, key } of operands) {
    if (lo < 0) throw new RangeError(`index ${op} of an operand that may be negative: ${key}`);
  }
}

export function xor(a: IndexExpr, b: IndexExpr): IndexExpr {
  requireNonNegative("xor", a, b);
  if (a.k === "const") {
    if (b.k === "const") return constant(Number(BigInt(a.value) ^ BigInt(b.value)));
    return xor(b, a);
  }
  if (b.k === "const") {
    if (b.value === 0) return a;
    if (a.k === "xor" && a.b.k === "const") return xor(a.a, xor(a.b, b));
    // Bits below the unit and bits above it do not meet: split where both sides allow it.
    const split = splitByUnit(a, 2 ** 40);
    if (split !== undefined) {
      const low = b.value % split.unit;
      return add(
        mul(xor(split.high, constant((b.value - low) / split.unit)), split.unit),
        xor(split.low, constant(low)),
      );
    }
    const { base, unit } = fixedBits(a);
    const low = b.value % unit;
    const high = Number(BigInt(base) ^ BigInt(b.value - low));
    // All bits flipped: the range backwards.
    if (low === unit - 1) return sub(constant(high + base + low), a);
    if (base !== 0 || high !== 0)
      return add(constant(high), xor(sub(a, constant(base)), constant(low)));
  }
  if (a.key === b.key) return zero;
  return binaryNode("xor", a, b);
}

export function and(a: IndexExpr, b: IndexExpr): IndexExpr {
  requireNonNegative("and", a, b);
  if (a.k === "const") {
    if (b.k === "const") return constant(Number(BigInt(a.value) & BigInt(b.value)));
    return and(b, a);
  }
  if (b.k === "const") {
    if (b.value === 0) return zero;
    if (isPowerOfTwo(b.value + 1)) return mod(a, b.value + 1);
    if (isPowerOfTwo(b.value)) {
      const bit = mod(floordiv(a, b.value), 2);
      if (bit.k === "const") return constant(bit.value * b.value);
    }
  }
  if (a.key === b.key) return a;
  return binaryNode("and", a, b);
}

/** A coordinate that is looked at only where a guard keeps it from being negative. */
const natural = (e: IndexExpr): IndexExpr => (e.lo < 0 ? max(e, zero) : e);

// ── Walking ─────────────────────────────────────────────────────────────────────────────────

/** Rebuilds `e` with every leaf replaced; the result is simplified again on the way up. */
export function substitute(e: IndexExpr, leaf: (leaf: IndexLeaf) => IndexExpr): IndexExpr {
  switch (e.k) {
    case "const":
      return e;
    case "axis":
    case "loop":
    case "value":
      return leaf(e);
    case "sum": {
      const into = new Terms(e.constant);
      const { terms } = e;
      for (let i = 0; i < terms.length; i += 1) {
        const { factor, of } = terms[i] as IndexTerm;
        addScaled(into, substitute(of, leaf), factor);
      }
      return finish(into);
    }
    case "floordiv":
      return floordiv(substitute(e.of, leaf), e.by);
    case "mod":
      return mod(substitute(e.of, leaf), e.by);
    case "min":
      return min(substitute(e.a, leaf), substitute(e.b, leaf));
    case "max":
      return max(substitute(e.a, leaf), substitute(e.b, leaf));
    case "xor":
      return xor(natural(substitute(e.a, leaf)), natural(substitute(e.b, leaf)));
    case "and":
      return and(natural(substitute(e.a, leaf)), natural(substitute(e.b, leaf)));
    default:
      return e satisfies never;
  }
}

/** Replaces axis i by `by[i]`; loops and values stay. */
export const substituteAxes = (e: IndexExpr, by: readonly IndexExpr[]): IndexExpr =>
  substitute(e, (leaf) => (leaf.k === "axis" ? (by[leaf.axis] ?? leaf) : leaf));

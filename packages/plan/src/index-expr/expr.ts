/**
 * Index expressions: integer arithmetic over the axes of a kernel, kept in a canonical linear form.
 *
 * Every leaf carries its own range, so an expression can be simplified, bounded and compared
 * without any context. Sums are flat (`terms` sorted by key, one entry an atom), which makes
 * "are these two index maps the same" a string comparison and lets `x - x` and
 * `(e floordiv c)*c + e mod c` cancel by themselves. The rules are those of quasi-affine maps as
 * in Halide's simplifier and MLIR's affine dialect; each is valid over all of ℤ or states its range.
 */

export interface IndexConst {
  readonly k: "const";
  readonly value: number;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}
/** A coordinate of the kernel's domain, 0 ≤ axis < extent. */
export interface IndexAxis {
  readonly k: "axis";
  readonly axis: number;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}
/** The counter of an enclosing loop step; loop 0 is the outermost. */
export interface IndexLoop {
  readonly k: "loop";
  readonly loop: number;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}
/** An integer scalar of the same stage, known to lie in [lo, hi]: data-dependent indexing. */
export interface IndexValue {
  readonly k: "value";
  readonly node: number;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}
export interface IndexTerm {
  readonly factor: number;
  readonly of: IndexAtom;
}
/** Σ factor·atom + constant; at least one term, and not just one term with factor 1 and no constant. */
export interface IndexSum {
  readonly k: "sum";
  readonly terms: readonly IndexTerm[];
  readonly constant: number;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}
/** Rounds towards −∞ (floordiv) with the matching non-negative remainder (mod); `by` > 0. */
export interface IndexDivision {
  readonly k: "floordiv" | "mod";
  readonly of: IndexExpr;
  readonly by: number;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}
/** `xor` and `and` take non-negative operands only. */
export interface IndexBinary {
  readonly k: "min" | "max" | "xor" | "and";
  readonly a: IndexExpr;
  readonly b: IndexExpr;
  readonly lo: number;
  readonly hi: number;
  readonly key: string;
}

export type IndexLeaf = IndexAxis | IndexLoop | IndexValue;
export type IndexAtom = IndexLeaf | IndexDivision | IndexBinary;
export type IndexExpr = IndexConst | IndexAtom | IndexSum;

export function constant(integer: number): IndexConst {
  const value = integer + 0; // −0 is 0
  return { k: "const", value, lo: value, hi: value, key: `${value}` };
}

export const zero: IndexConst = constant(0);

/** Coordinate `axis` of a domain; an axis of extent 1 is the constant 0. */
export function axis(index: number, extent: number): IndexExpr {
  if (extent <= 1) return zero;
  return { k: "axis", axis: index, lo: 0, hi: extent - 1, key: `a${index}:${extent}` };
}

/** Counter of loop `index`, 0 ≤ counter < extent. */
export function loop(index: number, extent: number): IndexExpr {
  if (extent <= 1) return zero;
  return { k: "loop", loop: index, lo: 0, hi: extent - 1, key: `l${index}:${extent}` };
}

export function value(node: number, lo: number, hi: number): IndexExpr {
  if (lo === hi) return constant(lo);
  return { k: "value", node, lo, hi, key: `v${node}:${lo}:${hi}` };
}

// ── Sums ────────────────────────────────────────────────────────────────────────────────────

interface Linear {
  readonly terms: Map<string, IndexTerm>;
  constant: number;
  /** Whether a remainder, or an xor, was ever among the terms: only then is there anything to rejoin. */
  hasMod: boolean;
  hasXor: boolean;
}

const newLinear = (constantPart: number): Linear => ({
  terms: new Map(),
  constant: constantPart,
  hasMod: false,
  hasXor: false,
});

function addScaled(into: Linear, e: IndexExpr, factor: number): void {
  if (e.k === "const") {
    into.constant += factor * e.value;
  } else if (e.k === "sum") {
    into.constant += factor * e.constant;
    for (const term of e.terms) addTerm(into, term.of, factor * term.factor);
  } else {
    addTerm(into, e, factor);
  }
}

function addTerm(into: Linear, of: IndexAtom, factor: number): void {
  const total = (into.terms.get(of.key)?.factor ?? 0) + factor;
  if (total === 0) into.terms.delete(of.key);
  else into.terms.set(of.key, { factor: total, of });
  if (of.k === "mod") into.hasMod = true;
  else if (of.k === "xor") into.hasXor = true;
}

/**
 * Rejoins quotient and remainder:
 *   f·(e mod c) + f·c·(e floordiv c)           → f·e
 *   f·(e mod c) + f·c·((e floordiv c) mod d)   → f·(e mod c·d)
 */
function rejoin(into: Linear): boolean {
  for (const { factor, of: remainder } of into.terms.values()) {
    if (remainder.k !== "mod") continue;
    const quotient = floordiv(remainder.of, remainder.by);
    const wanted = factor * remainder.by;
    if (quotient.k !== "const" && quotient.k !== "sum") {
      if (into.terms.get(quotient.key)?.factor === wanted) {
        into.terms.delete(quotient.key);
        into.terms.delete(remainder.key);
        addScaled(into, remainder.of, factor);
        return true;
      }
    } else if (quotient.k === "sum") {
      // The quotient was itself split into a sum: look for all of its terms.
      if (quotient.terms.every((t) => into.terms.get(t.of.key)?.factor === wanted * t.factor)) {
        into.terms.delete(remainder.key);
        addScaled(into, quotient, -wanted);
        addScaled(into, remainder.of, factor);
        return true;
      }
    }
    if (rejoinFlipped(into, factor, remainder, quotient)) return true;
    for (const { factor: outer, of: upper } of into.terms.values()) {
      if (upper.k === "mod" && outer === wanted && upper.of.key === quotient.key) {
        into.terms.delete(upper.key);
        into.terms.delete(remainder.key);
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
  into: Linear,
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
      parts.every((t) => into.terms.get(t.of.key)?.factor === wanted * t.factor);
    if (joins) {
      into.terms.delete(remainder.key);
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
    into.terms.get(quotient.key)?.factor === -factor * by;
  if (flipsTop) {
    into.terms.delete(quotient.key);
    into.terms.delete(remainder.key);
    into.constant -= factor * by;
    addScaled(into, xor(e, constant(by)), factor);
    return true;
  }
  for (const { factor: outer, of: upper } of into.terms.values()) {
    if (upper.k !== "xor" || upper.b.k !== "const" || outer !== factor * by) continue;
    if (upper.a.key !== quotient.key) continue;
    into.terms.delete(upper.key);
    into.terms.delete(remainder.key);
    addScaled(into, xor(e, constant(upper.b.value * by)), factor);
    return true;
  }
  return false;
}

/** f·((e mod c) xor k) + f·c·(e floordiv c) → f·(e xor k), for a power of two c > k. */
function rejoinXor(into: Linear): boolean {
  for (const { factor, of } of into.terms.values()) {
    if (of.k !== "xor" || of.a.k !== "mod" || of.b.k !== "const") continue;
    const { of: e, by } = of.a;
    if (!isPowerOfTwo(by) || of.b.value >= by || e.lo < 0) continue;
    const quotient = floordiv(e, by);
    if (quotient.k === "const") continue;
    const parts = quotient.k === "sum" ? quotient.terms : [{ factor: 1, of: quotient }];
    if (quotient.k === "sum" && quotient.constant !== 0) continue;
    if (!parts.every((t) => into.terms.get(t.of.key)?.factor === factor * by * t.factor)) continue;
    into.terms.delete(of.key);
    addScaled(into, quotient, -factor * by);
    addScaled(into, xor(e, of.b), factor);
    return true;
  }
  return false;
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

function finish(into: Linear): IndexExpr {
  while (
    into.terms.size > 1 &&
    ((into.hasMod && rejoin(into)) || (into.hasXor && rejoinXor(into)))
  );
  if (into.terms.size === 0) return constant(into.constant);
  const terms = [...into.terms.values()];
  const first = terms[0] as IndexTerm;
  if (terms.length === 1 && first.factor === 1 && into.constant === 0) return first.of;
  terms.sort((p, q) => (p.of.key < q.of.key ? -1 : 1));
  return sumNode(terms, into.constant);
}

// ── Nodes as they are ───────────────────────────────────────────────────────────────────────
// Bounded but not simplified: for constructors, and for readers that check the form themselves.

/** Σ factor·atom + constantPart; terms ascend by key, and there is more to it than one bare atom. */
export function sumNode(terms: readonly IndexTerm[], constantPart: number): IndexSum {
  let lo = constantPart;
  let hi = constantPart;
  let key = "(";
  for (const { factor, of } of terms) {
    lo += factor * (factor > 0 ? of.lo : of.hi);
    hi += factor * (factor > 0 ? of.hi : of.lo);
    key += `${factor}*${of.key}+`;
  }
  return { k: "sum", terms, constant: constantPart, lo, hi, key: `${key}${constantPart})` };
}

export function divisionNode(k: "floordiv" | "mod", of: IndexExpr, by: number): IndexDivision {
  return k === "mod"
    ? { k, of, by, lo: 0, hi: by - 1, key: `m(${of.key},${by})` }
    : {
        k,
        of,
        by,
        lo: Math.floor(of.lo / by),
        hi: Math.floor(of.hi / by),
        key: `d(${of.key},${by})`,
      };
}

const binaryPrefix = { min: "min(", max: "max(", xor: "x(", and: "&(" } as const;

export function binaryNode(k: IndexBinary["k"], a: IndexExpr, b: IndexExpr): IndexBinary {
  const key = `${binaryPrefix[k]}${a.key},${b.key})`;
  switch (k) {
    case "min":
      return { k, a, b, lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi), key };
    case "max":
      return { k, a, b, lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi), key };
    case "xor":
      if (b.k === "const") return { k, a, b, ...flippedRange(a.lo, a.hi, b.value), key };
      return { k, a, b, lo: 0, hi: allOnes(Math.max(a.hi, b.hi)), key };
    case "and":
      return { k, a, b, lo: 0, hi: Math.min(a.hi, b.hi), key };
    default:
      return k satisfies never;
  }
}

export function add(...parts: readonly IndexExpr[]): IndexExpr {
  const into = newLinear(0);
  for (const part of parts) addScaled(into, part, 1);
  return finish(into);
}

/** e·factor; the factor is an integer of either sign. */
export function mul(e: IndexExpr, factor: number): IndexExpr {
  if (factor === 1) return e;
  if (factor === 0) return zero;
  if (e.k === "const") return constant(factor * e.value);
  if (e.k !== "sum") return sumNode([{ factor, of: e }], 0);
  const into = newLinear(0);
  addScaled(into, e, factor);
  return finish(into);
}

export const sub = (a: IndexExpr, b: IndexExpr): IndexExpr => add(a, mul(b, -1));

// ── Division ────────────────────────────────────────────────────────────────────────────────

export function gcd(a: number, b: number): number {
  let x = Math.abs(a);
  let y = Math.abs(b);
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

const termsOf = (e: IndexExpr): readonly IndexTerm[] =>
  e.k === "const" ? [] : e.k === "sum" ? e.terms : [{ factor: 1, of: e }];
const constantOf = (e: IndexExpr): number =>
  e.k === "const" ? e.value : e.k === "sum" ? e.constant : 0;

function sum(terms: readonly IndexTerm[], constantPart: number): IndexExpr {
  const into = newLinear(constantPart);
  for (const { factor, of } of terms) addTerm(into, of, factor);
  return finish(into);
}

/** Writes e as unit·high + low with 0 ≤ low < unit, for the largest unit > 1 dividing `by` that allows it. */
function splitByUnit(
  e: IndexExpr,
  by: number,
): { unit: number; high: IndexExpr; low: IndexExpr } | undefined {
  const terms = termsOf(e);
  const units = new Set<number>();
  for (const { factor } of terms) {
    const unit = gcd(factor, by);
    if (unit > 1) units.add(unit);
  }
  for (const unit of [...units].sort((p, q) => q - p)) {
    const high: IndexTerm[] = [];
    const low: IndexTerm[] = [];
    for (const term of terms) {
      if (term.factor % unit === 0) high.push({ factor: term.factor / unit, of: term.of });
      else low.push(term);
    }
    const rest = constantOf(e);
    const lowConstant = ((rest % unit) + unit) % unit;
    const lowPart = sum(low, lowConstant);
    if (lowPart.lo < 0 || lowPart.hi >= unit) continue;
    return { unit, high: sum(high, (rest - lowConstant) / unit), low: lowPart };
  }
  return undefined;
}

/** Takes the multiples of `by` out of e: e = by·whole + rest. */
function takeMultiples(e: IndexExpr, by: number): { whole: IndexExpr; rest: IndexExpr } {
  const whole: IndexTerm[] = [];
  const rest: IndexTerm[] = [];
  for (const term of termsOf(e)) {
    if (term.factor % by === 0) whole.push({ factor: term.factor / by, of: term.of });
    else rest.push(term);
  }
  const quotient = Math.floor(constantOf(e) / by);
  return {
    whole: sum(whole, quotient),
    rest: sum(rest, constantOf(e) - quotient * by),
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

/** The smallest 2^k − 1 that is not below n; a logarithm would round beyond 2^47. */
function allOnes(n: number): number {
  let power = 1;
  while (power <= n) power *= 2;
  return power - 1;
}

/** Least and greatest x xor `flips` for lo ≤ x ≤ hi: each bit as wished where the range has such an x. */
function flippedRange(lo: number, hi: number, flips: number): { lo: number; hi: number } {
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
      const into = newLinear(e.constant);
      for (const { factor, of } of e.terms) addScaled(into, substitute(of, leaf), factor);
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

/**
 * The nodes of index expressions, and how to make them as they are: bounded but not simplified, for the algebra of expr.ts and
 * for readers that check the form themselves.
 */
import { allOnes, flippedRange } from "./ranges.ts";

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

/** Σ factor·atom + constantPart; terms ascend by key, and there is more to it than one bare atom. */
export function sumNode(terms: readonly IndexTerm[], constantPart: number): IndexSum {
  let lo = constantPart;
  let hi = constantPart;
  let key = "(";
  for (let i = 0; i < terms.length; i += 1) {
    const { factor, of } = terms[i] as IndexTerm;
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

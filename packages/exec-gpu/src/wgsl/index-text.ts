/**
 * Index expressions as WGSL `i32` arithmetic.
 *
 * Sums and products may wrap on the way, as long as what is divided, compared or used as an index
 * fits; that is checked here, once, from the ranges that expressions carry.
 */
import { CapabilityError } from "@gridfuse/plan";
import type { IndexAtom, IndexExpr } from "@gridfuse/plan/index-expr";
import { i32Literal } from "./value.ts";

/** How the leaves are called in the shader. */
export interface IndexNames {
  axis(axis: number): string;
  /** A scalar node as an `i32`. */
  value(node: number): string;
}

function requireRange(lo: number, hi: number): void {
  if (lo >= -(2 ** 31) && hi < 2 ** 31) return;
  throw new CapabilityError("GF5202", `an index takes values in [${lo}, ${hi}]`, {
    expected: "32-bit indices",
    received: [lo, hi],
    help: "WGSL has 32-bit integers only; run this plan on the CPU executor.",
  });
}

/** `e` as an expression of type `i32` that is exact, not just equal modulo 2^32. */
export function indexText(e: IndexExpr, names: IndexNames): string {
  requireRange(e.lo, e.hi);
  return wrappingIndexText(e, names);
}

/** `e` modulo 2^32. */
export function wrappingIndexText(e: IndexExpr, names: IndexNames): string {
  switch (e.k) {
    case "const":
      return i32Literal(e.value | 0);
    case "sum":
      return sumText(e.terms, e.constant, names);
    default:
      return atomText(e, names);
  }
}

function sumText(
  terms: readonly { readonly factor: number; readonly of: IndexAtom }[],
  constant: number,
  names: IndexNames,
): string {
  const parts = terms.map(({ factor, of }) => {
    const text = atomText(of, names);
    return factor === 1 ? text : `${text} * ${i32Literal(factor | 0)}`;
  });
  if (constant !== 0) parts.push(i32Literal(constant | 0));
  return parts.length === 1 ? `(${parts[0]})` : `(${parts.join(" + ")})`;
}

function atomText(e: IndexAtom, names: IndexNames): string {
  switch (e.k) {
    case "axis":
      return names.axis(e.axis);
    case "loop":
      return `params.loop${e.loop}`;
    case "value":
      return names.value(e.node);
    case "floordiv":
      return floordivText(indexText(e.of, names), e.of.lo, e.by);
    case "mod":
      return modText(indexText(e.of, names), e.of.lo, e.by);
    case "min":
    case "max":
      return `${e.k}(${indexText(e.a, names)}, ${indexText(e.b, names)})`;
    case "and":
      return `(${indexText(e.a, names)} & ${indexText(e.b, names)})`;
    case "xor":
      return `(${indexText(e.a, names)} ^ ${indexText(e.b, names)})`;
    default:
      return e satisfies never;
  }
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

/** Rounds down: by a shift, which does so for negative numbers too, or where nothing is negative. */
function floordivText(of: string, lo: number, by: number): string {
  requireRange(0, by);
  if (isPowerOfTwo(by)) return `(${of} >> ${Math.log2(by)}u)`;
  return lo >= 0 ? `(${of} / ${by}i)` : `floor_div(${of}, ${by}i)`;
}

function modText(of: string, lo: number, by: number): string {
  requireRange(0, by);
  if (isPowerOfTwo(by)) return `(${of} & ${i32Literal(by - 1)})`;
  return lo >= 0 ? `(${of} % ${by}i)` : `(${of} - floor_div(${of}, ${by}i) * ${by}i)`;
}

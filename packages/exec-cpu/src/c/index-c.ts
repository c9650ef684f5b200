/**
 * Index expressions as C: 64-bit sums of axes, which compilers see through when they look for neighbouring elements, and
 * 32-bit unsigned arithmetic, which wraps and has lanes for division, wherever a value that fits is all that counts.
 */
import { forEachLeaf, type IndexExpr } from "@gridfuse/plan/index-expr";

/** How the leaves of index expressions are written. */
export interface IndexNames {
  axis(axis: number): string;
  value(node: number): string;
}

export const loopName = (loop: number): string => `L[${loop}]`;

const fitsWord = ({ lo, hi }: IndexExpr): boolean => lo >= 0 && hi < 2 ** 32;
const fitsInt = ({ lo, hi }: IndexExpr): boolean => lo >= 0 && hi < 2 ** 31;

/** e as a `long`. */
export function indexC(e: IndexExpr, names: IndexNames): string {
  switch (e.k) {
    case "const":
      return `${e.value}L`;
    case "axis":
      return names.axis(e.axis);
    case "loop":
      return loopName(e.loop);
    case "value":
      return fitsInt(e) ? `(int)${names.value(e.node)}` : `(long)${names.value(e.node)}`;
    case "sum": {
      // An int that is widened is what gathers take; a sum that is read through values alone stays one.
      if (fitsInt(e) && readsValues(e) && e.terms.every(({ of }) => isWordly(of))) {
        return `(int)${wordC(e, names)}`;
      }
      const terms = e.terms.map(({ factor, of }) =>
        factor === 1 ? indexC(of, names) : `${indexC(of, names)} * ${factor}L`,
      );
      return `(${[...terms, ...(e.constant === 0 ? [] : [`${e.constant}L`])].join(" + ")})`;
    }
    case "floordiv":
    case "mod":
      if (fitsWord(e.of) && isWordly(e.of)) return `(long)${wordC(e, names)}`;
      if (e.of.lo >= 0) return `(${indexC(e.of, names)} ${e.k === "mod" ? "%" : "/"} ${e.by}L)`;
      return `gf_${e.k}(${indexC(e.of, names)}, ${e.by}L)`;
    case "min":
    case "max":
      return `gf_${e.k}(${indexC(e.a, names)}, ${indexC(e.b, names)})`;
    case "xor":
    case "and":
      return `((long)${indexC(e.a, names)} ${e.k === "xor" ? "^" : "&"} (long)${indexC(e.b, names)})`;
    default:
      return e satisfies never;
  }
}

/** e as an `int`, where it fits one and has lanes there; else as a `long`. For comparisons. */
export function comparableC(e: IndexExpr, names: IndexNames): string {
  const fits = e.lo >= -(2 ** 31) && e.hi < 2 ** 31 && isWordly(e);
  return fits ? `(int)${wordC(e, names)}` : indexC(e, names);
}

/** e as a value of an integer type of `bits`, wrapped. */
export function wrappedC(e: IndexExpr, names: IndexNames, bits: number): string {
  return bits <= 32 && isWordly(e) ? wordC(e, names) : indexC(e, names);
}

function readsValues(e: IndexExpr): boolean {
  let found = false;
  forEachLeaf(e, ({ k }) => {
    if (k === "value") found = true;
  });
  return found;
}

/** Whether e modulo 2³² follows from its leaves modulo 2³²: what is divided or bounded must fit as it is. */
function isWordly(e: IndexExpr): boolean {
  switch (e.k) {
    case "const":
    case "axis":
    case "loop":
    case "value":
      return true;
    case "sum":
      return e.terms.every(({ of }) => isWordly(of));
    case "floordiv":
    case "mod":
      return fitsWord(e.of) && isWordly(e.of);
    case "min":
    case "max":
      return false;
    default:
      return fitsWord(e.a) && fitsWord(e.b) && isWordly(e.a) && isWordly(e.b);
  }
}

/** e modulo 2³² as a `uint32_t`. */
function wordC(e: IndexExpr, names: IndexNames): string {
  const word = (n: number): string => `${((n % 2 ** 32) + 2 ** 32) % 2 ** 32}u`;
  switch (e.k) {
    case "const":
      return word(e.value);
    case "axis":
      return `(uint32_t)${names.axis(e.axis)}`;
    case "loop":
      return `(uint32_t)${loopName(e.loop)}`;
    case "value":
      return `(uint32_t)${names.value(e.node)}`;
    case "sum": {
      const terms = e.terms.map(({ factor, of }) =>
        factor === 1 ? wordC(of, names) : `${wordC(of, names)} * ${word(factor)}`,
      );
      return `(${[...terms, ...(e.constant === 0 ? [] : [word(e.constant)])].join(" + ")})`;
    }
    case "floordiv":
    case "mod":
      return `(${wordC(e.of, names)} ${e.k === "mod" ? "%" : "/"} ${e.by}u)`;
    case "xor":
    case "and":
      return `(${wordC(e.a, names)} ${e.k === "xor" ? "^" : "&"} ${wordC(e.b, names)})`;
    default:
      throw new RangeError(`${e.k} is not a matter of 32 bits`);
  }
}

/**
 * What becomes of index expressions when axes get other numbers, or two become one. Kernels of one program have few shapes and
 * few expressions, and the same change is made to the same ones again and again: each is found once.
 */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";

export type IndexMap = (e: IndexExpr) => IndexExpr;

/** Expressions, of all maps together, that are kept at most. */
const mostKept = 2 ** 14;

/** Maps by what they do, which remember what they gave. */
class KnownMaps {
  readonly #byText = new Map<string, IndexMap>();
  #kept = 0;

  /** The map that `text` says all about. */
  of(text: string, make: () => IndexMap): IndexMap {
    if (this.#kept > mostKept) {
      this.#byText.clear();
      this.#kept = 0;
    }
    let map = this.#byText.get(text);
    if (map === undefined) {
      map = this.#remembered(make());
      this.#byText.set(text, map);
    }
    return map;
  }

  #remembered(map: IndexMap): IndexMap {
    const given = new Map<IndexExpr, IndexExpr>();
    return (e) => {
      if (e.k === "const") return e;
      let result = given.get(e);
      if (result === undefined) {
        result = map(e);
        given.set(e, result);
        this.#kept += 1;
      }
      return result;
    };
  }
}

const known = new KnownMaps();

/** Takes axis `axes[i]` to axis i; undefined where that changes nothing. */
export function renumbering(axes: readonly number[]): IndexMap | undefined {
  let isSame = true;
  for (let i = 0; i < axes.length; i += 1) if (axes[i] !== i) isSame = false;
  if (isSame) return undefined;
  return known.of(`renumbered ${axes.join()}`, () => {
    const numbers = new Map(axes.map((axis, i) => [axis, i]));
    return (e) =>
      ix.substitute(e, (leaf) =>
        leaf.k === "axis" ? ix.axis(numbers.get(leaf.axis) as number, leaf.hi + 1) : leaf,
      );
  });
}

/** Takes axes `at` and `at` + 1, of these extents, to one; those behind move up. */
export function merging(at: number, upper: number, lower: number): IndexMap {
  return known.of(`merged ${at} ${upper} ${lower}`, () => {
    const flat = ix.axis(at, upper * lower);
    const high = ix.floordiv(flat, lower);
    const low = ix.mod(flat, lower);
    return (e) =>
      ix.substitute(e, (leaf) => {
        if (leaf.k !== "axis" || leaf.axis < at) return leaf;
        if (leaf.axis === at) return high;
        if (leaf.axis === at + 1) return low;
        return ix.axis(leaf.axis - 1, leaf.hi + 1);
      });
  });
}

/** Takes one axis to a box of axes from there on, row-major; there is none behind it. */
export function cutting(axis: number, box: readonly number[]): IndexMap {
  return known.of(`cut ${axis} ${box.join()}`, () => {
    let flat: IndexExpr = ix.zero;
    for (const [d, extent] of box.entries()) {
      flat = ix.add(ix.mul(flat, extent), ix.axis(axis + d, extent));
    }
    return (e) =>
      ix.substitute(e, (leaf) => (leaf.k === "axis" && leaf.axis === axis ? flat : leaf));
  });
}

/** A sum under construction. */
import type { IndexAtom, IndexTerm } from "./nodes.ts";

/** Different atoms with their factors, in the order in which they came: few, so that a list is quicker than a map. */
export class Terms {
  readonly list: IndexTerm[];
  constant: number;
  /** Whether a remainder, or an xor, was ever among the terms: only then is there anything to rejoin. */
  hasMod: boolean;
  hasXor: boolean;

  constructor(constant: number) {
    this.list = [];
    this.constant = constant;
    this.hasMod = false;
    this.hasXor = false;
  }

  #placeOf(key: string): number {
    const { list } = this;
    for (let i = 0; i < list.length; i += 1) if (list[i]?.of.key === key) return i;
    return -1;
  }

  /** 0 for an atom that is not there. */
  factorOf(key: string): number {
    const at = this.#placeOf(key);
    return at < 0 ? 0 : (this.list[at] as IndexTerm).factor;
  }

  add(of: IndexAtom, factor: number): void {
    const { list } = this;
    if (of.k === "mod") this.hasMod = true;
    else if (of.k === "xor") this.hasXor = true;
    const at = list.length === 0 ? -1 : this.#placeOf(of.key);
    const total = at < 0 ? factor : (list[at] as IndexTerm).factor + factor;
    if (total === 0) {
      if (at >= 0) list.splice(at, 1);
    } else if (at < 0) {
      list.push({ factor, of });
    } else {
      list[at] = { factor: total, of };
    }
  }

  delete(key: string): void {
    const at = this.#placeOf(key);
    if (at >= 0) this.list.splice(at, 1);
  }

  /** The terms, ascending by key. They are few and mostly in order already. */
  sorted(): readonly IndexTerm[] {
    const { list } = this;
    for (let i = 1; i < list.length; i += 1) {
      const term = list[i] as IndexTerm;
      let at = i;
      while (at > 0 && (list[at - 1] as IndexTerm).of.key > term.of.key) {
        list[at] = list[at - 1] as IndexTerm;
        at -= 1;
      }
      list[at] = term;
    }
    return list;
  }
}

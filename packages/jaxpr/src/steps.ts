/**
 * What of a jaxpr need not become nodes. JAX traces what a program says: tiles that are treated alike compute the same
 * masks and indices each for itself, and values that nobody reads. Of equations that only compute, those are left out
 * here, before anything has been made of them.
 */
import type { ValueId } from "@gridfuse/graph";
import type { Eqn, Jaxpr } from "./format.ts";
import type { Results, Step } from "./importing.ts";

/** Without steps that only compute what nobody reads. */
export function withoutDead(jaxpr: Jaxpr, steps: readonly Step[]): readonly Step[] {
  const isRead: boolean[] = [];
  for (const atom of jaxpr.out) {
    if (typeof atom === "number") isRead[atom] = true;
    else if ("v" in atom) isRead[atom.v] = true;
  }
  const kept: Step[] = [];
  for (let k = steps.length - 1; k >= 0; k -= 1) {
    const step = steps[k] as Step;
    if (step.kind >= 0 && !step.outputs.some((variable) => isRead[variable])) continue;
    kept.push(step);
    markRead(step.eqn.i, isRead);
    if (step.kind < 0 && step.eqn.x !== undefined) markRead(step.eqn.x, isRead);
  }
  return kept.length === steps.length ? steps : kept.reverse();
}

/**
 * Marks the variables of operands. Where parameters name variables among other numbers, all of those are marked: of too
 * many read variables, none is lost.
 */
function markRead(found: unknown, isRead: boolean[]): void {
  if (typeof found === "number") {
    if (Number.isInteger(found) && found >= 0) isRead[found] = true;
  } else if (Array.isArray(found)) {
    for (const item of found) markRead(item, isRead);
  } else if (typeof found === "object" && found !== null) {
    if ("lit" in found || "litc" in found) return;
    for (const key in found) markRead((found as Readonly<Record<string, unknown>>)[key], isRead);
  }
}

/** Numbers for what equations do with their operands: primitive, parameters, literals and types of results. */
export class StepKinds {
  readonly #numbers = new Map<string, number>();
  readonly #objects = new Map<object, number>();

  /** Parameters and literals count by identity: files share them. */
  numberOf({ p, m = "lax", i = [], o = [], x }: Eqn): number {
    let text = `${m}:${p}`;
    if (x !== undefined) text += ` ${this.#objectNumber(x)}`;
    for (const atom of i) {
      const isVariable = typeof atom === "number" || "v" in atom;
      text += isVariable ? "." : ` ${this.#objectNumber(atom)}`;
    }
    for (const v of o) {
      const aval = v === null ? -1 : "v" in v ? v.a : v[1];
      text += typeof aval === "number" ? `>${aval}` : `>o${this.#objectNumber(aval)}`;
    }
    return this.#numberOf(text);
  }

  /** The number of a call of a jaxpr. */
  ofCall(jaxpr: number): number {
    return this.#numberOf(`call ${jaxpr}`);
  }

  #numberOf(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(text, number);
    }
    return number;
  }

  #objectNumber(object: object): number {
    let number = this.#objects.get(object);
    if (number === undefined) {
      number = this.#objects.size;
      this.#objects.set(object, number);
    }
    return number;
  }
}

/** Operands below this are packed into one number. */
const [pairBase, tripleBase] = [2 ** 26, 2 ** 17];

/** What steps have given in one region, by what they do and of which operands. */
export class GivenResults {
  readonly #ofKinds: (Map<number | string, Results> | undefined)[] = [];

  /** Results by `keyOf` of the operands. */
  of(kind: number): Map<number | string, Results> {
    let given = this.#ofKinds[kind];
    if (given === undefined) {
      given = new Map();
      this.#ofKinds[kind] = given;
    }
    return given;
  }
}

/** Different for different operands of one kind of step. What stands for no value is from −2 on. */
export function keyOf(operands: readonly ValueId[]): number | string {
  const [a = -2, b = -2, c = -2] = operands;
  if (operands.length < 2) return a;
  if (operands.length === 2 && b < pairBase - 2) return (a + 2) * pairBase + b + 2;
  const fits = a < tripleBase - 2 && b < tripleBase - 2 && c < tripleBase - 2;
  if (operands.length === 3 && fits) return ((a + 2) * tripleBase + b + 2) * tripleBase + c + 2;
  return operands.join();
}

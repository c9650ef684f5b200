/** What a program asks for, without importing it: every primitive that has no meaning here, at once. */
import { readContainer } from "./container.ts";
import type { Eqn, WireProgram } from "./format.ts";
import { isKnown, keyOf } from "./primitives/table.ts";

export interface PrimitiveUse {
  /** `module:name`. */
  readonly primitive: string;
  readonly known: boolean;
  /** Equations that use it, in all distinct jaxprs. */
  readonly count: number;
  /** Where they stand, `file:line:function`; each once. */
  readonly places: readonly string[];
}

export interface JaxprSummary {
  readonly jax: string | undefined;
  readonly jaxprs: number;
  readonly equations: number;
  /** Unknown ones first, then by name. */
  readonly primitives: readonly PrimitiveUse[];
}

/**
 * @throws BuildError GF2601 where the bytes are no program from JAX
 */
export function inspectJaxpr(bytes: Uint8Array): JaxprSummary {
  const { program } = readContainer(bytes);
  const uses = new Map<string, Eqn[]>();
  for (const { eqns } of program.jaxprs) {
    for (const eqn of eqns) {
      const key = keyOf(eqn);
      const list = uses.get(key);
      if (list === undefined) uses.set(key, [eqn]);
      else list.push(eqn);
    }
  }
  const primitives = [...uses].map(([primitive, eqns]) => useOf(program, primitive, eqns));
  primitives.sort(
    (a, b) => Number(a.known) - Number(b.known) || (a.primitive < b.primitive ? -1 : 1),
  );
  return {
    jax: program.jax,
    jaxprs: program.jaxprs.length,
    equations: program.jaxprs.reduce((count, { eqns }) => count + eqns.length, 0),
    primitives,
  };
}

function useOf({ locs }: WireProgram, primitive: string, eqns: readonly Eqn[]): PrimitiveUse {
  const places = eqns.flatMap(({ loc }) => (loc === undefined ? [] : (locs?.[loc] ?? [])));
  return {
    primitive,
    known: isKnown(eqns[0] as Eqn),
    count: eqns.length,
    places: [...new Set(places)],
  };
}

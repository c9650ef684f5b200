/** Every primitive that has a meaning here, by module and name. */
import { BuildError, type SourceLocation } from "@gridfuse/graph";
import type { Eqn, WireProgram } from "../format.ts";
import type { Rule } from "../importing.ts";
import { control } from "./control.ts";
import { dots } from "./dot.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import { movement } from "./movement.ts";
import { pallas } from "./pallas.ts";
import { random } from "./random.ts";
import { reductions } from "./reduction.ts";
import { state } from "./state.ts";
import { tpu } from "./tpu.ts";
import { windows } from "./windows.ts";

/** Names are `module:name`; no module is `lax`. */
export type Rules = { readonly [name: string]: Rule };

const rules: Map<string, Rule> = new Map(
  [
    elementwise,
    movement,
    indexing,
    reductions,
    windows,
    dots,
    random,
    control,
    state,
    pallas,
    tpu,
  ].flatMap((family) => Object.entries(family)),
);

/** Families that only compute. */
for (const family of [elementwise, movement, indexing, reductions, windows, dots])
  for (const rule of Object.values(family)) Object.assign(rule, { isPure: true });

/** What a primitive is called in messages and in the table. */
export const keyOf = ({ p, m = "lax" }: Eqn): string => `${m}:${p.replaceAll("-", "_")}`;

export const isKnown = (eqn: Eqn): boolean => rules.has(keyOf(eqn));

/** Names of all known primitives, for the documentation. */
export const knownPrimitives = (): readonly string[] => [...rules.keys()].sort();

/** Rules by the name of a primitive alone, with the module that it was last found in. */
const knownRules: Map<string, { readonly m: string | undefined; readonly rule: Rule }> = new Map();

/** @throws BuildError GF2603 where there is none, naming every unknown primitive of the program */
export function ruleOf(
  eqn: Eqn,
  program: WireProgram,
  place: () => SourceLocation | undefined,
): Rule {
  const known = knownRules.get(eqn.p);
  if (known !== undefined && known.m === eqn.m) return known.rule;
  const rule = rules.get(keyOf(eqn));
  if (rule !== undefined) {
    knownRules.set(eqn.p, { m: eqn.m, rule });
    return rule;
  }
  const others = new Set(
    program.jaxprs.flatMap(({ eqns }) => eqns.filter((other) => !isKnown(other)).map(keyOf)),
  );
  others.delete(keyOf(eqn));
  throw new BuildError("GF2603", `primitive ${keyOf(eqn)} is unknown`, {
    path: keyOf(eqn),
    at: place(),
    notes: others.size === 0 ? [] : [`so are ${[...others].join(", ")}`],
    help: "`gridfuse doctor --jaxpr FILE` lists all of them with their lines",
  });
}

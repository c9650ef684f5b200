/**
 * Equations written in columns, as objects. What an equation does stands once in the table of operations, however
 * many do it; all of them are given the same `x`.
 */
import { malformed } from "./errors.ts";
import type { Atom, Eqn, Jaxpr, Var, WireJaxpr, WireProgram } from "./format.ts";

/** A jaxpr of the file with its equations one by one. */
export function inRows(program: Pick<WireProgram, "ops" | "atoms">, written: WireJaxpr): Jaxpr {
  if ("eqns" in written) return written;
  const { ops, ni, i, no, o, locs, ...rest } = written;
  const table = program.ops ?? [];
  const atoms = program.atoms ?? [];
  const eqns = new Array<Eqn>(ops.length);
  let variable = (rest.consts?.length ?? 0) + rest.in.length;
  let operand = 0;
  let result = 0;
  for (let k = 0; k < ops.length; k++) {
    const op = table[ops[k] as number];
    if (op === undefined) throw malformed(`there is no operation ${ops[k]}`);
    const inputs = new Array<Atom>(ni[k] as number);
    for (let n = 0; n < inputs.length; n++) inputs[n] = atomOf(i[operand++], atoms);
    const outputs = new Array<Var | null>(no?.[k] ?? 1);
    for (let n = 0; n < outputs.length; n++, variable++) {
      const aval = o[result++];
      if (aval === undefined) throw malformed("there are fewer results than equations say");
      outputs[n] = aval < 0 ? null : [variable, aval];
    }
    const eqn = { p: op.p, m: op.m ?? "lax", i: op.i ?? inputs, o: outputs, x: op.x ?? EMPTY };
    const loc = locs?.[k];
    eqns[k] = loc === undefined ? eqn : { ...eqn, loc };
  }
  return { ...rest, eqns };
}

const EMPTY: object = {};

function atomOf(written: number | undefined, atoms: readonly Atom[]): Atom {
  if (written === undefined) throw malformed("there are fewer operands than equations say");
  if (written >= 0) return written;
  const atom = atoms[-1 - written];
  if (atom === undefined) throw malformed(`there is no atom ${-1 - written}`);
  return atom;
}

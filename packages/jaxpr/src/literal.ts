/** Numbers as the wire spells them. */
import type { ScalarValue, ValueId } from "@gridfuse/graph";
import type { Body } from "./body.ts";
import type { Atom, Literal } from "./format.ts";

/** The number that a literal of the wire stands for. */
export function literalValue({ lit, d }: Literal): ScalarValue {
  if (typeof lit !== "string") return lit;
  switch (lit) {
    case "nan":
      return Number.NaN;
    case "inf":
      return Number.POSITIVE_INFINITY;
    case "-inf":
      return Number.NEGATIVE_INFINITY;
    case "-0.0":
      return -0;
    default:
      return /^[iu]64$/.test(d) ? BigInt(lit) : Number(lit);
  }
}

/** The whole number that an atom stands for where the program has it written down. */
export function staticInt(atom: Atom): number | undefined {
  return typeof atom === "object" && "lit" in atom ? Number(literalValue(atom)) : undefined;
}

/** Indices are int32 in the graph; wider ones are clamped by whoever reads with them. */
export const indexValue = (body: Body, atom: Atom): ValueId =>
  body.e.convert(body.atom(atom), "int32");

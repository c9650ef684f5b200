/**
 * Records of options. A name that a function does not know would change nothing, and nobody would hear of it: not who
 * writes plain JavaScript, and in TypeScript not who passes on a record of a wider type.
 */
import { closest } from "./closest-name.ts";
import type { ErrorDetails, GridfuseError, SourceLocation } from "./errors.ts";

/** Of a union too, whose common keys may be none. */
type KeysOf<O> = O extends unknown ? keyof O : never;

/** What a function knows of `O`: TypeScript refuses a table that lacks an option, and one with an option too many. */
export type OptionNames<O> = { readonly [K in KeysOf<O>]: true };

/** Options of other functions that people look for here, and which function has them. */
export type OptionsElsewhere = { readonly [name: string]: string };

/** Gives `given` back where it is a record of no other names than `names` has. `call` is what messages begin with. */
export type OptionCheck = <O>(
  call: string,
  given: O,
  names: OptionNames<NoInfer<O>>,
  elsewhere?: OptionsElsewhere,
) => O;

type Refusal = new (code: `GF${number}`, what: string, details: ErrorDetails) => GridfuseError;

/** The check of a package: which error it throws and, where that can be told, at which line of the user. */
export const optionCheck =
  (
    Refused: Refusal,
    code: `GF${number}`,
    place: () => SourceLocation | undefined = () => undefined,
  ): OptionCheck =>
  (call, given, names, elsewhere = {}) => {
    const fault = faultOf(given, names, elsewhere);
    if (fault === undefined) return given;
    throw new Refused(code, `${call}: ${fault.what}`, { ...fault.details, at: place() });
  };

interface Fault {
  readonly what: string;
  readonly details: ErrorDetails;
}

function faultOf(given: unknown, names: object, elsewhere: OptionsElsewhere): Fault | undefined {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    return notRecord(given, names);
  }
  let isEmpty = true;
  for (const key in given) {
    if (!Object.hasOwn(given, key)) continue;
    isEmpty = false;
    if (Object.hasOwn(names, key)) continue;
    return isPlain(given) ? unknownOption(key, names, elsewhere) : notRecord(given, names);
  }
  // A Map, a promise or a cache has no names either, but was not meant to say nothing.
  return isEmpty && !isPlain(given) ? notRecord(given, names) : undefined;
}

/** Whether its prototype is that of all objects, of this realm or of another one, or none. */
function isPlain(given: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(given);
  return (
    prototype === Object.prototype ||
    prototype === null ||
    Object.getPrototypeOf(prototype) === null
  );
}

function unknownOption(name: string, names: object, elsewhere: OptionsElsewhere): Fault {
  const known = Object.keys(names);
  const all = [...known, ...Object.keys(elsewhere)];
  const meant = all.find((each) => plainName(each) === plainName(name)) ?? closest(name, all);
  return {
    what: `unknown option "${name}"`,
    details: {
      path: name,
      expected: known,
      received: name,
      notes: [`the options are ${known.map((each) => `"${each}"`).join(", ")}`],
      help: helpFor(meant, elsewhere),
    },
  };
}

function helpFor(meant: string | undefined, elsewhere: OptionsElsewhere): string {
  if (meant === undefined) return "Leave it out.";
  if (!Object.hasOwn(elsewhere, meant)) return `Did you mean "${meant}"?`;
  return `"${meant}" is an option of \`${elsewhere[meant]}\`.`;
}

/** `keepdims`, `KeepDims` and `keep_dims` are all `keepDims`. */
const plainName = (name: string): string => name.replaceAll("_", "").toLowerCase();

function notRecord(given: unknown, names: object): Fault {
  const known = Object.keys(names);
  const text = shown(given);
  const place = placeOf(given, known);
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  return {
    what: `options are ${text}`,
    details: {
      expected: known,
      received: isObject ? text : given,
      help:
        place === undefined
          ? `Pass a record: { ${known.join(", ")} }.`
          : `Write \`{ ${place}: ${text} }\`.`,
    },
  };
}

/** The option that a bare value stands for in other libraries. */
function placeOf(given: unknown, known: readonly string[]): string | undefined {
  const isKnown = (name: string): boolean => known.includes(name);
  if (typeof given === "string") {
    return known.length === 1 ? known[0] : ["dtype", "name"].find(isKnown);
  }
  const isAxis = (value: unknown): boolean => value === null || typeof value === "number";
  const isAxes = Array.isArray(given) ? given.every(isAxis) : typeof given === "number";
  return isAxes ? ["axis", "inAxes"].find(isKnown) : undefined;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) {
    const few = value.slice(0, 8).map((each) => (Array.isArray(each) ? "[…]" : shown(each)));
    return `[${[...few, ...(value.length > few.length ? ["…"] : [])].join(", ")}]`;
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  const name: unknown = value.constructor?.name;
  if (typeof name !== "string" || name === "") return "an object";
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
}

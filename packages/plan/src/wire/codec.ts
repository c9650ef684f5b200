/**
 * Records of a plan, described once and used in both directions: `write` turns a value into MessagePack's
 * vocabulary and `read` turns it back, each refusing whatever does not have exactly the described shape
 * (rules V10 and V11). A new field is one line in records.ts.
 */
import type { Wire, WireMap } from "../msgpack/decode.ts";
import { PlanInvalid } from "../plan-errors.ts";
import type { IndexTableReader, IndexTableWriter } from "./index-table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/**
 * A value that does not fit its description. Thrown without a place: lists and records add theirs on the way
 * out, so that reading what is right pays nothing for it.
 */
export class Misfit extends Error {
  readonly rule: string;
  readonly #path: (string | number)[] = [];

  constructor(what: string, rule = "V10") {
    super(what);
    this.rule = rule;
  }

  /** `cause` again, one level further out; anything but a misfit as it is. */
  static within(part: string | number, cause: unknown): unknown {
    if (cause instanceof Misfit) cause.#path.unshift(part);
    return cause;
  }

  toPlanInvalid(): PlanInvalid {
    const path = this.#path.reduce<string>((text, part) => {
      if (typeof part === "number") return `${text}[${part}]`;
      return text === "" ? part : `${text}.${part}`;
    }, "");
    return new PlanInvalid(this.rule, path, this.message);
  }
}

/** Runs `work` on one part of the whole. */
export function inside<T>(part: string | number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw Misfit.within(part, error);
  }
}

/** Runs codecs; their misfits come out as `PlanInvalid` with the whole path. */
export function locating<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof Misfit ? error.toPlanInvalid() : error;
  }
}

export interface WriteContext {
  readonly indexes: IndexTableWriter;
}
export interface ReadContext {
  readonly indexes: IndexTableReader;
}

export interface Codec<T> {
  write(value: T, context: WriteContext): Wire;
  read(wire: Wire, context: ReadContext): T;
}

/** Short text of any value, for messages. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === "object" && value !== null) return "a record";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

/** A codec whose wire form is the value itself, once `accepts` holds. */
function plain<T extends Wire>(what: string, accepts: (value: unknown) => value is T): Codec<T> {
  const check = (value: unknown): T => {
    if (!accepts(value)) throw new Misfit(`${show(value)} is not ${what}`);
    return value;
  };
  return { write: check, read: check };
}

export const flag: Codec<boolean> = plain("a boolean", (v): v is boolean => typeof v === "boolean");
export const text: Codec<string> = plain("text", (v): v is string => typeof v === "string");
/** An integer in [least, most]. */
export function integer(least: number, most: number): Codec<number> {
  const check = (value: unknown): number => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    throw new Misfit(`${show(value)} is not an integer from ${least} to ${most}`, "V11");
  };
  return { write: check, read: check };
}

/** One of a closed set of words, spelled out in the file. */
export function word<T extends string>(...words: readonly T[]): Codec<T> {
  const allowed: ReadonlySet<unknown> = new Set(words);
  return plain(`one of ${words.join(", ")}`, (value): value is T => allowed.has(value));
}

/** One of a vocabulary, written as its number. */
export function coded<T extends string>(name: string, vocabulary: Vocabulary<T>): Codec<T> {
  return {
    write(value) {
      if (Object.hasOwn(vocabulary.codeOf, value)) return vocabulary.codeOf[value];
      throw new Misfit(`${show(value)} is not a ${name}`);
    },
    read(wire) {
      const found = typeof wire === "number" ? vocabulary.wordOf(wire) : undefined;
      if (found === undefined) throw new Misfit(`${show(wire)} is not the number of a ${name}`);
      return found;
    },
  };
}

export function list<T>(item: Codec<T>, most = 65_536): Codec<readonly T[]> {
  const check = (value: unknown): void => {
    if (!Array.isArray(value)) throw new Misfit(`${show(value)} is not a list`);
    if (value.length > most) throw new Misfit(`${value.length} items, at most ${most}`, "V11");
  };
  return {
    write(values, context) {
      check(values);
      return values.map((value, i) => inside(i, () => item.write(value, context)));
    },
    read(wire, context) {
      check(wire);
      const values: T[] = [];
      let i = 0;
      try {
        for (const entry of wire as readonly Wire[]) {
          values.push(item.read(entry, context));
          i++;
        }
      } catch (error) {
        throw Misfit.within(i, error);
      }
      return values;
    },
  };
}

/** A field that may be absent; nil in the file. */
export function optional<T>(codec: Codec<T>): Codec<T | undefined> {
  return {
    write: (value, context) => (value === undefined ? null : codec.write(value, context)),
    read: (wire, context) => (wire === null ? undefined : codec.read(wire, context)),
  };
}

export type Fields<T> = { readonly [K in keyof T]-?: Codec<T[K]> };

const isRecord = (value: unknown): value is WireMap =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value);

function checkFieldNames(value: object, names: ReadonlySet<string>): void {
  for (const key of Object.keys(value)) {
    if (!names.has(key)) throw new Misfit(`unknown field ${show(key)}`);
  }
}

function writeFields<T extends object>(
  value: T,
  fields: Fields<T>,
  names: ReadonlySet<string>,
  context: WriteContext,
): [string, Wire][] {
  if (!isRecord(value)) throw new Misfit(`${show(value)} is not a record`);
  checkFieldNames(value, names);
  return [...names].map((name) => [
    name,
    inside(name, () => fields[name as keyof T].write(value[name as keyof T], context)),
  ]);
}

function readFields<T extends object>(
  fields: Fields<T>,
  order: readonly string[],
  wireOf: (i: number) => Wire,
  context: ReadContext,
): T {
  const value: { [key: string]: unknown } = {};
  let i = 0;
  try {
    for (; i < order.length; i++) {
      const name = order[i]!;
      const field = fields[name as keyof T].read(wireOf(i), context);
      if (field !== undefined) value[name] = field;
    }
  } catch (error) {
    throw Misfit.within(order[i]!, error);
  }
  return value as T;
}

/** Records told apart by `kind`, each written as the list of its fields after the number of its kind. */
export function union<T extends { readonly kind: string }>(
  cases: () => { readonly [K in T["kind"]]: Codec<Omit<Extract<T, { kind: K }>, "kind">> },
  kinds: Vocabulary<T["kind"]>,
): Codec<T> {
  const kindCodec = coded("kind", kinds);
  return {
    write(value, context) {
      if (!isRecord(value)) throw new Misfit(`${show(value)} is not a record`);
      const { kind, ...rest } = value;
      const code = kindCodec.write(kind, context);
      return [
        code,
        ...((cases()[kind as T["kind"]] as Codec<object>).write(rest, context) as Wire[]),
      ];
    },
    read(wire, context) {
      if (!Array.isArray(wire)) throw new Misfit(`${show(wire)} is not a list`);
      const kind = kindCodec.read(wire[0] as Wire, context);
      const rest = (cases()[kind] as Codec<object>).read(wire.slice(1), context);
      return { kind, ...rest } as T;
    },
  };
}

/** A record written as a map. With `open`, fields of later versions are skipped. */
export function record<T extends object>(fields: Fields<T>, kind?: "open"): Codec<T> {
  const order = Object.keys(fields);
  const names: ReadonlySet<string> = new Set(order);
  return {
    write: (value, context) => Object.fromEntries(writeFields(value, fields, names, context)),
    read(wire, context) {
      if (!isRecord(wire)) throw new Misfit(`${show(wire)} is not a record`);
      if (kind !== "open") checkFieldNames(wire, names);
      const missing = order.find((name) => !Object.hasOwn(wire, name));
      if (missing !== undefined) throw new Misfit(`the field ${show(missing)} is missing`);
      return readFields(fields, order, (i) => wire[order[i]!]!, context);
    },
  };
}

/** A record written as a list, in the order of `fields`: for what a plan has many of. */
export function tuple<T extends object>(fields: Fields<T>): Codec<T> {
  const order = Object.keys(fields);
  const names: ReadonlySet<string> = new Set(order);
  return {
    write: (value, context) => writeFields(value, fields, names, context).map(([, wire]) => wire),
    read(wire, context) {
      if (!Array.isArray(wire) || wire.length !== order.length) {
        throw new Misfit(`${show(wire)} is not a list of ${order.join(", ")}`);
      }
      return readFields(fields, order, (i) => wire[i] as Wire, context);
    },
  };
}

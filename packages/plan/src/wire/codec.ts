/**
 * Records of a plan, described once and used in both directions: `write` turns a value into MessagePack's
 * vocabulary and `read` turns it back, each refusing whatever does not have exactly the described shape
 * (rules V10 and V11). A new field is one line in records.ts.
 */
import type { Wire, WireMap } from "../msgpack/decode.ts";
import { PlanInvalid } from "../plan-errors.ts";
import type { IndexTableReader, IndexTableWriter } from "./index-table.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Where in the plan we are, for error messages; left as it is by a throw. */
export class Place {
  readonly #parts: (string | number)[] = [];

  enter(part: string | number): void {
    this.#parts.push(part);
  }
  leave(): void {
    this.#parts.pop();
  }
  toString(): string {
    return this.#parts.reduce<string>((text, part) => {
      if (typeof part === "number") return `${text}[${part}]`;
      return text === "" ? part : `${text}.${part}`;
    }, "");
  }
  invalid(what: string, rule = "V10"): PlanInvalid {
    return new PlanInvalid(rule, this.toString(), what);
  }
}

export interface WriteContext {
  readonly place: Place;
  readonly indexes: IndexTableWriter;
}
export interface ReadContext {
  readonly place: Place;
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
  const check = (value: unknown, { place }: { readonly place: Place }): T => {
    if (!accepts(value)) throw place.invalid(`${show(value)} is not ${what}`);
    return value;
  };
  return { write: check, read: check };
}

export const flag: Codec<boolean> = plain("a boolean", (v): v is boolean => typeof v === "boolean");
export const text: Codec<string> = plain("text", (v): v is string => typeof v === "string");
/** Debug figures only: a plan proper holds no floats. */
export const figure: Codec<number> = plain(
  "a finite number",
  (v): v is number => typeof v === "number" && Number.isFinite(v),
);

/** An integer in [least, most]. */
export function integer(least: number, most: number): Codec<number> {
  const check = (value: unknown, { place }: { readonly place: Place }): number => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    throw place.invalid(`${show(value)} is not an integer from ${least} to ${most}`, "V11");
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
    write(value, { place }) {
      if (Object.hasOwn(vocabulary.codeOf, value)) return vocabulary.codeOf[value];
      throw place.invalid(`${show(value)} is not a ${name}`);
    },
    read(wire, { place }) {
      const found = typeof wire === "number" ? vocabulary.wordOf(wire) : undefined;
      if (found === undefined) throw place.invalid(`${show(wire)} is not the number of a ${name}`);
      return found;
    },
  };
}

export function list<T>(item: Codec<T>, most = 65_536): Codec<readonly T[]> {
  const check = (value: unknown, place: Place): void => {
    if (!Array.isArray(value)) throw place.invalid(`${show(value)} is not a list`);
    if (value.length > most) throw place.invalid(`${value.length} items, at most ${most}`, "V11");
  };
  return {
    write(values, context) {
      check(values, context.place);
      return values.map((value, i) => {
        context.place.enter(i);
        const written = item.write(value, context);
        context.place.leave();
        return written;
      });
    },
    read(wire, context) {
      check(wire, context.place);
      return (wire as readonly Wire[]).map((entry, i) => {
        context.place.enter(i);
        const value = item.read(entry, context);
        context.place.leave();
        return value;
      });
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

function checkFieldNames(value: object, names: ReadonlySet<string>, place: Place): void {
  for (const key of Object.keys(value)) {
    if (!names.has(key)) throw place.invalid(`unknown field ${show(key)}`);
  }
}

function writeFields<T extends object>(
  value: T,
  fields: Fields<T>,
  names: ReadonlySet<string>,
  context: WriteContext,
): [string, Wire][] {
  if (!isRecord(value)) throw context.place.invalid(`${show(value)} is not a record`);
  checkFieldNames(value, names, context.place);
  return [...names].map((name) => {
    context.place.enter(name);
    const written = fields[name as keyof T].write(value[name as keyof T], context);
    context.place.leave();
    return [name, written];
  });
}

/** A record written as a map. With `open`, fields of later versions are skipped. */
export function record<T extends object>(fields: Fields<T>, kind?: "open"): Codec<T> {
  const names: ReadonlySet<string> = new Set(Object.keys(fields));
  return {
    write: (value, context) => Object.fromEntries(writeFields(value, fields, names, context)),
    read(wire, context) {
      const { place } = context;
      if (!isRecord(wire)) throw place.invalid(`${show(wire)} is not a record`);
      if (kind !== "open") checkFieldNames(wire, names, place);
      const value: { [key: string]: unknown } = {};
      for (const name of names) {
        place.enter(name);
        if (!Object.hasOwn(wire, name)) throw place.invalid("the field is missing");
        const field = fields[name as keyof T].read(wire[name]!, context);
        if (field !== undefined) value[name] = field;
        place.leave();
      }
      return value as T;
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
      const { place } = context;
      if (!Array.isArray(wire) || wire.length !== order.length) {
        throw place.invalid(`${show(wire)} is not a list of ${order.join(", ")}`);
      }
      const value: { [key: string]: unknown } = {};
      for (let i = 0; i < order.length; i++) {
        const name = order[i]!;
        place.enter(name);
        const field = fields[name as keyof T].read(wire[i] as Wire, context);
        if (field !== undefined) value[name] = field;
        place.leave();
      }
      return value as T;
    },
  };
}

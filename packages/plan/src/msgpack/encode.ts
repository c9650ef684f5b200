/**
 * Canonical MessagePack through msgpackr: the same value gives the same bytes in every process. msgpackr
 * keeps insertion order, loses −0 and extends what it does not know, so values are put in order and refused
 * here, before it sees them. The strict reader (decode.ts) accepts exactly what this writes.
 */
import { Packr } from "msgpackr/pack";
import { PlanInvalid } from "../plan-errors.ts";
import { reservedKeys, type Wire } from "./decode.ts";

const packr = new Packr({ useRecords: false, variableMapSize: true });
const utf8 = new TextEncoder();
const loneSurrogate = /\p{Surrogate}/u;

/** The canonical bytes of `value`; `section` names it in errors. */
export function encodeMsgpack(value: Wire, section: string): Uint8Array {
  return new Uint8Array(packr.pack(canonical(value, section)));
}

function canonical(value: Wire, section: string): unknown {
  switch (typeof value) {
    case "boolean":
      return value;
    case "number":
      return canonicalNumber(value, section);
    case "string":
      return canonicalString(value, section);
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return value.map((item) => canonical(item, section));
      if (value instanceof Uint8Array) return value;
      if (ArrayBuffer.isView(value)) throw refused(section, "a typed array other than Uint8Array");
      return sortedMap(value as { readonly [key: string]: Wire }, section);
    default:
      throw refused(section, `a ${typeof value}`);
  }
}

function canonicalNumber(value: number, section: string): number | bigint {
  if (Number.isNaN(value)) throw refused(section, "NaN");
  if (Object.is(value, -0)) return 0;
  const isWide = Number.isSafeInteger(value) && (value < -(2 ** 31) || value >= 2 ** 32);
  return isWide ? BigInt(value) : value;
}

function canonicalString(value: string, section: string): string {
  if (loneSurrogate.test(value)) throw refused(section, "text with half a surrogate pair");
  return value;
}

function sortedMap(map: { readonly [key: string]: Wire }, section: string): object {
  const keys = Object.keys(map).map((key) => ({ key, bytes: utf8.encode(key) }));
  keys.sort((p, q) => compareBytes(p.bytes, q.bytes));
  const sorted = new Map<string, unknown>();
  for (const { key } of keys) {
    if (reservedKeys.has(key)) throw refused(section, `the key "${key}"`);
    sorted.set(canonicalString(key, section), canonical(map[key]!, section));
  }
  return sorted;
}

/** Byte by byte, a prefix before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

const refused = (section: string, what: string): PlanInvalid =>
  new PlanInvalid("V8", section, `${what} cannot be written to a plan`);

/**
 * Reads what `JSON.parse` made of a native section (rule V21). Native code is used only where the caller trusts
 * the file; still no faulty writer may get further than an error with a place. The codecs of the portable part
 * would do the same at several times the code, and a trusted start has to load whatever it uses.
 */
import { type DType, isDType } from "./dtype.ts";
import { PlanInvalid } from "./plan-errors.ts";

export const misshapen = (path: string, what: string): PlanInvalid =>
  new PlanInvalid("V21", `WASM.${path}`, what);

export function natural(
  value: unknown,
  path: string,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most) {
    return value as number;
  }
  throw misshapen(path, `${JSON.stringify(value)} is not an integer from 0 to ${most}`);
}

export function text(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  throw misshapen(path, `${JSON.stringify(value)} is not text`);
}

export function flag(value: unknown, path: string): boolean {
  if (typeof value === "boolean") return value;
  throw misshapen(path, `${JSON.stringify(value)} is not a boolean`);
}

export function dtype(value: unknown, path: string): DType {
  if (isDType(value)) return value;
  throw misshapen(path, `${JSON.stringify(value)} is not a dtype`);
}

export function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw misshapen(path, "not a record");
}

export function list<T>(
  value: unknown,
  path: string,
  item: (value: unknown, path: string) => T,
): readonly T[] {
  if (!Array.isArray(value)) throw misshapen(path, "not a list");
  return value.map((each, i) => item(each, `${path}[${i}]`));
}

/** A list of exactly `length` items, to be read one by one. */
export function tuple(value: unknown, path: string, length: number): readonly unknown[] {
  if (Array.isArray(value) && value.length === length) return value;
  throw misshapen(path, `not a list of ${length}`);
}

/**
 * Reads what `JSON.parse` made of a native section (rule V21). Native code is used only where the caller trusts
 * the file; still no faulty writer may get further than an error with a place.
 *
 * Shapes are data and one function reads them all: a process that has just started compiles every function
 * that it calls, so a trusted start takes as long as it has functions.
 */
import { isDType } from "./dtype.ts";
import { PlanInvalid } from "./plan-errors.ts";

/** What a value must be; `[shape]` is a list of any length, an object has at least these fields. */
export type Shape = Kind | readonly [Shape] | { readonly [field: string]: Shape };
type Kind = "text" | "flag" | "natural" | "natural?" | "dtype" | "anything";

export const misshapen = (path: string, what: string): PlanInvalid =>
  new PlanInvalid("V21", `WASM.${path}`, what);

/**
 * Throws unless `value` has `shape`.
 *
 * @throws PlanInvalid V21
 */
export function checkShape(value: unknown, shape: Shape, path: string): void {
  if (typeof shape === "string") {
    if (!isOfKind(value, shape)) {
      throw misshapen(path, `${JSON.stringify(value) ?? "nothing"} is not ${shape}`);
    }
  } else if (Array.isArray(shape)) {
    if (!Array.isArray(value)) throw misshapen(path, "not a list");
    for (let i = 0; i < value.length; i++) checkShape(value[i], shape[0], `${path}[${i}]`);
  } else {
    if (typeof value !== "object" || value === null) throw misshapen(path, "not a record");
    const fields = shape as { readonly [field: string]: Shape };
    for (const name in fields) {
      const field = Object.hasOwn(value, name)
        ? (value as { readonly [field: string]: unknown })[name]
        : undefined;
      checkShape(field, fields[name] as Shape, `${path}.${name}`);
    }
  }
}

function isOfKind(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "flag":
      return typeof value === "boolean";
    case "natural?":
      return value === undefined || isOfKind(value, "natural");
    case "natural":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "dtype":
      return isDType(value);
    case "anything":
      return true;
    default:
      throw kind satisfies never;
  }
}

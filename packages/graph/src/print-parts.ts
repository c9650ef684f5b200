/** Types, scalars and params as text. */
import { type DType, isFloat, shortName } from "@gridfuse/plan/scalar";
import type { Node } from "./ir/table.ts";
import type { Shape } from "./ir/types.ts";

/** `f32[4,8]`, `f32` for a scalar. */
export function printType({
  dtype,
  shape,
}: {
  readonly dtype: DType;
  readonly shape: Shape;
}): string {
  return shape.length === 0 ? shortName(dtype) : `${shortName(dtype)}[${shape.join(",")}]`;
}

/** The shortest decimal that rounds to the same value of `dtype`. */
export function printScalar(dtype: DType, value: number | bigint | boolean): string {
  if (typeof value !== "number" || !isFloat(dtype)) return String(value);
  if (Object.is(value, -0)) return "-0.0";
  if (!Number.isFinite(value))
    return value === Number.POSITIVE_INFINITY ? "inf" : value < 0 ? "-inf" : "nan";
  const shortest = dtype === "float64" ? value : shortestFloat32(value);
  return Number.isInteger(shortest) && Math.abs(shortest) < 1e16
    ? `${shortest}.0`
    : String(shortest);
}
function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}

/** Params of an op without structure, as `[axes=[0], keys=1]`. */
export function printParams(node: Node): string {
  const entries = Object.entries(node.params as { readonly [name: string]: unknown })
    .filter(([name, value]) => !isSaid(name, value))
    .map(([name, value]) => `${name}=${printParam(value)}`);
  return entries.length === 0 ? "" : `[${entries.join(", ")}]`;
}

/** The type of the result says shape and dtype; empty lists say nothing. */
const isSaid = (name: string, value: unknown): boolean =>
  name === "shape" ||
  name === "dtype" ||
  (name === "batch" && Array.isArray(value) && value.flat().length === 0);

function printParam(value: unknown): string {
  if (typeof value === "string") return value;
  if (ArrayBuffer.isView(value)) return printData(value as unknown as ArrayLike<number | bigint>);
  if (Array.isArray(value)) return `[${value.map(printParam).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    if ("key" in value) return String(value.key); // an index expression
    const parts = Object.entries(value).map(([k, v]) => `${k}: ${printParam(v)}`);
    return `{${parts.join(", ")}}`;
  }
  return String(value);
}

function printData(data: ArrayLike<number | bigint>): string {
  const shown = Array.from({ length: Math.min(data.length, 8) }, (_, i) => String(data[i]));
  return `{${shown.join(", ")}${data.length > 8 ? `, … ${data.length} in all` : ""}}`;
}

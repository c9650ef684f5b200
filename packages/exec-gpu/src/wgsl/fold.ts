/**
 * Reductions as values in a shader: the start of an accumulator, how an element enters it, and how
 * two meet. An argmax or argmin carries the index beside the value.
 */
import {
  type Bits,
  identityOf,
  isArg,
  isOrdered,
  type ReduceOp,
  type Reduction,
} from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import { binaryText } from "./op-text.ts";
import {
  fromWordText,
  literal,
  type ShaderDType,
  shaderDType,
  toWordText,
  wgslType,
} from "./value.ts";

export interface Fold {
  readonly op: ReduceOp;
  /** Of the value that is folded; the result of argmax and argmin has another. */
  readonly dtype: ShaderDType;
  readonly selects: boolean;
  /** Whether the order of combinations shows in the result. */
  readonly ordered: boolean;
}

export function foldOf(reduction: Reduction, nodes: readonly ScalarNode[]): Fold {
  const { op } = reduction;
  const dtype = shaderDType((nodes[reduction.value] as ScalarNode).dtype);
  return { op, dtype, selects: isArg(op), ordered: isOrdered({ op, dtype }) };
}

/** What an empty domain yields; 0 for argmax and argmin, whose values have no neutral element. */
export const identity = ({ op, dtype }: Fold): Bits =>
  isArg(op) ? { lo: 0, hi: 0 } : identityOf(op, dtype);

/** Declares accumulator `name` (and `name_at`) at its identity. */
export function accumulatorLines(fold: Fold, name: string): string[] {
  const value = `var ${name}: ${wgslType(fold.dtype)} = ${literal(fold.dtype, identity(fold))};`;
  return fold.selects ? [value, `var ${name}_at = 0xffffffffu;`] : [value];
}

/** Folds `value`, an element at index `at`, into accumulator `name`. */
export function accumulateLines(fold: Fold, name: string, value: string, at: string): string[] {
  if (!fold.selects) return [`${name} = ${combined(fold, name, value)};`];
  return [
    `if (${wins(fold, [toWordText(fold.dtype, name), `${name}_at`], [toWordText(fold.dtype, value), at])}) {`,
    `  ${name} = ${value};`,
    `  ${name}_at = ${at};`,
    "}",
  ];
}

export const combined = (fold: Fold, a: string, b: string): string =>
  binaryText(fold.op as Exclude<ReduceOp, "argmax" | "argmin">, fold.dtype, a, b);

const wins = (fold: Fold, a: readonly [string, string], b: readonly [string, string]): string => {
  const type = fold.dtype.includes("float") ? "f32" : wgslType(fold.dtype);
  return `${fold.op}_${type === "bool" ? "u32" : type}(${a[0]}, ${a[1]}, ${b[0]}, ${b[1]})`;
};

/** In arrays of words `scratch` (and `scratch_at`): element `from` is folded into element `to`. */
export function meetLines(fold: Fold, to: string, from: string): string[] {
  if (!fold.selects) {
    const a = fromWordText(fold.dtype, `scratch[${to}]`);
    const b = fromWordText(fold.dtype, `scratch[${from}]`);
    return [`scratch[${to}] = ${toWordText(fold.dtype, combined(fold, a, b))};`];
  }
  const a = [`scratch[${to}]`, `scratch_at[${to}]`] as const;
  const b = [`scratch[${from}]`, `scratch_at[${from}]`] as const;
  return [
    `if (${wins(fold, a, b)}) {`,
    `  scratch[${to}] = scratch[${from}];`,
    `  scratch_at[${to}] = scratch_at[${from}];`,
    "}",
  ];
}

export function scratchDeclarations(size: number, withIndex: boolean): string[] {
  const values = `var<workgroup> scratch: array<u32, ${size}>;`;
  return withIndex ? [values, `var<workgroup> scratch_at: array<u32, ${size}>;`] : [values];
}

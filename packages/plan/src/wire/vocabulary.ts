/**
 * The numbers by which plan files name dtypes, steps and scalar ops. Files live longer than code: entries are added at
 * the end of their group and never change; the types make sure that none is forgotten.
 */
import type { DType } from "../dtype.ts";
import type { StepKind } from "../plan.ts";
import type { ScalarOp } from "../scalar/node.ts";

export interface Vocabulary<T extends string> {
  readonly codeOf: { readonly [K in T]: number };
  /** The word of a code, or undefined for a number that means nothing. */
  wordOf(code: number): T | undefined;
}

function vocabulary<T extends string>(codeOf: { readonly [K in T]: number }): Vocabulary<T> {
  const words: (T | undefined)[] = [];
  for (const word of Object.keys(codeOf) as T[]) words[codeOf[word]] = word;
  return { codeOf, wordOf: (code) => words[code] };
}

export const dtypeVocabulary: Vocabulary<DType> = vocabulary({
  bool: 0,
  int8: 1,
  int16: 2,
  int32: 3,
  int64: 4,
  uint8: 5,
  uint16: 6,
  uint32: 7,
  uint64: 8,
  float16: 9,
  bfloat16: 10,
  float32: 11,
  float64: 12,
});

export const stepVocabulary: Vocabulary<StepKind> = vocabulary({
  kernel: 0,
  dot: 1,
  sort: 2,
  topk: 3,
  scan: 4,
  scatter: 5,
  copy: 6,
  loop: 7,
  while: 8,
  branch: 9,
  print: 10,
  tile: 11,
});

export const opVocabulary: Vocabulary<ScalarOp> = vocabulary({
  const: 0,
  index: 1,
  load: 2,
  reduced: 3,
  argument: 4,
  select: 8,
  rare: 9,
  convert: 10,
  bitcast: 11,

  neg: 16,
  abs: 17,
  sqrt: 18,
  floor: 19,
  ceil: 20,
  trunc: 21,
  roundEven: 22,
  not: 23,
  populationCount: 24,
  countLeadingZeros: 25,

  add: 48,
  sub: 49,
  mul: 50,
  div: 51,
  rem: 52,
  mulhi: 53,
  min: 54,
  max: 55,
  and: 56,
  or: 57,
  xor: 58,
  shiftLeft: 59,
  shiftRightLogical: 60,
  shiftRightArithmetic: 61,

  eq: 80,
  ne: 81,
  lt: 82,
  le: 83,
  gt: 84,
  ge: 85,
});

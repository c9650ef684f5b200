/**
 * C functions that fold a block of values in the order of plan.ts: a few one after the other, else 16 accumulators a segment
 * of 256, folded 8, 4, 2, 1. What does not depend on order is folded so that compilers find lanes in it: extremes of floats as integers whose order is
 * that of the floats, with a NaN remembered beside them.
 */
import {
  accumulators,
  type DType,
  identityOf,
  isArg,
  isFloat,
  itemSize,
  type ReduceOp,
  type Reduction,
} from "@gridfuse/plan";
import type { BinaryOp } from "@gridfuse/plan/scalar";
import { cType, literal } from "./c-types.ts";
import { binary } from "./scalar.ts";

type PlainOp = Exclude<ReduceOp, "argmax" | "argmin">;

/** Functions that a program calls, written once each. */
export class Library {
  readonly #functions = new Map<string, string>();

  /** The name of a function, with its text where it is new. */
  need(name: string, text: (name: string) => string): string {
    if (!this.#functions.has(name)) this.#functions.set(name, text(name));
    return name;
  }
  get text(): string {
    return [...this.#functions.values()].join("\n");
  }
}

export const combine = (op: PlainOp, dtype: DType, a: string, b: string): string =>
  binary(op as BinaryOp, dtype, a, b);
export const identity = ({ op, dtype }: Pick<Reduction, "op" | "dtype">): string =>
  isArg(op) ? "0" : literal(dtype, identityOf(op, dtype));

/** `T f(const T *values, long n)`: one segment of an ordered sum or product. */
export function segmentFold(library: Library, op: "add" | "mul", dtype: DType): string {
  const type = cType(dtype);
  const hasVectors = dtype === "float32" || dtype === "float64";
  const step = (a: string, b: string): string => combine(op, dtype, a, b);
  const start = literal(dtype, identityOf(op, dtype));
  const halves = (sums: string): string =>
    [8, 4, 2, 1]
      .map((half) => {
        const sum = step(`${sums}[l]`, `${sums}[l + ${half}]`);
        return `for (int l = 0; l < ${half}; l++) ${sums}[l] = ${sum};`;
      })
      .join("\n  ");
  return library.need(`gf_segment_${op}_${dtype}`, (name) =>
    hasVectors
      ? `
static inline ${type} ${name}(const ${type} *values, long n) {
  typedef ${type} vec __attribute__((vector_size(GF_BYTES), aligned(sizeof(${type})), may_alias));
  enum { lanes = GF_BYTES / sizeof(${type}), vectors = ${accumulators} / lanes };
  union { vec v[vectors]; ${type} s[${accumulators}]; } sums;
  vec acc[vectors];
  for (int l = 0; l < vectors; l++) acc[l] = (vec){0} + ${start};
  long j = 0;
  for (; j + ${accumulators} <= n; j += ${accumulators})
    for (int l = 0; l < vectors; l++)
      acc[l] = acc[l] ${op === "add" ? "+" : "*"} *(const vec *)(values + j + l * lanes);
  for (int l = 0; l < vectors; l++) sums.v[l] = acc[l];
  for (int l = 0; j < n; j++, l++) sums.s[l] = ${step("sums.s[l]", "values[j]")};
  ${halves("sums.s")}
  return sums.s[0];
}`
      : `
static inline ${type} ${name}(const ${type} *values, long n) {
  ${type} sums[${accumulators}];
  for (int l = 0; l < ${accumulators}; l++) sums[l] = ${start};
  long j = 0;
  for (; j + ${accumulators} <= n; j += ${accumulators})
    for (int l = 0; l < ${accumulators}; l++) sums[l] = ${step("sums[l]", "values[j + l]")};
  for (int l = 0; j < n; j++, l++) sums[l] = ${step("sums[l]", "values[j]")};
  ${halves("sums")}
  return sums[0];
}`,
  );
}

/** `T f(T total, const T *values, long n)`: a fold one element after the other; compilers find lanes where order does not show. */
export function plainFold(library: Library, op: PlainOp, dtype: DType): string {
  const type = cType(dtype);
  const isExtreme = op === "max" || op === "min";
  return library.need(`gf_fold_${op}_${dtype}`, (name) => {
    if (isExtreme && (dtype === "float32" || dtype === "float64")) {
      const bits = 8 * itemSize(dtype);
      const key = (x: string): string =>
        `(${x} ^ (int${bits}_t)((uint${bits}_t)(${x} >> ${bits - 1}) >> 1))`;
      return `
static inline ${type} ${name}(${type} total, const ${type} *values, long n) {
  int${bits}_t best = (int${bits}_t)gf_bits_${dtype}(total);
  best = ${key("best")};
  int${bits}_t unordered = total != total;
  for (long j = 0; j < n; j++) {
    const int${bits}_t b = (int${bits}_t)gf_bits_${dtype}(values[j]);
    const int${bits}_t key = ${key("b")};
    best = key ${op === "max" ? ">" : "<"} best ? key : best;
    unordered |= values[j] != values[j];
  }
  if (unordered) return gf_canonical_${dtype}(NAN);
  return gf_${dtype}((uint${bits}_t)${key("best")});
}`;
    }
    return `
static inline ${type} ${name}(${type} total, const ${type} *values, long n) {
  for (long j = 0; j < n; j++) total = ${combine(op, dtype, "total", "values[j]")};
  return total;
}`;
  });
}

/** Whether a is beyond b in the order of an argmax or argmin, a NaN being the extreme. */
export function isBeyond(op: "argmax" | "argmin", dtype: DType, a: string, b: string): string {
  const [x, y] =
    isFloat(dtype) && dtype !== "float32" && dtype !== "float64"
      ? [`gf_from_${dtype}(${a})`, `gf_from_${dtype}(${b})`]
      : [a, b];
  const order = `(${x} ${op === "argmax" ? ">" : "<"} ${y})`;
  return isFloat(dtype) ? `(${order} | ((${x} != ${x}) & (${y} == ${y})))` : order;
}

/**
 * What was written is in memory. GCC 12 at -O3 with AVX2 otherwise finds the first of 257 int16 three apart at once, whatever
 * they are: of the loop that has filled `values`, the one that folds them and the one that searches it keeps too little.
 */
const settled = '__asm__ volatile("" ::: "memory");';

/** `void f(T *best, long *where, const T *values, long n, long start)`: the first extreme; `where` is −1 before any. */
export function extremeSearch(library: Library, op: "argmax" | "argmin", dtype: DType): string {
  const type = cType(dtype);
  const plain = op === "argmax" ? "max" : "min";
  const fold = plainFold(library, plain, dtype);
  const isWide = dtype === "float32" || dtype === "float64" || !isFloat(dtype);
  const held = (x: string): string => (isWide ? x : `gf_from_${dtype}(${x})`);
  const search = (test: (x: string) => string): string => `
  for (; j + 64 <= n; j += 64) {
    int any = 0;
    for (int l = 0; l < 64; l++) any |= ${test(held("values[j + l]"))};
    if (any) break;
  }
  while (!(${test(held("values[j]"))})) j++;`;
  return library.need(`gf_${op}_${dtype}`, (name) => {
    const equal = search((x) => `(${x} == ${held("block")})`);
    const found = isFloat(dtype)
      ? `if (${held("block")} != ${held("block")}) {${search((x) => `(${x} != ${x})`)}\n} else {${equal}\n}`
      : equal;
    return `
static inline void ${name}(${type} *best, long *where, const ${type} *values, long n, long start) {
  ${settled}
  const ${type} block = ${fold}(values[0], values, n);
  if (*where >= 0 && !${isBeyond(op, dtype, "block", "*best")}) return;
  long j = 0;
  ${found}
  *best = block;
  *where = start + j;
}`;
  });
}

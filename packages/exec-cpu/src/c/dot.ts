/**
 * `dot` in C: rows of one operand and columns of the other are packed into panels, and a tile of sums that fits the vector
 * registers runs over the whole of k, so that every sum is one chain in the plan's order. Products with a few rows or columns
 * read their operands where they are.
 *
 * The shape is that of the GotoBLAS family (Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008)
 * without blocks of k: panels of a few thousand elements of k still come from the second cache in time.
 */
import { type DotStep, type DType, itemSize, type Strided } from "@gridfuse/plan";
import { cType, memoryType } from "./c-types.ts";
import { combine, type Library } from "./folds.ts";
import { indexC } from "./index-c.ts";
import type { KernelOptions } from "./kernel.ts";
import { offsetC, sizeOf } from "./offsets.ts";
import { noAxes } from "./program.ts";
import { convert } from "./scalar.ts";

/** Fewer rows or columns than these are not worth packing. */
const fewest = 8;
const fewestSteps = 4;
/** The most rows and vectors of columns of a tile, on any machine. */
const mostRows = 12;
const mostVectorBytes = 128;
/** Sums at once where nothing is packed. */
const lanesAtOnce = 64;

/** One call after the other; each may be cut along its extent. */
export interface Phase {
  readonly name: string;
  readonly text: string;
  readonly extent: number;
  readonly work: number;
}

export interface DotSource {
  readonly phases: readonly Phase[];
  /** How often the phases run; they read the number of the round as the variable `batch`. */
  readonly rounds: number;
  readonly how: string;
}

const isPacked = ({ m, n, k, accumulate }: DotStep): boolean =>
  (accumulate === "float32" || accumulate === "float64" || accumulate === "int32") &&
  sizeOf(m) >= fewest &&
  sizeOf(n) >= fewest &&
  sizeOf(k) >= fewestSteps;

const upTo = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

const columnsIn = (accumulate: DType): number => mostVectorBytes / itemSize(accumulate);

/** Bytes for the panels of both operands. */
export function dotScratch(step: DotStep): number {
  if (!isPacked(step)) return 0;
  const { m, n, k, accumulate } = step;
  const rows = upTo(sizeOf(m), mostRows) + upTo(sizeOf(n), columnsIn(accumulate));
  return rows * sizeOf(k) * itemSize(accumulate) + 256;
}

/** @param scratch address of `dotScratch` bytes */
export function dotSource(
  name: string,
  step: DotStep,
  options: KernelOptions,
  scratch: string,
): DotSource {
  const points = sizeOf(step.batch) * sizeOf(step.m) * sizeOf(step.n);
  if (points === 0) return { phases: [], rounds: 0, how: "nothing" };
  return isPacked(step) ? packed(name, step, options, scratch) : thin(name, step, options);
}

const signature = (name: string): string =>
  `static void ${name}(uint8_t *m, const long *L, long batch, long from, long to, long member)`;

/** The first element of a batch of an operand. */
function pointer(
  { buffer, base, batch }: Strided,
  dtype: DType,
  extents: readonly number[],
  { memory }: KernelOptions,
): string {
  const type = memoryType(dtype);
  const offset = offsetC({ extents, strides: batch }, "batch");
  return `(${type} *)${memory.address(buffer)} + ${indexC(base, noAxes)} + ${offset}`;
}

function packed(name: string, step: DotStep, options: KernelOptions, scratch: string): DotSource {
  const { accumulate, dtype, lhs, rhs, out } = step;
  const [m, n, k] = [sizeOf(step.m), sizeOf(step.n), sizeOf(step.k)];
  const type = sumType(accumulate);
  const isOnto = step.onto === true;
  const tile = tileFunction(options.library, accumulate, options.isFast, isOnto);
  const leftAt = `((${type} *)(${scratch}))`;
  const rightAt = `(${leftAt} + ${upTo(m, mostRows) * k}L)`;
  const pack = (
    side: string,
    { operand, from, extents, extent, width, to }: PackOptions,
  ): Phase => ({
    name: `${name}_${side}`,
    extent: Math.ceil(extent / 4),
    work: k * 8,
    text: `${signature(`${name}_${side}`)} {
const ${memoryType(from)} *x = ${pointer(operand, from, step.batch, options)};
enum { width = ${width} };
/* Panels that begin in this part. */
for (long panel = (from * 4 + width - 1) / width * width; panel < gf_min(to * 4, ${extent}L); panel += width) {
${type} *y = ${to} + panel * ${k}L;
long at[width];
for (long i = 0; i < width; i++) at[i] = ${offsetC({ extents, strides: operand.free }, `gf_min(panel + i, ${extent - 1}L)`)};
for (long p = 0; p < ${k}L; p++) {
const ${memoryType(from)} *z = x + ${offsetC({ extents: step.k, strides: operand.contract }, "p")};
for (long i = 0; i < width; i++) y[p * width + i] = (${type})${convert(from, accumulate, from === "bool" ? "(z[at[i]] != 0)" : "z[at[i]]")};
}
}
}
`,
  });
  const left = pack("left", {
    ...{ operand: lhs, from: step.lhsDType, extents: step.m, extent: m },
    ...{ width: "GF_ROWS", to: leftAt },
  });
  const right = pack("right", {
    ...{ operand: rhs, from: step.rhsDType, extents: step.n, extent: n },
    ...{ width: `2 * GF_BYTES / ${itemSize(accumulate)}`, to: rightAt },
  });
  const rowStrides = out.free.slice(0, step.m.length);
  const columnStrides = out.free.slice(step.m.length);
  const result = convert(accumulate, dtype, `(${cType(accumulate)})sums[i * columns + j]`);
  const eachSum = (text: string): string => `for (long i = 0; i < r; i++) {
${memoryType(dtype)} *line = z + ${offsetC({ extents: step.m, strides: rowStrides }, "row + i")};
for (long j = 0; j < c; j++) {
const long at = ${offsetC({ extents: step.n, strides: columnStrides }, "column + j")};
${text}
}
}
`;
  const tiles: Phase = {
    name: `${name}_tiles`,
    extent: Math.ceil(m / mostRows),
    work: mostRows * n * k * 2,
    text: `${signature(`${name}_tiles`)} {
enum { rows = GF_ROWS, columns = 2 * GF_BYTES / ${itemSize(accumulate)}, some = ${mostRows} * 8 };
${memoryType(dtype)} *z = ${pointer(out, dtype, step.batch, options)};
const long last = gf_min(to * ${mostRows}, ${m}L);
for (long block = from * ${mostRows}; block < last; block += some)
for (long column = 0; column < ${n}L; column += columns) {
const long c = gf_min(columns, ${n}L - column);
for (long row = block; row < gf_min(block + some, last); row += rows) {
const long r = gf_min(rows, ${m}L - row);
${type} sums[rows * columns] __attribute__((aligned(64)))${isOnto ? " = {0}" : ""};
${isOnto ? eachSum("sums[i * columns + j] = line[at];") : ""}${tile}(${k}L, ${leftAt} + row * ${k}L, ${rightAt} + column * ${k}L, sums);
${eachSum(`line[at] = ${result};`)}}
}
}
`,
  };
  return {
    phases: [left, right, tiles],
    rounds: sizeOf(step.batch),
    how: "C, packed tiles",
  };
}

interface PackOptions {
  readonly operand: Strided;
  readonly from: DType;
  readonly extents: readonly number[];
  readonly extent: number;
  readonly width: string;
  readonly to: string;
}

/** What sums are held in: integers wrap, so they are unsigned. */
const sumType = (accumulate: DType): string =>
  accumulate === "int32" ? "uint32_t" : cType(accumulate);

/** `void f(long k, const T *a, const T *b, T *sums)`: GF_ROWS times two vectors of sums over panels [k][…]. */
function tileFunction(
  library: Library,
  accumulate: DType,
  isFast: boolean,
  isOnto: boolean,
): string {
  const type = sumType(accumulate);
  const body = (rows: number): string => {
    const each = (text: (i: number) => string): string =>
      Array.from({ length: rows }, (_, i) => text(i)).join("\n");
    const start = (i: number): string =>
      isOnto
        ? `vec s${i} = *(const vec *)(sums + ${2 * i} * lanes), t${i} = *(const vec *)(sums + ${2 * i + 1} * lanes);`
        : `vec s${i} = {0}, t${i} = {0};`;
    return `${each(start)}
for (long p = 0; p < k; p++, a += ${rows}, b += 2 * lanes) {
const vec x = *(const vec *)b, y = *(const vec *)(b + lanes);
${each((i) => `s${i} = s${i} + a[${i}] * x; t${i} = t${i} + a[${i}] * y;`)}
}
${each((i) => `*(vec *)(sums + ${2 * i} * lanes) = s${i}; *(vec *)(sums + ${2 * i + 1} * lanes) = t${i};`)}`;
  };
  return library.need(
    `gf_tile_${isOnto ? "onto_" : ""}${accumulate}`,
    (name) => `
${isFast ? "GF_CONTRACT\n" : ""}static void ${name}(long k, const ${type} *a, const ${type} *b, ${type} *sums) {
${isFast ? "GF_CONTRACT_HERE\n" : ""}typedef ${type} vec __attribute__((vector_size(GF_BYTES), aligned(sizeof(${type})), may_alias));
enum { lanes = GF_BYTES / sizeof(${type}) };
#if GF_ROWS == 12
${body(12)}
#else
${body(6)}
#endif
}`,
  );
}

/** Sums side by side along the longer of m and n, k in order. */
function thin(name: string, step: DotStep, options: KernelOptions): DotSource {
  const { accumulate, dtype, lhs, rhs, out } = step;
  const [m, n, k] = [sizeOf(step.m), sizeOf(step.n), sizeOf(step.k)];
  const isAcrossRows = m > n;
  const rowStrides = out.free.slice(0, step.m.length);
  const columnStrides = out.free.slice(step.m.length);
  const left = { extents: step.m, strides: lhs.free };
  const right = { extents: step.n, strides: rhs.free };
  const [row, column] = isAcrossRows ? ["i + l", "j"] : ["j", "i + l"];
  const [across, along] = isAcrossRows ? [m, n] : [n, m];
  const element = (from: DType, text: string): string =>
    convert(from, accumulate, from === "bool" ? `(${text} != 0)` : text);
  const x = element(
    step.lhsDType,
    `x[${offsetC(left, row)} + ${offsetC({ extents: step.k, strides: lhs.contract }, "p")}]`,
  );
  const y = element(
    step.rhsDType,
    `y[${offsetC(right, column)} + ${offsetC({ extents: step.k, strides: rhs.contract }, "p")}]`,
  );
  const to = `z[${offsetC({ extents: step.m, strides: rowStrides }, row)} + ${offsetC({ extents: step.n, strides: columnStrides }, column)}]`;
  const isFused = options.isFast && accumulate === "float32";
  const next = isFused
    ? `gf_fma(${x}, ${y}, sums[l])`
    : combine("add", accumulate, "sums[l]", combine("mul", accumulate, x, y));
  const text = `${signature(name)} {
const ${memoryType(step.lhsDType)} *x = ${pointer(lhs, step.lhsDType, step.batch, options)};
const ${memoryType(step.rhsDType)} *y = ${pointer(rhs, step.rhsDType, step.batch, options)};
${memoryType(dtype)} *z = ${pointer(out, dtype, step.batch, options)};
for (long j = 0; j < ${along}L; j++)
for (long i = from; i < to; i += ${lanesAtOnce}) {
const long lanes = gf_min(${lanesAtOnce}, to - i);
${cType(accumulate)} sums[${lanesAtOnce}] = {0};
${step.onto === true ? `for (long l = 0; l < lanes; l++) sums[l] = ${element(dtype, to)};` : ""}
for (long p = 0; p < ${k}L; p++) {
GF_LANES
for (long l = 0; l < lanes; l++) sums[l] = ${next};
}
for (long l = 0; l < lanes; l++)
${to} = ${convert(accumulate, dtype, "sums[l]")};
}
}
`;
  const phase: Phase = { name, text, extent: across, work: along * k * 2 };
  return { phases: [phase], rounds: sizeOf(step.batch), how: "C, sums side by side" };
}

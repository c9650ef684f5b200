/**
 * `sort` and `topk` in C. Keys are words whose unsigned order is the one wanted (−0 equals +0, NaNs are equal and last),
 * and each word is sorted together with the place it came from: by insertion where there are few, by digits from the
 * least significant up otherwise, both stable. Longer keys, and further ones, are sorted by first.
 */
import {
  bitsDType,
  type DType,
  isFloat,
  isSigned,
  itemSize,
  type SortStep,
  type TopKStep,
} from "@gridfuse/plan";
import { memoryType, unsignedType } from "./c-types.ts";
import type { Library } from "./folds.ts";
import type { KernelOptions, StepSource } from "./kernel.ts";

/** Bytes that one thread needs for a row: words with places, twice, and the elements of every operand. */
const rowScratch = (extent: number, dtypes: readonly DType[]): number =>
  16 * extent + dtypes.reduce((bytes, dtype) => bytes + upTo64(extent * itemSize(dtype)), 0) + 64;
const upTo64 = (bytes: number): number => Math.ceil(bytes / 64) * 64;

export const sortScratch = (step: SortStep): number => upTo64(rowScratch(step.extent, step.dtypes));
export const topKScratch = (step: TopKStep): number => upTo64(rowScratch(step.extent, []));

/** `uint64_t f(T bits)`: the order of an element as an unsigned number of as many bits. */
function keyFunction(library: Library, dtype: DType): string {
  const type = unsignedType(dtype);
  const bits = 8 * itemSize(dtype);
  const top = `((${type})1 << ${bits - 1})`;
  return library.need(`gf_key_${dtype}`, (name) => {
    if (!isFloat(dtype)) {
      const flipped = isSigned(dtype) ? `(${type})(x ^ ${top})` : "x";
      return `GF_INLINE uint64_t ${name}(${type} x) { return ${flipped}; }`;
    }
    const infinity = { float16: "0x7c00u", bfloat16: "0x7f80u", float32: "0x7f800000u" };
    const most = infinity[dtype as "float16"] ?? "0x7ff0000000000000u";
    return `GF_INLINE uint64_t ${name}(${type} x) {
  const ${type} size = x & (${type})~${top};
  if (size > ${most}) return (${type})~(${type})0;
  if (size == 0) return ${top};
  return (${type})(x & ${top} ? ~x : x | ${top});
}`;
  });
}

/** `void f(uint64_t *x, uint64_t *spare, long n)`: stable, by the high words alone. */
const orderFunction = (library: Library): string =>
  library.need(
    "gf_order",
    (name) => `
static void ${name}_digits(uint64_t *x, uint64_t *spare, long n, int bits) {
  const long digits = 1L << bits;
  uint64_t *from = x, *to = spare;
  for (int shift = 32; shift < 64; shift += bits) {
    uint32_t counts[2048];
    memset(counts, 0, (size_t)digits * sizeof counts[0]);
    for (long i = 0; i < n; i++) counts[(from[i] >> shift) & (digits - 1)]++;
    if (counts[(from[0] >> shift) & (digits - 1)] == n) continue;
    uint32_t place = 0;
    for (long d = 0; d < digits; d++) { const uint32_t here = counts[d]; counts[d] = place; place += here; }
    for (long i = 0; i < n; i++) to[counts[(from[i] >> shift) & (digits - 1)]++] = from[i];
    uint64_t *const other = from; from = to; to = other;
  }
  if (from != x) memcpy(x, from, (size_t)n * sizeof *x);
}
static void ${name}(uint64_t *x, uint64_t *spare, long n) {
  if (n > 48) { ${name}_digits(x, spare, n, n > 4096 ? 11 : 8); return; }
  for (long i = 1; i < n; i++) {
    const uint64_t item = x[i];
    long j = i;
    for (; j > 0 && item >> 32 < x[j - 1] >> 32; j--) x[j] = x[j - 1];
    x[j] = item;
  }
}`,
  );

/** Statements that leave the order of a row in the low words of x. */
function orderOf(
  keys: readonly { readonly dtype: DType; readonly from: string }[],
  extent: number,
  stride: number,
  library: Library,
  isReversed: boolean,
): string {
  const order = orderFunction(library);
  const words = keys.flatMap(({ dtype, from }) => {
    const key = (at: string): string =>
      `(${isReversed ? "~" : ""}${keyFunction(library, dtype)}(${from}[start + ${at} * ${stride}L]))`;
    const word = (shift: number) => (at: string) =>
      `((uint64_t)(uint32_t)(${key(at)} >> ${shift}))`;
    return itemSize(dtype) === 8 ? [word(32), word(0)] : [word(0)];
  });
  return words
    .toReversed()
    .map((word, i) => {
      const place = i === 0 ? "i" : "(uint32_t)x[i]";
      return `for (long i = 0; i < ${extent}L; i++) { const uint64_t place = ${place}; x[i] = ${word("(long)place")} << 32 | place; }
${order}(x, spare, ${extent}L);
`;
    })
    .join("");
}

const header = (name: string): string =>
  `static void ${name}(uint8_t *m, const long *L, long batch, long from, long to, long member) {\n`;

const scratchOf = (scratch: string, bytes: number, extent: number): string =>
  `uint64_t *const x = (uint64_t *)(${scratch} + member * ${bytes}L), *const spare = x + ${extent}L;\n`;

export function sortSource(
  name: string,
  step: SortStep,
  { memory, library }: KernelOptions,
  scratch: string,
): StepSource {
  const { outer, extent, inner, dtypes, keys } = step;
  const pointers = step.inputs.map((buffer, i) => {
    const type = memoryType(bitsDType(dtypes[i] as DType));
    return `const ${type} *const in${i} = (${type} *)${memory.address(buffer)};\n`;
  });
  let at = 0;
  const rows = step.sources.map((source) => {
    const dtype = dtypes[source];
    if (dtype === undefined) return undefined;
    const start = at;
    at += upTo64(extent * itemSize(dtype));
    return { source, type: memoryType(bitsDType(dtype)), start };
  });
  // Inputs and outputs may share memory in any combination: every row is read before one is written.
  const gathers = rows.map((row, i) =>
    row === undefined
      ? ""
      : `${row.type} *const row${i} = (${row.type} *)((uint8_t *)(spare + ${extent}L) + ${row.start});
for (long i = 0; i < ${extent}L; i++) row${i}[i] = in${row.source}[start + (long)(uint32_t)x[i] * ${inner}L];\n`,
  );
  const stores = rows.map((row, i) => {
    const address = memory.address(step.outputs[i] as number);
    const [type, value] =
      row === undefined ? ["int32_t", "(int32_t)x[i]"] : [row.type, `row${i}[i]`];
    return `for (long i = 0; i < ${extent}L; i++) ((${type} *)${address})[start + i * ${inner}L] = ${value};\n`;
  });
  const words = dtypes.slice(0, keys).map((dtype, i) => ({ dtype, from: `in${i}` }));
  return {
    text: `${header(name)}${pointers.join("")}${scratchOf(scratch, sortScratch(step), extent)}for (long line = from; line < to; line++) {
const long start = line / ${inner}L * ${extent * inner}L + line % ${inner}L;
${orderOf(words, extent, inner, library, false)}${gathers.join("")}${stores.join("")}}
}
`,
    extent: extent === 0 ? 0 : outer * inner,
    work: extent * 40,
    how: "C, digits or insertion",
  };
}

export function topKSource(
  name: string,
  step: TopKStep,
  { memory, library }: KernelOptions,
  scratch: string,
): StepSource {
  const { outer, extent, k, dtype } = step;
  const type = memoryType(bitsDType(dtype));
  return {
    text: `${header(name)}const ${type} *const in0 = (${type} *)${memory.address(step.input)};
${type} *const values = (${type} *)${memory.address(step.values)};
int32_t *const places = (int32_t *)${memory.address(step.indices)};
${scratchOf(scratch, topKScratch(step), extent)}for (long line = from; line < to; line++) {
const long start = line * ${extent}L;
${orderOf([{ dtype, from: "in0" }], extent, 1, library, true)}for (long i = 0; i < ${k}L; i++) {
places[line * ${k}L + i] = (int32_t)x[i];
values[line * ${k}L + i] = in0[start + (long)(uint32_t)x[i]];
}
}
}
`,
    extent: k === 0 ? 0 : outer,
    work: extent * 40,
    how: "C, whole rows sorted",
  };
}

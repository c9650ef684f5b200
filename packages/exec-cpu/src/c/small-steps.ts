/** Scans, scatters and copies in C. */
import {
  type CopyStep,
  type DType,
  itemSize,
  type ScanStep,
  type ScatterStep,
} from "@gridfuse/plan";
import { valuesIn } from "../codegen/program-facts.ts";
import { cType, memoryType } from "./c-types.ts";
import { combine, type Library } from "./folds.ts";
import { indexC } from "./index-c.ts";
import type { KernelOptions, StepSource } from "./kernel.ts";
import { Body, missingReduction, noAxes } from "./program.ts";
import { binary } from "./scalar.ts";

/** Lines that are scanned side by side. */
const linesAtOnce = 64;

const header = (name: string): string =>
  `static void ${name}(uint8_t *m, const long *L, long batch, long from, long to, long member) {\n`;

/** Sums of 32-bit elements along lines that are neighbours of nothing: eight lines at a time, turned by 8 × 8 transpositions. */
function turnedScan(name: string, step: ScanStep, options: KernelOptions): StepSource {
  const { op, reverse, outer, extent, dtype } = step;
  const { memory, library } = options;
  const [type, turn] = [memoryType(dtype), turnFunction(library, dtype)];
  const whole = Math.floor(extent / 8) * 8;
  const first = dtype !== "float32" ? "0" : op === "add" ? "-0.0f" : "1.0f";
  const sign = op === "add" ? "+" : "*";
  const c = reverse ? "7 - c" : "c";
  const one = scanSource(`${name}_line`, step, options, false);
  return {
    text: `${one.text}
${header(name)}const ${type} *const x = (${type} *)${memory.address(step.input)};
${type} *const y = (${type} *)${memory.address(step.output)};
long line = from;
for (; line + 8 <= to; line += 8) {
gf_eight_${dtype} total = (gf_eight_${dtype}){0} + ${first}, r[8];
if (${first === "-0.0f" ? 1 : 0}) for (int i = 0; i < 8; i++) total[i] = ${first};
for (long e = 0; e < ${whole}L; e += 8) {
const long place = line * ${extent}L + ${reverse ? `${extent - 8}L - e` : "e"};
for (int i = 0; i < 8; i++) r[i] = *(const gf_eight_${dtype} *)(x + place + i * ${extent}L);
${turn}(r);
for (int c = 0; c < 8; c++) r[${c}] = total = total ${sign} r[${c}];
${turn}(r);
for (int i = 0; i < 8; i++) *(gf_eight_${dtype} *)(y + place + i * ${extent}L) = r[i];
}
for (long e = ${whole}L; e < ${extent}L; e++)
for (int i = 0; i < 8; i++) {
const long place = (line + i) * ${extent}L + ${reverse ? `${extent - 1}L - e` : "e"};
const ${cType(dtype)} sum = total[i];
y[place] = ${combine(op, dtype, "sum", "x[place]")};
total[i] = y[place];
}
}
${name}_line(m, L, batch, line, to, member);
}
`,
    extent: extent === 0 ? 0 : outer,
    work: extent * 4,
    how: "C, eight lines at a time",
  };
}

/** Turns a square of eight by eight 32-bit elements: its rows become its columns. */
function turnFunction(library: Library, dtype: DType): string {
  const rows = [0, 1, 2, 3, 4, 5, 6, 7];
  const unsigned = dtype === "float32" ? "float" : "uint32_t";
  const pair = (a: string, b: string, low: boolean, [lows, highs]: readonly [string, string]) =>
    `GF_SHUFFLE(${a}, ${b}, ${low ? lows : highs})`;
  const ones = ["0, 8, 1, 9, 4, 12, 5, 13", "2, 10, 3, 11, 6, 14, 7, 15"] as const;
  const twos = ["0, 1, 8, 9, 4, 5, 12, 13", "2, 3, 10, 11, 6, 7, 14, 15"] as const;
  const fours = ["0, 1, 2, 3, 8, 9, 10, 11", "4, 5, 6, 7, 12, 13, 14, 15"] as const;
  return library.need(
    `gf_turn_${dtype}`,
    (name) => `
typedef ${unsigned} gf_eight_${dtype} __attribute__((vector_size(32), aligned(4), may_alias));
GF_INLINE void ${name}(gf_eight_${dtype} r[8]) {
  const gf_eight_${dtype} ${rows.map((i) => `t${i} = ${pair(`r[${i & 6}]`, `r[${i | 1}]`, i % 2 === 0, ones)}`).join(", ")};
  const gf_eight_${dtype} ${rows.map((i) => `u${i} = ${pair(`t${(i & 4) + ((i & 2) >> 1)}`, `t${(i & 4) + ((i & 2) >> 1) + 2}`, i % 2 === 0, twos)}`).join(", ")};
  ${rows.map((i) => `r[${i}] = ${pair(`u${i & 3}`, `u${(i & 3) + 4}`, i < 4, fours)};`).join(" ")}
}`,
  );
}

const mayTurn = ({ inner, dtype, op }: ScanStep): boolean =>
  inner === 1 &&
  ((dtype === "float32" && (op === "add" || op === "mul")) ||
    ((dtype === "int32" || dtype === "uint32") && op === "add"));

/** In order along each line; neighbouring lines are lanes. */
export function scanSource(
  name: string,
  step: ScanStep,
  options: KernelOptions,
  turns: boolean = mayTurn(step),
): StepSource {
  if (turns) return turnedScan(name, step, options);
  const { memory } = options;
  const { op, reverse, outer, extent, inner, dtype } = step;
  const [type, held] = [memoryType(dtype), cType(dtype)];
  const at = reverse ? `(${extent - 1}L - e)` : "e";
  const load = dtype === "bool" ? "x[place] != 0" : "x[place]";
  const isWide = inner >= 8;
  // Lines that are neighbours in memory, or eight that are not.
  const lines = isWide ? linesAtOnce : 8;
  const count = isWide
    ? `gf_min(gf_min(${lines}, to - line), ${inner}L - line % ${inner}L)`
    : `gf_min(${lines}, to - line)`;
  const place = isWide
    ? "start + i"
    : `(line + i) / ${inner}L * ${extent * inner}L + (line + i) % ${inner}L`;
  const start = isWide ? `line / ${inner}L * ${extent * inner}L + line % ${inner}L` : "0";
  return {
    text: `${header(name)}const ${type} *const x = (${type} *)${memory.address(step.input)};
${type} *const y = (${type} *)${memory.address(step.output)};
for (long line = from, count; line < to; line += count) {
count = ${count};
const long start = ${start};
long places[${lines}];
for (long i = 0; i < count; i++) places[i] = ${place};
${held} total[${lines}];
for (long e = 0; e < ${extent}L; e++) {
const long row = ${at} * ${inner}L;
GF_LANES
for (long i = 0; i < count; i++) {
const long place = ${isWide ? "start + i" : "places[i]"} + row;
const ${held} value = ${load};
total[i] = e == 0 ? value : ${combine(op, dtype, "total[i]", "value")};
y[place] = total[i];
}
}
}
}
`,
    extent: extent === 0 ? 0 : outer * inner,
    work: extent * 4,
    how: isWide ? "C, lanes across lines" : "C, line by line",
  };
}

/** One point after the other: collisions have an order. */
export function scatterSource(
  name: string,
  { axes, nodes, combine: how, write }: ScatterStep,
  { memory }: KernelOptions,
): StepSource {
  const roots = [
    write.value,
    ...[write.index, ...write.guard.map(({ index }) => index)].flatMap(valuesIn),
  ];
  const body = new Body({
    ...{
      memory,
      nodes,
      roots,
      laneAxis: undefined,
      contractions: undefined,
      reducedVaries: false,
      largestSide: 8,
    },
    reduced: (stage, reduction) => {
      throw missingReduction(stage, reduction);
    },
  });
  const { dtype } = write;
  const value = body.value(write.value);
  const element = body.element(write.buffer, dtype, write.index);
  const present = dtype === "bool" ? "(*place != 0)" : "*place";
  const result = how === "set" ? value : binary(how, dtype, present, value);
  const store = `{ ${memoryType(dtype)} *const place = &${element}; *place = ${result}; }\n`;
  const holds = body.guard(write.guard);
  const isNever = write.guard.some(({ index, lo, hi }) => index.hi < lo || index.lo >= hi);
  let text = `${body.before}\n${body.inside}\n${isNever ? "" : holds === undefined ? store : `if (${holds}) ${store}`}`;
  for (const [axis, extent] of [...axes.entries()].reverse()) {
    text = `for (long a${axis} = 0; a${axis} < ${extent}L; a${axis}++) {\n${text}}\n`;
  }
  return { text: `${header(name)}${text}}\n`, extent: 1, work: 0, how: "C, in order" };
}

/** A statement: the copy is the host's. */
export function copyStatement(step: CopyStep, { memory }: KernelOptions): string {
  const size = itemSize(step.dtype);
  const at = (buffer: number, index: CopyStep["toIndex"]): string =>
    `${memory.address(buffer)} + ${indexC(index, noAxes)} * ${size}`;
  return `memmove(${at(step.to, step.toIndex)}, ${at(step.from, step.fromIndex)}, ${step.length * size}u);\n`;
}

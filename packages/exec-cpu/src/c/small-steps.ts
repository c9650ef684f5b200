/** Scans, scatters and copies in C. */
import { type CopyStep, itemSize, type ScanStep, type ScatterStep } from "@gridfuse/plan";
import { valuesIn } from "../codegen/program-facts.ts";
import { cType, memoryType } from "./c-types.ts";
import { combine } from "./folds.ts";
import { indexC } from "./index-c.ts";
import type { KernelOptions, StepSource } from "./kernel.ts";
import { Body, missingReduction, noAxes } from "./program.ts";
import { binary } from "./scalar.ts";

/** Lines that are scanned side by side. */
const linesAtOnce = 64;

const header = (name: string): string =>
  `static void ${name}(uint8_t *m, const long *L, long batch, long from, long to, long member) {\n`;

/** In order along each line; neighbouring lines are lanes. */
export function scanSource(name: string, step: ScanStep, { memory }: KernelOptions): StepSource {
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

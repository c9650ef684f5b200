/**
 * What the shaders of a stage have in common: reads from heaps, reductions of earlier stages from
 * scratch memory, and guarded writes.
 */
import { itemSize, type Stage, type Write } from "@gridfuse/plan";
import type { LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import type { MemoryLayout } from "../memory.ts";
import { axisName } from "./domain.ts";
import { indexText } from "./index-text.ts";
import { convertText } from "./op-text.ts";
import { guardText, type ProgramText, writeProgram, writeRoots } from "./program-text.ts";
import { fromWordText, type ShaderDType, shaderDType, toBitsText } from "./value.ts";

/** A finished reduction: one word for each outer point, from `word` of the scratch memory. */
export interface ReducedPlace {
  readonly word: number;
  readonly dtype: ShaderDType;
  /** argmax and argmin leave a `u32` index, the others a value of `dtype`. */
  readonly holds: "value" | "index";
}

export interface StageContext {
  readonly name: string;
  readonly outer: readonly number[];
  readonly stage: Stage;
  readonly layout: MemoryLayout;
  /** By stage, by reduction; of earlier stages. */
  readonly reduced: readonly (readonly ReducedPlace[])[];
}

const suffixes = { 1: "_u8", 2: "_u16", 4: "" } as const;

/** Element `index` (an `i32` text) of a plan buffer as an argument list of an access function. */
function element(
  layout: MemoryLayout,
  buffer: number,
  dtype: ShaderDType,
  index: string,
): { heap: number; suffix: string; at: string } {
  const place = layout.buffers[buffer] as MemoryLayout["buffers"][number];
  const size = itemSize(dtype) as 1 | 2 | 4;
  const base = place.byteOffset / size;
  const at = base === 0 ? `u32(${index})` : `${base}u + u32(${index})`;
  return { heap: place.heap, suffix: suffixes[size], at };
}

/** The bits of an element, as a `u32` whose high bits are arbitrary. */
export function loadText(
  layout: MemoryLayout,
  buffer: number,
  dtype: ShaderDType,
  index: string,
): string {
  const { heap, suffix, at } = element(layout, buffer, dtype, index);
  return `load${heap}${suffix}(${at})`;
}

/** The statement that writes a value of `dtype`. */
export function storeText(
  layout: MemoryLayout,
  buffer: number,
  dtype: ShaderDType,
  index: string,
  value: string,
): string {
  const { heap, suffix, at } = element(layout, buffer, dtype, index);
  return `store${heap}${suffix}(${at}, ${toBitsText(dtype, value)});`;
}

export const scratchLoad = (layout: MemoryLayout, word: number, index: string): string =>
  `load${layout.scratchHeap}(${word}u + ${index})`;
export const scratchStore = (
  layout: MemoryLayout,
  word: number,
  index: string,
  value: string,
): string => `store${layout.scratchHeap}(${word}u + ${index}, ${value});`;

/** The stage's program with its writes, for one point; the outer point's number is `outer`. */
export function writeStage({ stage, layout, reduced }: StageContext): ProgramText {
  const roots = [
    ...stage.writes.flatMap(writeRoots),
    ...stage.reductions.map(({ value }) => value),
  ];
  const program = writeProgram(stage.nodes, roots, {
    axis: axisName,
    load(node: LoadNode, index: string): string {
      return loadText(layout, node.buffer, shaderDType(node.dtype), index);
    },
    reduced(from: number, reduction: number): string {
      const { word, dtype, holds } = (reduced[from] as readonly ReducedPlace[])[
        reduction
      ] as ReducedPlace;
      const bits = scratchLoad(layout, word, "outer");
      return holds === "index" ? convertText("uint32", dtype, bits) : fromWordText(dtype, bits);
    },
  });
  const writes = stage.writes.flatMap((write) => writeLines(write, stage.nodes, program, layout));
  return { ...program, lines: [...program.lines, ...writes] };
}

function writeLines(
  write: Write,
  nodes: readonly ScalarNode[],
  program: ProgramText,
  layout: MemoryLayout,
): string[] {
  const dtype = shaderDType(write.dtype);
  const from = shaderDType((nodes[write.value] as ScalarNode).dtype);
  const value = convertText(from, dtype, program.value(write.value));
  const index = indexText(write.index, program.indexNames);
  const store = storeText(layout, write.buffer, dtype, index, value);
  const guard = guardText(write.guard, program.indexNames);
  return guard === undefined ? [store] : [`if (${guard}) {`, `  ${store}`, "}"];
}

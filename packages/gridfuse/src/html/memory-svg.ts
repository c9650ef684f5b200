/** The arena over time: every intermediate as a rectangle from its first step to its last, at its offset. */
import { accessesOf, bufferNames, counted } from "@gridfuse/passes";
import { itemSize, type Plan } from "@gridfuse/plan";
import { type Markup, markup } from "./markup.ts";

export interface Lifetime {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  /** Steps of the plan, from 0; what happens inside a loop happens at the loop. */
  readonly first: number;
  readonly last: number;
}

/** When and where each intermediate lives. */
export function lifetimesOf(plan: Plan): readonly Lifetime[] {
  const names = bufferNames(plan);
  const spans = new Map<number, { first: number; last: number }>();
  for (const [at, step] of plan.steps.entries()) {
    const { reads, writes } = accessesOf(step);
    for (const buffer of [...reads, ...writes]) {
      const span = spans.get(buffer);
      if (span === undefined) spans.set(buffer, { first: at, last: at });
      else span.last = at;
    }
  }
  return [...spans].flatMap(([id, span]): Lifetime[] => {
    const buffer = plan.buffers[id];
    if (buffer?.kind !== "temporary" || buffer.offset === undefined) return [];
    const bytes = buffer.length * itemSize(buffer.dtype);
    return bytes === 0 ? [] : [{ name: names(id), offset: buffer.offset, bytes, ...span }];
  });
}

const width = 720;
const height = 260;
const colours = 6;

export function memorySvg(plan: Plan): Markup {
  const lifetimes = lifetimesOf(plan);
  const peak = plan.arenaBytes;
  if (lifetimes.length === 0 || peak === 0) {
    return markup`<p>No intermediate is stored: the arena is empty.</p>`;
  }
  const steps = plan.steps.length;
  const x = (step: number): number => round((step / steps) * width);
  const y = (bytes: number): number => round((bytes / peak) * height);
  const boxes = lifetimes.map(
    ({ name, offset, bytes, first, last }, i) =>
      markup`<rect class="life life${i % colours}" x="${x(first)}" y="${y(offset)}" width="${Math.max(1, round(x(last + 1) - x(first)))}" height="${Math.max(1, y(bytes))}"><title>${name}: ${bytes} bytes at ${offset}, ${plan.steps[first]?.name ?? ""} to ${plan.steps[last]?.name ?? ""}</title></rect>`,
  );
  return markup`<svg class="memory" viewBox="0 0 ${width} ${height}" role="img" aria-label="memory over the steps of the plan">${boxes}</svg><p>Left to right: ${counted(steps, "step")}. Top to bottom: ${peak} bytes of arena, the peak.</p>`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

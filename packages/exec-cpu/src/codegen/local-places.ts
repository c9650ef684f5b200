/**
 * Memory that a worker has to itself: temporaries that belong to one tile (see `TileStep`), packed together. The caller's
 * lie in the arena where the plan puts them; what the plan places on top of each other lies so here too.
 */
import { itemSize, type Plan, type PlanBuffer, type Step } from "@gridfuse/plan";
import { alignment } from "../layout.ts";

export interface LocalPlaces {
  /** Byte offsets of buffers. */
  readonly offsets: ReadonlyMap<number, number>;
  readonly bytes: number;
}

const alignUp = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** The temporaries of each tile step that is in no other, with those of tiles inside of it. */
function localsOf(steps: readonly Step[]): (readonly number[])[] {
  return steps.flatMap((step) => {
    switch (step.kind) {
      case "tile":
        return [[...step.locals, ...localsOf(step.body).flat()]];
      case "loop":
        return localsOf(step.body);
      case "while":
        return [...localsOf(step.condition), ...localsOf(step.body)];
      case "branch":
        return step.branches.flatMap(localsOf);
      default:
        return [];
    }
  });
}

export function localPlaces({ steps, buffers }: Plan): LocalPlaces {
  const offsets = new Map<number, number>();
  let bytes = 0;
  for (const locals of localsOf(steps)) {
    const spans = locals
      .map((buffer) => {
        const { offset = 0, length, dtype } = buffers[buffer] as PlanBuffer;
        const size = Math.max(alignUp(length * itemSize(dtype)), alignment);
        return { buffer, from: offset, to: offset + size };
      })
      .sort((p, q) => p.from - q.from);
    // Arena below `free` has its place; what begins beyond moves down to it.
    let [free, moved] = [0, 0];
    for (const { buffer, from, to } of spans) {
      if (from > free) moved += from - free;
      offsets.set(buffer, from - moved);
      free = Math.max(free, to);
    }
    bytes = Math.max(bytes, free - moved);
  }
  return { offsets, bytes };
}

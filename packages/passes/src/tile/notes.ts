/** What the report says of chains that were divided: by which step, and what it reads of what other tiles make. */
import { guardedInterval, type Step } from "@gridfuse/plan";
import { accessesOf } from "../plan/accesses.ts";
import type { CutStep } from "./cut-step.ts";
import { forEachLeaf } from "./mentions.ts";
import { partLength, type Tiling, withinPart } from "./uses.ts";

const mostNotes = 8;

export class TileNotes {
  readonly #notes: string[];
  readonly #budget: number;
  readonly #steps: readonly Step[];
  #count = 0;

  /** @param budget bytes of temporaries of which nothing is said */
  constructor(notes: string[], budget: number, steps: readonly Step[]) {
    this.#notes = notes;
    this.#budget = budget;
    this.#steps = steps;
  }

  add(
    step: Step,
    reason: string,
    bytes: number,
    cutOf: () => CutStep | string,
    tiling: Tiling,
  ): void {
    if (bytes <= this.#budget || this.#count >= mostNotes) return;
    this.#count += 1;
    const cut = cutOf();
    const how = typeof cut === "string" ? undefined : this.#reach(cut, tiling);
    const size = `${(bytes / 1024).toFixed(0)} KiB`;
    this.#notes.push(
      `tile: "${step.name}" divides a chain with ${size} of temporaries: ${how ?? reason}`,
    );
  }

  /** How far the kernel reads beyond its tile's part of what another step makes. */
  #reach({ step, uses }: CutStep, tiling: Tiling): string | undefined {
    if (step.kind !== "kernel") return undefined;
    for (const [buffer, { own, read }] of uses.byBuffer) {
      const part = partLength(tiling, buffer);
      const maker = this.#makerOf(buffer);
      if (own || !read || part === undefined || maker === undefined) continue;
      let [before, behind] = [0, 0];
      for (const { nodes } of step.stages) {
        for (const node of nodes) {
          if (node.op !== "load" || node.buffer !== buffer) continue;
          const { lo, hi } = guardedInterval(withinPart(tiling, buffer, node.index), node.guard);
          before = Math.max(before, -lo);
          behind = Math.max(behind, hi - part + 1);
        }
      }
      const reach = [
        ...(before > 0 ? [`${before} before`] : []),
        ...(behind > 0 ? [`${behind} behind`] : []),
      ].join(" and ");
      return `besides its own ${part} of the elements that "${maker}" makes, a tile would read up to ${reach}`;
    }
    return undefined;
  }

  #makerOf(buffer: number): string | undefined {
    let name: string | undefined;
    forEachLeaf(this.#steps, (step) => {
      if (name === undefined && accessesOf(step).writes.has(buffer)) name = step.name;
    });
    return name;
  }
}

/**
 * Kernels under construction.
 *
 * While a kernel is pulled together, axis d of an index expression is dimension d of the root's
 * shape, and every reduction stage gets fresh numbers for what it folds over. Only at the end is it
 * known which axes are outer (all reductions agree on them) and the axes are renumbered: outer ones
 * first, then each stage's own.
 */

import type { Node, ValueId } from "@gridfuse/graph";
import type { KernelStep, Reduction, Stage, Write } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import { AccessMap } from "./access-map.ts";
import { appendNodes } from "./append-nodes.ts";
import { renumbering } from "./index-maps.ts";
import { movedReduction, rewriteStage } from "./rewrite-stage.ts";

export interface StageAxis {
  readonly axis: number;
  readonly extent: number;
}

export class StageBuilder {
  readonly b: ScalarBuilder = new ScalarBuilder();
  readonly inner: readonly StageAxis[];
  readonly reductions: Reduction[] = [];
  readonly writes: Write[] = [];
  /** Nodes of values already pulled, by the number of their coordinates; those of the last number are at hand. */
  #place = -1;
  #pulledHere: Map<ValueId, number> | undefined;
  readonly #pulled = new Map<number, Map<ValueId, number>>();

  constructor(inner: readonly StageAxis[]) {
    this.inner = inner;
  }

  /** Nodes of values already pulled at coordinates with this number; mostly the same as the last time. */
  pulledAt(place: number): Map<ValueId, number> {
    if (place === this.#place) return this.#pulledHere as Map<ValueId, number>;
    let pulled = this.#pulled.get(place);
    if (pulled === undefined) {
      pulled = new Map();
      this.#pulled.set(place, pulled);
    }
    this.#place = place;
    this.#pulledHere = pulled;
    return pulled;
  }
}

export class KernelBuilder {
  readonly domain: readonly number[];
  /** Reduction stages, in order; the final stage comes after them. */
  readonly stages: StageBuilder[] = [];
  readonly final: StageBuilder;
  /** Where a reduction's result is found: value and coordinates → stage and number. */
  readonly reduced: Map<string, { stage: number; reduction: number }> = new Map();
  /** Domain axes that all reductions keep; undefined before the first one. */
  outer: readonly number[] | undefined;
  /** Elements that may yet be computed of values inside an orbit. */
  readonly limits: Map<number, number> = new Map();
  /** Nodes that compute something, for the kernel's name and the user's lines, as often as they were pulled. */
  readonly computed: Node[] = [];
  #nextAxis: number;

  constructor(domain: readonly number[]) {
    this.domain = domain;
    this.final = new StageBuilder(domain.map((extent, axis) => ({ axis, extent })));
    this.#nextAxis = domain.length;
  }

  newAxes(extents: readonly number[]): StageAxis[] {
    return extents.map((extent) => {
      this.#nextAxis += 1;
      return { axis: this.#nextAxis - 1, extent };
    });
  }

  /** Adds a finished reduction stage, merging it with the one before if they fold the same axes. */
  addStage(stage: StageBuilder): { stage: number; first: number } {
    const previous = this.stages.at(-1);
    const index = this.stages.length - 1;
    if (previous !== undefined && canMerge(previous, index, stage)) {
      const first = previous.reductions.length;
      const axes = new Map(
        stage.inner.map(({ axis, extent }, i) => [
          axis,
          ix.axis((previous.inner[i] as StageAxis).axis, extent),
        ]),
      );
      const moved = appendNodes(previous.b, stage.b.nodes, (e) =>
        ix.substitute(e, (leaf) => (leaf.k === "axis" ? (axes.get(leaf.axis) ?? leaf) : leaf)),
      );
      for (const reduction of stage.reductions) {
        previous.reductions.push(movedReduction(reduction, moved));
      }
      return { stage: index, first };
    }
    this.stages.push(stage);
    return { stage: this.stages.length - 1, first: 0 };
  }

  /** The stages over their own axes, those of `outer` first; nothing in them has been written anew yet. */
  drafts(): StageDraft[] {
    const outer = this.outer ?? [];
    const drafts: StageDraft[] = [];
    for (let s = 0; s < this.stages.length; s += 1) {
      const stage = this.stages[s] as StageBuilder;
      drafts.push(draftOf(stage, outer, stage.inner));
    }
    const kept = this.final.inner.filter(({ axis }) => !outer.includes(axis));
    drafts.push(draftOf(this.final, outer, kept));
    return drafts;
  }

  finish(name: string): KernelStep {
    return {
      kind: "kernel",
      name,
      axes: this.outerExtents(),
      stages: this.drafts().map(finishDraft),
    };
  }

  outerExtents(): readonly number[] {
    return (this.outer ?? []).map((axis) => this.domain[axis] as number);
  }
}

/** A stage, and its accesses and axes as they come out. */
export interface StageDraft {
  readonly stage: Stage;
  readonly accesses: AccessMap;
  axes: readonly number[];
}

export const finishDraft = ({ stage, accesses, axes }: StageDraft): Stage =>
  rewriteStage(stage, accesses, axes);

function canMerge(previous: StageBuilder, index: number, next: StageBuilder): boolean {
  return (
    previous.inner.length === next.inner.length &&
    previous.inner.every(({ extent }, i) => extent === next.inner[i]?.extent) &&
    !next.b.nodes.some((node) => node.op === "reduced" && node.stage === index)
  );
}

function draftOf(
  { b: { nodes }, reductions, writes }: StageBuilder,
  outer: readonly number[],
  inner: readonly StageAxis[],
): StageDraft {
  const numbered = outer.slice();
  const axes: number[] = [];
  for (let i = 0; i < inner.length; i += 1) {
    const { axis, extent } = inner[i] as StageAxis;
    numbered.push(axis);
    axes.push(extent);
  }
  const stage: Stage = { axes, nodes, reductions, writes };
  const accesses = new AccessMap(stage);
  const map = renumbering(numbered);
  if (map === undefined) accesses.simplifyGuards();
  else accesses.mapIndices(map);
  return { stage, accesses, axes };
}

export const sameExtents = (a: readonly number[], b: readonly number[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
};

export { plainGuards } from "./guards.ts";

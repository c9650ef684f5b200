/** What cutting a step gives, and what all kinds of steps share of it. */
import type { PlanBuffer, Step } from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import { accessesOf } from "../plan/accesses.ts";
import { reachOf, type Tiling, Uses } from "./uses.ts";

export interface CutContext extends Tiling {
  readonly buffers: readonly PlanBuffer[];
  /** Predicates of `while` steps that go on as long as any lane does, and leave finished lanes as they are. */
  readonly laneLoops: ReadonlySet<number>;
  /** Elements up to which every tile may compute for itself what all of them need. */
  readonly small: number;
}

export interface CutStep {
  /** Most ways are only looked at: a kernel is made when it is asked for. */
  readonly step: Step;
  readonly uses: Uses;
  /** What has to run once, before all tiles. */
  readonly before?: Step;
}
/** Why a step cannot be cut. */
export type Uncut = string;

/** Cuts a step; those that hold others are given it. */
export type Cut = (step: Step, context: CutContext) => CutStep | Uncut;

export const isCut = (result: CutStep | Uncut): result is CutStep => typeof result !== "string";

/** The whole step, as every tile's. */
export function repeated(step: Step): CutStep | undefined {
  if (step.kind !== "kernel" && step.kind !== "copy") return undefined;
  const { reads, writes } = accessesOf(step);
  const uses = new Uses();
  for (const buffer of reads) uses.add(buffer, { own: false, read: true });
  for (const buffer of writes) uses.add(buffer, { own: false, repeated: true });
  return { step, uses };
}

export function addLoads(uses: Uses, nodes: readonly ScalarNode[], context: CutContext): void {
  for (const node of nodes) {
    if (node.op !== "load") continue;
    uses.add(node.buffer, { ...reachOf(context, node.buffer, node), read: true });
  }
}

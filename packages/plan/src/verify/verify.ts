/**
 * The verifier: a plan that passes can be run without a check in the hot path. Rules V1–V9 belong to the
 * container, MessagePack and record readers; the table below is the rest, in the order in which they may rely on each
 * other. Not here yet: overlap of live temporaries (V13), written before read (V14), disjoint writes of
 * parallel axes, order of dependent steps (V19).
 */
import type { Plan } from "../plan.ts";
import { planFromWire, planToWire } from "../wire/records.ts";
import { accessesInBounds } from "./bounds.ts";
import {
  bufferTable,
  constantsHaveTheirBytes,
  outputsAreWritten,
  sizesAreBounded,
  temporariesInArena,
} from "./buffers.ts";
import { buffersExist, domainsAreCountable, dtypesFit, operandsAreEarlier } from "./dtypes.ts";
import {
  loopsAreNamedOnce,
  nestingIsShallow,
  requirementsAreComplete,
  stepBuffersFit,
} from "./steps.ts";
import { tilesAreIndependent } from "./tiles.ts";
import { applyRules, type Rule } from "./walk.ts";

export const rules: readonly Rule[] = [
  sizesAreBounded,
  constantsHaveTheirBytes,
  bufferTable,
  temporariesInArena,
  nestingIsShallow,
  requirementsAreComplete,
  outputsAreWritten,
  loopsAreNamedOnce,
  stepBuffersFit,
  operandsAreEarlier,
  buffersExist,
  dtypesFit,
  domainsAreCountable,
  accessesInBounds,
  tilesAreIndependent,
];

/**
 * Verifies a plan in memory, as a reader would see it: index expressions are bounded anew, so what an object
 * says of its own range is not believed.
 *
 * @throws PlanInvalid with the rule and the path of the first thing that is wrong
 */
export function verifyPlan(plan: Plan): void {
  verifyDecoded({ ...planFromWire(planToWire(plan)), constants: plan.constants });
}

/** Verifies what a reader has just built: its shape is right by construction. */
export function verifyDecoded(plan: Plan): void {
  applyRules(plan, rules);
}

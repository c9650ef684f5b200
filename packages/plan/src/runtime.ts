/**
 * What a process needs to start a plan that it trusts. Decoding and verifying are a module of their own, loaded
 * when a plan has to be read: without trust, or where somebody looks at its steps.
 */
import { readContainer } from "./container.ts";
import { type DecodePortable, type LoadOptions, openNative, trustedPlan } from "./native.ts";
import type { Plan } from "./plan.ts";
import { type PlanSource, readSource } from "./source.ts";

export * from "./dtype.ts";
export * from "./errors.ts";
export * from "./executor.ts";
export { decoded, type LoadLimits, type LoadOptions } from "./native.ts";
export type { Plan, PlanDebug, PlanOutput, PlanPort } from "./plan.ts";
export * from "./plan-errors.ts";
export type { PlanSource } from "./source.ts";
export type { Trust } from "./trust.ts";
export { version } from "./version.ts";

const later = async (): Promise<DecodePortable> => (await import("./decode.ts")).decodePortable;

/**
 * `loadPlan` of the package's main entry, which decodes only if it must.
 *
 * @throws PlanCorrupt, PlanVersionUnsupported, PlanInvalid, PlanNotCanonical, PlanTooLarge, PlanUntrusted,
 *   PlanFileError
 */
export async function loadPlan(source: PlanSource, options: LoadOptions = {}): Promise<Plan> {
  const container = readContainer(await readSource(source));
  const native = options.checkId === true ? undefined : openNative(container, options.trust);
  if (typeof native === "object") return trustedPlan(container, native, options, { later });
  return (await import("./decode.ts")).planOfFile(container, options);
}

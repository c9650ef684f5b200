/** Loading with everything at hand. What a process that only starts trusted plans loads is in runtime.ts. */
import { readContainer } from "./container.ts";
import { planOfFile } from "./decode.ts";
import { checked } from "./file-options.ts";
import type { LoadLimits, LoadOptions } from "./native.ts";
import type { OptionNames } from "./options.ts";
import type { Plan } from "./plan.ts";
import { type PlanSource, readSource } from "./source.ts";

const loadOptions: OptionNames<LoadOptions> = { limits: true, checkId: true, trust: true };
const loadLimits: OptionNames<LoadLimits> = { bytes: true };

function requireOptions(call: string, options: LoadOptions): void {
  const { limits } = checked(call, options, loadOptions);
  if (limits !== undefined) checked(`${call}: limits`, limits, loadLimits);
}

/**
 * Reads and verifies a plan. In Node a string or a `file:` URL is read from disk (synchronously: it is
 * done once, and small plans load fastest that way); other URLs, and in browsers strings, are fetched. Bytes are used
 * in place: constants are views of them, so leave them alone afterwards.
 *
 * @throws PlanCorrupt, PlanVersionUnsupported, PlanInvalid, PlanNotCanonical, PlanTooLarge, PlanUntrusted,
 *   PlanFileError; PlanError GF4023 for options there are not
 */
export async function loadPlan(source: PlanSource, options: LoadOptions = {}): Promise<Plan> {
  requireOptions("loadPlan", options);
  return decodePlan(await readSource(source), options);
}

/** The plan in the bytes of a file: `loadPlan` without the reading. */
export function decodePlan(bytes: Uint8Array, options: LoadOptions = {}): Plan {
  requireOptions("decodePlan", options);
  return planOfFile(readContainer(bytes), options);
}

/** Loading with everything at hand. What a process that only starts trusted plans loads is in runtime.ts. */
import { readContainer } from "./container.ts";
import { planOfFile } from "./decode.ts";
import type { LoadOptions } from "./native.ts";
import type { Plan } from "./plan.ts";
import { type PlanSource, readSource } from "./source.ts";

/**
 * Reads and verifies a plan. In Node a string or a `file:` URL is read from disk (synchronously: it is
 * done once, and small plans load fastest that way); other URLs, and in browsers strings, are fetched. Bytes are used
 * in place: constants are views of them, so leave them alone afterwards.
 *
 * @throws PlanCorrupt, PlanVersionUnsupported, PlanInvalid, PlanNotCanonical, PlanTooLarge, PlanUntrusted,
 *   PlanFileError
 */
export async function loadPlan(source: PlanSource, options: LoadOptions = {}): Promise<Plan> {
  return decodePlan(await readSource(source), options);
}

/** The plan in the bytes of a file: `loadPlan` without the reading. */
export function decodePlan(bytes: Uint8Array, options: LoadOptions = {}): Plan {
  return planOfFile(readContainer(bytes), options);
}

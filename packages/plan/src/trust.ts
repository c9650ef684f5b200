/** How far a caller vouches for a plan file, which decides whether native code in it may run. */
import { PlanUntrusted } from "./plan-errors.ts";

/**
 * `unsafe`: the caller knows where the file comes from. `signed` and `local-cache` are names that later
 * versions will check for themselves; until then they are refused rather than believed.
 */
export type Trust = "unsafe";

/** @throws PlanUntrusted GF4015 */
export function checkTrust(trust: unknown): void {
  if (trust === undefined || trust === "unsafe") return;
  const later = trust === "signed" || trust === "local-cache";
  const shown = JSON.stringify(trust) ?? String(trust);
  throw new PlanUntrusted(
    "GF4015",
    later
      ? `trust ${shown} cannot be established by this version of gridfuse`
      : `${shown} is not a kind of trust`,
    {
      path: "trust",
      expected: ["unsafe"],
      received: trust,
      help: 'leave it out, or vouch for the file yourself with trust: "unsafe"',
    },
  );
}

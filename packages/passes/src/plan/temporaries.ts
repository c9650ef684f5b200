/** Memory between steps. Many a program is one kernel and has none: then there is nothing to save and nothing to place. */
import type { PlanBuffer } from "@gridfuse/plan";

export function hasTemporaries(buffers: readonly PlanBuffer[]): boolean {
  for (let id = 0; id < buffers.length; id += 1) {
    if ((buffers[id] as PlanBuffer).kind === "temporary") return true;
  }
  return false;
}

/** Names of kernels: the ops that they compute. */
import type { Node } from "@gridfuse/graph";

const maxNamedOps = 5;

export function kernelName(computed: readonly Node[]): string {
  const ops = new Set<string>();
  // One more than is shown, and one that may be left out.
  for (let i = 0; i < computed.length && ops.size < maxNamedOps + 2; i += 1) {
    ops.add((computed[i] as Node).op);
  }
  const names = [...ops].filter((op) => op !== "select_n" || ops.size < maxNamedOps);
  if (names.length === 0) return "move";
  const shown = names.slice(0, maxNamedOps).join("_");
  return `fused_${shown}${names.length > maxNamedOps ? "_etc" : ""}`;
}

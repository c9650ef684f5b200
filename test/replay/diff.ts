/** A unified diff of two texts, with three lines of context. */
import { diffLines } from "../../packages/gridfuse/src/html/line-diff.ts";

const context = 3;

/** Lines of a unified diff without its header; empty where nothing differs. */
export function unifiedDiff(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const changes = diffLines(before.split("\n"), after.split("\n"));
  const shown = new Set<number>();
  for (const [i, { sign }] of changes.entries()) {
    if (sign === " ") continue;
    for (let near = i - context; near <= i + context; near += 1) shown.add(near);
  }
  const lines: string[] = [];
  for (const [i, { sign, line }] of changes.entries()) {
    if (!shown.has(i)) continue;
    if (!shown.has(i - 1) && i > 0) lines.push("  …");
    lines.push(`${sign} ${line}`);
  }
  return lines;
}

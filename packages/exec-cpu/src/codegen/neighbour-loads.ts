/** Which loads of a program read the neighbours of others, and so can share their vectors. */
import { itemSize } from "@gridfuse/plan";
import type { LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import { openRanges } from "./guards.ts";
import { valuesIn } from "./program-facts.ts";
import type { ProgramSource } from "./program-view.ts";
import { neighbourhood } from "./shared-vectors.ts";

export function findNeighbours({ nodes, facts }: ProgramSource): ReadonlySet<LoadNode> {
  const texts = new Map<string, string>();
  const firsts = new Map<string, LoadNode>();
  const found = new Set<LoadNode>();
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i] as ScalarNode;
    if (node.op !== "load" || !facts.used[i] || itemSize(node.dtype) !== 4) continue;
    if (valuesIn(node.index).length > 0 || openRanges(node.guard)?.length !== 0) continue;
    let text = texts.get(node.index.key);
    if (text === undefined) {
      text = neighbourhood(node.index);
      texts.set(node.index.key, text);
    }
    const key = `${node.buffer} ${text}`;
    const first = firsts.get(key);
    if (first === undefined) firsts.set(key, node);
    else found.add(first).add(node);
  }
  return found;
}

/** Which refs a region writes, loops and branches inside included. */
import type { Node, Region, Table, ValueId } from "../ir/table.ts";

/**
 * Refs that something in `region` writes, by the name that the region itself has for them.
 *
 * @param known what has been found of regions that nobody edits any more
 */
export function writtenRefs(
  table: Table,
  region: Region,
  known?: WeakMap<Region, ReadonlySet<ValueId>>,
): ReadonlySet<ValueId> {
  const found = known?.get(region);
  if (found !== undefined) return found;
  const written = new Set<ValueId>();
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    if (node.op === "set" || node.op === "addupdate") written.add(node.inputs[0] as ValueId);
    if (node.regions.length === 0) continue;
    for (const [inner, operands] of regionOperands(node)) {
      const innerWritten = writtenRefs(table, inner, known);
      inner.params.forEach((param, i) => {
        if (innerWritten.has(param)) written.add(operands[i] as ValueId);
      });
    }
  }
  known?.set(region, written);
  return written;
}

/** Each region of a control-flow node with the operand that each of its params stands for (−1: none). */
export function regionOperands(node: Node): [Region, readonly ValueId[]][] {
  switch (node.op) {
    case "cond":
      return node.regions.map((region) => [region, node.inputs.slice(1)]);
    case "scan":
      return [[node.regions[0] as Region, [-1, ...node.inputs]]];
    case "while":
      return node.regions.map((region) => [region, node.inputs]);
    default:
      return [];
  }
}

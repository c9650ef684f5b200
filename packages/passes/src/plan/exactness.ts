/**
 * Which outputs are exact (bit-equal on every executor) and which only bounded: a float dot, or a
 * float sum that stands for one in another order, taints everything computed from it.
 */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";
import { isFloat } from "@gridfuse/plan/scalar";

function isBounded(table: Table, node: Node): boolean {
  switch (node.op) {
    case "dot_general":
      return isFloat(node.params.accumulate);
    case "reduce_sum":
    case "reduce_prod":
      return (
        node.params.reassociated === true && isFloat(table.tensor(node.outputs[0] as ValueId).dtype)
      );
    default:
      return (
        node.regions.length > 0 && node.regions.some((region) => containsBounded(table, region))
      );
  }
}

const containsBounded = (table: Table, region: Region): boolean =>
  region.nodes.some((id) => isBounded(table, table.nodes[id] as Node));

export function exactResults(table: Table, region: Region): boolean[] {
  const bounded = new Set<ValueId>();
  for (let i = 0; i < region.nodes.length; i += 1) {
    const node = table.nodes[region.nodes[i] as number] as Node;
    const takesBounded = bounded.size > 0 && node.inputs.some((value) => bounded.has(value));
    if (!takesBounded && !isBounded(table, node)) continue;
    for (const value of node.outputs) bounded.add(value);
  }
  return region.results.map((value) => !bounded.has(value));
}

/** Runs the nodes of a region in order. */
import type { Node, Region, ValueId } from "@gridfuse/graph";
import { asRef, asTensor, type Context, malformed, type Value } from "./context.ts";
import { interpretCond, interpretScan, interpretWhile } from "./control.ts";
import { evaluateNode } from "./evaluate.ts";
import { interpretGrid } from "./grid/grid.ts";
import { getRef, updateRef } from "./grid/state.ts";
import { printedLines } from "./print.ts";

/** The results of `region` for the values of its params. */
export function interpretRegion(
  context: Context,
  region: Region,
  values: readonly Value[],
): readonly Value[] {
  if (values.length !== region.params.length) {
    throw malformed(`${values.length} values for a region of ${region.params.length} params`);
  }
  const known = new Map<ValueId, Value>();
  for (const [i, param] of region.params.entries()) known.set(param, values[i]);
  const lookUp = (id: ValueId): Value => {
    const value = known.get(id);
    if (value === undefined) throw malformed(`%${id} is used before it is made`);
    return value;
  };
  for (const id of region.nodes) {
    const node = context.table.nodes[id];
    const results = interpretNode(context, node, node.inputs.map(lookUp));
    for (const [i, output] of node.outputs.entries()) known.set(output, results[i]);
  }
  return region.results.map(lookUp);
}

function interpretNode(context: Context, node: Node, operands: readonly Value[]): readonly Value[] {
  switch (node.op) {
    case "grid":
      return interpretGrid(context, node, operands);
    case "scan":
      return interpretScan(context, node, operands);
    case "while":
      return interpretWhile(context, node, operands);
    case "cond":
      return interpretCond(context, node, operands);
    case "get": {
      const [ref, ...indices] = operands;
      return [getRef(asRef(ref), node.params, indices.map(asTensor))];
    }
    case "set":
    case "addupdate": {
      const [ref, value, ...indices] = operands;
      const combine = node.op === "set" ? "set" : "add";
      updateRef(asRef(ref), asTensor(value), combine, node.params, indices.map(asTensor));
      return [];
    }
    case "debug_print":
      for (const line of printedLines(node.params, operands.map(asTensor))) context.onPrint(line);
      return [];
    default:
      return evaluateNode(node, operands.map(asTensor), context.environment);
  }
}

/** Loop-invariant code: what a loop computes in every trip from values that no trip changes. */
import {
  definitionOf,
  elementCount,
  type Node,
  type NodeNamed,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { hasEffect } from "./rebuild.ts";

type Loop = NodeNamed<"scan"> | NodeNamed<"while">;

/** Elementwise, but many times the work of an addition. */
const costlyElementwise: ReadonlySet<string> = new Set([
  ...["exp", "exp2", "expm1", "log", "log1p", "log2", "sin", "cos", "tan", "asin", "acos", "atan"],
  ...["sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "logistic", "erf", "erfc", "erf_inv"],
  ...["lgamma", "digamma", "pow", "atan2", "cbrt", "threefry2x32"],
]);
const cheapCategories: ReadonlySet<string> = new Set(["source", "elementwise", "movement"]);

export interface Hoisted {
  /** To run before the loop, in order. */
  readonly nodes: readonly Node[];
  /** Results of the costly ones; what else the nodes compute, the loop goes on computing for itself. */
  readonly values: ReadonlySet<ValueId>;
}

/** Costly nodes whose operands are captures, carries that stay as they are, or made of them. */
export function hoistable(table: Table, node: Loop): Hoisted {
  const values = new Set<ValueId>();
  if (node.op === "scan" && node.params.trips < 2) return { nodes: [], values };
  const { carries } = node.params;
  const lead = node.op === "scan" ? 1 : 0;
  const xs = node.op === "scan" ? node.params.xs : 0;
  const body = node.regions.at(-1) as Region;
  const loop = node.op === "scan" ? node.params.loop : undefined;
  const room = Math.max(1, ...node.inputs.map((value) => elementCount(table.tensor(value).shape)));

  const nodes = node.regions.flatMap((region) => {
    const invariant = new Set<ValueId>(
      region.params.filter((_, at) => {
        const i = at - lead;
        if (i < 0) return false;
        return i < carries ? body.results[i] === body.params[at] : i >= carries + xs;
      }),
    );
    const candidates: Node[] = [];
    for (const id of region.nodes) {
      const inner = table.nodes[id] as Node;
      const stays =
        !inner.inputs.every((value) => invariant.has(value)) ||
        hasEffect(table, inner) ||
        mayNotEnd(table, inner) ||
        namesLoop(table, inner, loop);
      if (stays) continue;
      for (const value of inner.outputs) invariant.add(value);
      candidates.push(inner);
      if (isCostly(table, inner, room)) for (const value of inner.outputs) values.add(value);
    }
    return withOperands(candidates, values);
  });
  return { nodes, values };
}

function isCostly(table: Table, node: Node, room: number): boolean {
  if (node.inputs.length === 0 || node.op === "dynamic_slice") return false;
  if (!cheapCategories.has(definitionOf(node.op).category)) return true;
  if (!costlyElementwise.has(node.op)) return false;
  return elementCount(table.tensor(node.outputs[0] as ValueId).shape) <= room;
}

function withOperands(candidates: readonly Node[], values: ReadonlySet<ValueId>): readonly Node[] {
  const wanted = new Set(values);
  const needed: Node[] = [];
  for (const node of candidates.toReversed()) {
    if (!node.outputs.some((value) => wanted.has(value))) continue;
    needed.push(node);
    for (const input of node.inputs) wanted.add(input);
  }
  return needed.reverse();
}

/** Before a loop without trips such a node would run for the first time. */
const mayNotEnd = (table: Table, node: Node): boolean =>
  node.op === "while" ||
  node.regions.some((region) =>
    region.nodes.some((id) => mayNotEnd(table, table.nodes[id] as Node)),
  );

/** Whether a view in it reads at the counter of this loop. */
function namesLoop(table: Table, node: Node, loop: number | undefined): boolean {
  if (loop === undefined) return false;
  if (node.op === "view") {
    let found = false;
    for (const part of node.params.index) {
      ix.forEachLeaf(part, (leaf) => {
        if (leaf.k === "loop" && leaf.loop === loop) found = true;
      });
    }
    return found;
  }
  return node.regions.some((region) =>
    region.nodes.some((id) => namesLoop(table, table.nodes[id] as Node, loop)),
  );
}

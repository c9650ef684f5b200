/** Prints: what they show must lie in memory, from the first element on. */
import {
  elementCount,
  type Node,
  type NodeNamed,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { atStart } from "./builder.ts";
import type { Scope } from "./lower-region.ts";

export function lowerPrint(scope: Scope, node: NodeNamed<"debug_print">): void {
  const { format, batch, masked } = node.params;
  const values = [...node.inputs];
  const contiguous = (value: ValueId): number => {
    const place = scope.materialise(value);
    if (place.offset.k === "const" && place.offset.value === 0) return place.buffer;
    const { dtype, shape } = scope.table.tensor(value);
    const own = atStart(scope.plan.newBuffer("temporary", dtype, elementCount(shape)));
    scope.copy(place, own, value);
    return own.buffer;
  };
  const mask = masked ? contiguous(values.shift() as ValueId) : undefined;
  const shape = values[0] === undefined ? [] : sizes(scope.table.tensor(values[0]).shape);
  scope.steps.push({
    kind: "print",
    name: scope.plan.name("print"),
    format,
    batch: shape.slice(0, batch).reduce((count, extent) => count * extent, 1),
    ...(mask === undefined ? {} : { mask }),
    operands: values.map((value) => ({
      buffer: contiguous(value),
      dtype: scope.table.tensor(value).dtype,
      shape: sizes(scope.table.tensor(value).shape).slice(batch),
    })),
  });
}

/** Whether a region of the node, or one inside it, prints. */
export function containsPrint(table: Table, node: Node): boolean {
  return node.regions.some((region) =>
    region.nodes.some((id) => {
      const inner = table.nodes[id] as Node;
      return inner.op === "debug_print" || containsPrint(table, inner);
    }),
  );
}

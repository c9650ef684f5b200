/**
 * The structural verifier of the IR, for tests: what every pass may take for granted and must keep.
 *
 * Regions are closed, values are made before they are used, every node stands in one place, and every
 * result has the type that the op table infers.
 */
import {
  infer,
  isStructured,
  type Node,
  type Region,
  structuredTypes,
  type Table,
  type ValueId,
  type ValueType,
} from "@gridfuse/graph";

const formatType = ({ kind, dtype, shape }: ValueType): string =>
  `${kind} ${dtype}[${shape.join(", ")}]`;

/** What is wrong with `region`, one line each; empty where all is well. */
export function violationsOf(table: Table, region: Region): readonly string[] {
  const violations: string[] = [];
  const placed = new Set<number>();
  verifyInto(table, region, "main", placed, violations);
  return violations;
}

/** @throws Error with all violations */
export function verifyRegion(table: Table, region: Region, after = "a pass"): void {
  const violations = violationsOf(table, region);
  if (violations.length > 0) {
    throw new Error([`malformed after ${after}:`, ...violations.slice(0, 12)].join("\n  "));
  }
}

function verifyInto(
  table: Table,
  region: Region,
  path: string,
  placed: Set<number>,
  violations: string[],
): void {
  const known = new Set<ValueId>();
  const define = (value: ValueId, where: string): void => {
    if (known.has(value)) violations.push(`${where}: %${value} is made twice`);
    if (table.types[value] === undefined) violations.push(`${where}: %${value} has no type`);
    known.add(value);
  };
  for (const param of region.params) define(param, `${path} params`);
  for (const id of region.nodes) {
    const node = table.nodes[id];
    const where = `${path}/#${id} ${node?.op}`;
    if (node === undefined) {
      violations.push(`${where}: no such node`);
      continue;
    }
    if (placed.has(id)) violations.push(`${where}: stands in two places`);
    placed.add(id);
    for (const value of node.inputs) {
      if (!known.has(value)) violations.push(`${where}: %${value} is used but not made before`);
    }
    verifyTypes(table, node, where, violations);
    for (const [i, inner] of node.regions.entries()) {
      verifyInto(table, inner, `${where}[${i}]`, placed, violations);
    }
    for (const value of node.outputs) {
      define(value, where);
      if (table.producers[value] !== id) violations.push(`${where}: is not %${value}'s producer`);
    }
  }
  for (const value of region.results) {
    if (!known.has(value)) violations.push(`${path} results: %${value} is not made inside`);
  }
}

function verifyTypes(table: Table, node: Node, where: string, violations: string[]): void {
  const operands = node.inputs.map((value) => table.types[value] as ValueType);
  if (operands.some((type) => type === undefined)) return;
  try {
    const inferred = infer(node.op, operands, node.params);
    const expected = isStructured(node.op)
      ? structuredTypes(table, node.op, node.params, node.inputs, node.regions)
      : inferred;
    const wanted = expected.map(formatType).join(", ");
    const given = node.outputs.map((value) => formatType(table.types[value] as ValueType));
    if (given.join(", ") !== wanted) {
      violations.push(`${where}: results are (${given.join(", ")}), the op table says (${wanted})`);
    }
  } catch (error) {
    violations.push(`${where}: ${(error as Error).message}`);
  }
}

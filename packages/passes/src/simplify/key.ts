/** Structural identity of a node: equal keys mean equal results. */
import type { Node, Table, ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";

const dataNumbers = new WeakMap<object, number>();
let nextDataNumber = 0;

function numberOf(data: object): number {
  let number = dataNumbers.get(data);
  if (number === undefined) {
    number = nextDataNumber;
    nextDataNumber += 1;
    dataNumbers.set(data, number);
  }
  return number;
}

const isIndexExpr = (value: object): value is IndexExpr => "k" in value && "key" in value;

/** Params as text; typed arrays count by identity, index expressions by their key. */
function paramKey(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `#${numberOf(value)}`;
  if (Array.isArray(value)) return `[${value.map(paramKey).join()}]`;
  if (isIndexExpr(value)) return value.key;
  let text = "{";
  for (const name of Object.keys(value)) {
    text += `${name}:${paramKey((value as Record<string, unknown>)[name])},`;
  }
  return `${text}}`;
}

/** Most ops have no params. */
function keyOfParams(params: object): string {
  for (const _ in params) return paramKey(params);
  return "";
}

/** Undefined for structured ops, whose regions are compared by nobody. */
export function structureKey(
  _table: Table,
  node: Node,
  inputs: readonly ValueId[],
): string | undefined {
  if (node.regions.length > 0) return undefined;
  return `${node.op}(${inputs.join()})${keyOfParams(node.params)}`;
}

/** Copies a region and all regions inside it, into the same table or another. */
import { type Node, newRegion, type Region, type Table, type ValueId } from "./table.ts";
import type { ValueType } from "./types.ts";

export interface CloneOptions {
  /** Rewrites the type of every value. */
  readonly type?: (type: ValueType) => ValueType;
  /** Rewrites the params of every node. */
  readonly params?: (node: Node) => Node["params"];
}

/**
 * A copy of `region` in `into`, with new values and nodes.
 *
 * @param renamed the new id of each value; filled in, and may hold values from outside the region
 */
export function cloneRegion(
  from: Table,
  region: Region,
  into: Table,
  renamed: Map<ValueId, ValueId> = new Map(),
  options: CloneOptions = {},
): Region {
  const typeOf = (value: ValueId): ValueType => {
    const type = from.types[value] as ValueType;
    return options.type === undefined ? type : options.type(type);
  };
  const nameOf = (value: ValueId): ValueId => {
    const name = renamed.get(value);
    if (name === undefined) throw new TypeError(`value %${value} is used before it is made`);
    return name;
  };
  const copy = newRegion();
  for (const param of region.params) renamed.set(param, into.newParam(copy, typeOf(param)));
  for (const id of region.nodes) {
    const node = from.nodes[id] as Node;
    // Regions are closed: the inner ones see their own params only.
    const regions = node.regions.map((inner) => cloneRegion(from, inner, into, new Map(), options));
    const { outputs } = into.newNode(
      copy,
      node.op,
      (options.params === undefined ? node.params : options.params(node)) as never,
      node.inputs.map(nameOf),
      node.outputs.map(typeOf),
      regions,
      node.origin,
    );
    for (const [i, output] of node.outputs.entries()) renamed.set(output, outputs[i] as ValueId);
  }
  copy.results.push(...region.results.map(nameOf));
  return copy;
}

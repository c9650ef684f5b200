/**
 * The dense form of a program: nodes and values in flat arrays, regions as lists of node ids.
 *
 * Passes work here; `Graph` (graph.ts) is the graphology view of the same thing that people walk.
 * Regions are closed: a value used inside is a param of the region or made in it, and what a
 * structured op needs from outside is among its operands. Node order within a region is a
 * topological order, and for state and effects it is the order of meaning.
 */

import type { TensorType, ValueType } from "./types.ts";
import type { OpName, OpParams } from "./vocabulary.ts";

export type ValueId = number;
export type NodeId = number;

/** Where a node comes from; the stack is turned into a line only when somebody asks. */
export interface Origin {
  readonly name?: string;
  /** An Error captured where the user called; its stack is read lazily. */
  readonly stack?: Error;
  /** `file:line` or `file:line:function`, where the program was traced somewhere else. */
  readonly place?: string;
}

export interface Region {
  readonly params: ValueId[];
  readonly nodes: NodeId[];
  readonly results: ValueId[];
}

interface NodeOf<K extends OpName> {
  readonly id: NodeId;
  readonly op: K;
  readonly params: OpParams[K];
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly regions: readonly Region[];
  readonly origin: Origin | undefined;
}

/** A node; narrowing on `op` narrows `params`. */
export type Node = { [K in OpName]: NodeOf<K> }[OpName];
export type NodeNamed<K extends OpName> = NodeOf<K>;

export const newRegion = (): Region => ({ params: [], nodes: [], results: [] });

export class Table {
  readonly nodes: Node[];
  /** Type of each value. */
  readonly types: ValueType[];
  /** Node that makes each value, −1 for region params. */
  readonly producers: NodeId[];

  /** @param start a table whose nodes and values this one has too, under the same ids */
  constructor(start?: Table) {
    this.nodes = start?.nodes.slice() ?? [];
    this.types = start?.types.slice() ?? [];
    this.producers = start?.producers.slice() ?? [];
  }

  newValue(type: ValueType, producer: NodeId = -1): ValueId {
    this.producers.push(producer);
    return this.types.push(type) - 1;
  }

  /** Adds a param to `region`. */
  newParam(region: Region, type: ValueType): ValueId {
    const value = this.newValue(type);
    region.params.push(value);
    return value;
  }

  /** Appends a node whose result types are already known. */
  newNode<K extends OpName>(
    region: Region,
    op: K,
    params: OpParams[K],
    inputs: readonly ValueId[],
    outputTypes: readonly ValueType[],
    regions: readonly Region[] = [],
    origin?: Origin,
  ): NodeOf<K> {
    const id = this.nodes.length;
    const outputs: ValueId[] = [];
    for (let i = 0; i < outputTypes.length; i += 1) {
      outputs.push(this.newValue(outputTypes[i] as ValueType, id));
    }
    const node: NodeOf<K> = { id, op, params, inputs, outputs, regions, origin };
    this.nodes.push(node as unknown as Node);
    region.nodes.push(id);
    return node;
  }

  /** Appends a node like `node`, of other operands and with other regions. */
  newCopy(
    region: Region,
    node: Node,
    inputs: readonly ValueId[],
    regions: readonly Region[] = node.regions,
  ): Node {
    const id = this.nodes.length;
    const { op, params, origin } = node;
    const outputs: ValueId[] = [];
    for (let i = 0; i < node.outputs.length; i += 1) {
      outputs.push(this.newValue(this.types[node.outputs[i] as ValueId] as ValueType, id));
    }
    const copy = { id, op, params, inputs, outputs, regions, origin } as Node;
    this.nodes.push(copy);
    region.nodes.push(id);
    return copy;
  }

  tensor(value: ValueId): TensorType {
    const type = this.types[value];
    if (type?.kind !== "tensor") throw new TypeError(`value %${value} is not a tensor`);
    return type;
  }

  producer(value: ValueId): Node | undefined {
    const id = this.producers[value];
    return id === undefined || id < 0 ? undefined : this.nodes[id];
  }
}

/** A whole program: named inputs are the params of `main`, named outputs its results. */
export interface Program {
  readonly name: string;
  readonly table: Table;
  readonly main: Region;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Visits every node of `region` and of regions inside, outer before inner, in order. */
export function walk(
  table: Table,
  region: Region,
  visit: (node: Node, region: Region) => void,
): void {
  const { nodes } = region;
  for (let i = 0; i < nodes.length; i += 1) {
    const node = table.nodes[nodes[i] as NodeId] as Node;
    visit(node, region);
    for (let r = 0; r < node.regions.length; r += 1) walk(table, node.regions[r] as Region, visit);
  }
}

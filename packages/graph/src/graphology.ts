/**
 * The graphology view of a program: what people walk, annotate and analyse with that library's
 * ecosystem. It says the same as the dense table; `programOf` goes back.
 *
 * A node is keyed by its id; a param of a region by `p` and its value. Edges run from the maker of a value to its
 * user and carry the port. A region is an attribute of the node that owns it; its own results stand there.
 */
import type { DType } from "@gridfuse/plan/scalar";
import { MultiDirectedGraph } from "graphology";
import {
  type Node,
  newRegion,
  type Origin,
  type Program,
  type Region,
  Table,
  type ValueId,
} from "./ir/table.ts";
import type { Shape, ValueType } from "./ir/types.ts";
import type { OpName, OpParams } from "./ir/vocabulary.ts";

/** A value as seen from outside a table: its maker's key and which of its results. */
export interface ValueName {
  readonly node: string;
  readonly result: number;
}

export interface RegionView {
  /** Keys of the params, in order. */
  readonly params: readonly string[];
  /** Keys of the nodes, in order of meaning. */
  readonly nodes: readonly string[];
  readonly results: readonly ValueName[];
}

export interface GraphNodeAttributes {
  /** `param` stands for the param of a region. */
  readonly op: OpName | "param";
  readonly params: OpParams[OpName] | null;
  /** Of the first result. */
  readonly dtype: DType | null;
  readonly shape: Shape | null;
  readonly results: readonly ValueType[];
  /** `main`, or the owner's key and the number of the region: `12/0`. */
  readonly region: string;
  readonly regions: readonly RegionView[];
  readonly origin: Origin | null;
}

export interface GraphEdgeAttributes {
  /** Which operand of the user. */
  readonly port: number;
  /** Which result of the maker. */
  readonly result: number;
}

export interface GraphAttributes {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly main: RegionView;
}

export type GraphologyGraph = MultiDirectedGraph<
  GraphNodeAttributes,
  GraphEdgeAttributes,
  GraphAttributes
>;

/** A graphology graph of a program. */
export function graphologyOf(program: Program): GraphologyGraph {
  const { table } = program;
  const graph: GraphologyGraph = new MultiDirectedGraph();
  const names = new Map<ValueId, ValueName>();

  const viewOf = (region: Region): RegionView => ({
    params: region.params.map((value) => `p${value}`),
    nodes: region.nodes.map(String),
    results: region.results.map((value) => names.get(value) as ValueName),
  });

  function addRegion(region: Region, name: string): void {
    for (const value of region.params) {
      const type = table.types[value] as ValueType;
      names.set(value, { node: `p${value}`, result: 0 });
      graph.addNode(`p${value}`, {
        op: "param",
        params: null,
        dtype: type.dtype,
        shape: type.shape,
        results: [type],
        region: name,
        regions: [],
        origin: null,
      });
    }
    for (const id of region.nodes) addNode(table.nodes[id] as Node, name);
  }

  function addNode(node: Node, region: string): void {
    const key = String(node.id);
    for (const [result, value] of node.outputs.entries()) names.set(value, { node: key, result });
    for (const [i, inner] of node.regions.entries()) addRegion(inner, `${key}/${i}`);
    const results = node.outputs.map((value) => table.types[value] as ValueType);
    graph.addNode(key, {
      op: node.op,
      params: node.params,
      dtype: results[0]?.dtype ?? null,
      shape: results[0]?.shape ?? null,
      results,
      region,
      regions: node.regions.map(viewOf),
      origin: node.origin ?? null,
    });
    for (const [port, value] of node.inputs.entries()) {
      const { node: maker, result } = names.get(value) as ValueName;
      graph.addEdgeWithKey(`${key}:${port}`, maker, key, { port, result });
    }
  }

  addRegion(program.main, "main");
  graph.replaceAttributes({
    name: program.name,
    inputs: program.inputs,
    outputs: program.outputs,
    main: viewOf(program.main),
  });
  return graph;
}

/** The program that a graphology graph says. */
export function programOf(graph: GraphologyGraph): Program {
  const table = new Table();
  const values = new Map<string, readonly ValueId[]>();

  function makeRegion(view: RegionView): Region {
    const region = newRegion();
    for (const key of view.params) {
      const [type] = graph.getNodeAttribute(key, "results") as readonly [ValueType];
      values.set(key, [table.newParam(region, type)]);
    }
    for (const key of view.nodes) makeNode(region, key);
    region.results.push(
      ...view.results.map(({ node, result }) => (values.get(node) as ValueId[])[result] as ValueId),
    );
    return region;
  }

  function makeNode(region: Region, key: string): void {
    const { op, params, results, regions, origin } = graph.getNodeAttributes(key);
    const inputs: ValueId[] = [];
    graph.forEachInEdge(key, (_edge, { port, result }, source) => {
      inputs[port] = (values.get(source) as ValueId[])[result] as ValueId;
    });
    const node = table.newNode(
      region,
      op as OpName,
      params as never,
      inputs,
      results,
      regions.map(makeRegion),
      origin ?? undefined,
    );
    values.set(key, node.outputs);
  }

  const { name, inputs, outputs, main } = graph.getAttributes();
  return { name, table, main: makeRegion(main), inputs, outputs };
}

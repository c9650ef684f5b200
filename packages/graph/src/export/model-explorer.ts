/**
 * Programs in the JSON of Google's Model Explorer: flat nodes whose `namespace` says in which region
 * they stand.
 */
import type { Node, Program, Region, ValueId } from "../ir/table.ts";
import type { ValueType } from "../ir/types.ts";
import { printParams, printType } from "../print-parts.ts";
import { paramNames, regionTitles } from "./titles.ts";

interface Attribute {
  readonly key: string;
  readonly value: string;
}
export interface ModelExplorerNode {
  readonly id: string;
  readonly label: string;
  readonly namespace: string;
  readonly attrs: readonly Attribute[];
  readonly incomingEdges: readonly {
    readonly sourceNodeId: string;
    readonly sourceNodeOutputId: string;
    readonly targetNodeInputId: string;
  }[];
  readonly outputsMetadata: readonly {
    readonly id: string;
    readonly attrs: readonly Attribute[];
  }[];
}
export interface ModelExplorerGraphs {
  readonly label: string;
  readonly graphs: readonly { readonly id: string; readonly nodes: readonly ModelExplorerNode[] }[];
}

/** The program as one graph for Model Explorer. */
export function toModelExplorer(program: Program): ModelExplorerGraphs {
  const { table } = program;
  const nodes: ModelExplorerNode[] = [];

  const edgeFrom = (value: ValueId, port: number) => {
    const maker = table.producer(value);
    return {
      sourceNodeId: maker === undefined ? `p${value}` : String(maker.id),
      sourceNodeOutputId: maker === undefined ? "0" : String(maker.outputs.indexOf(value)),
      targetNodeInputId: String(port),
    };
  };
  const metadata = (value: ValueId, i: number) => ({
    id: String(i),
    attrs: [{ key: "tensor_shape", value: printType(table.types[value] as ValueType) }],
  });

  function addRegion(region: Region, namespace: string, names: readonly string[]): void {
    for (const [i, value] of region.params.entries()) {
      nodes.push({
        id: `p${value}`,
        label: names[i] ?? `captured ${i}`,
        namespace,
        attrs: [],
        incomingEdges: [],
        outputsMetadata: [metadata(value, 0)],
      });
    }
    for (const id of region.nodes) addNode(table.nodes[id] as Node, namespace);
  }

  function addNode(node: Node, namespace: string): void {
    const params = node.regions.length === 0 ? printParams(node) : "";
    nodes.push({
      id: String(node.id),
      label: node.op,
      namespace,
      attrs: params === "" ? [] : [{ key: "params", value: params }],
      incomingEdges: node.inputs.map(edgeFrom),
      outputsMetadata: node.outputs.map(metadata),
    });
    const titles = regionTitles(node);
    for (const [i, region] of node.regions.entries()) {
      const inner = `${node.op} ${node.id}/${titles[i]}`;
      addRegion(region, namespace === "" ? inner : `${namespace}/${inner}`, paramNames(node, i));
    }
  }

  addRegion(program.main, "", program.inputs);
  for (const [i, value] of program.main.results.entries()) {
    nodes.push({
      id: `out${i}`,
      label: program.outputs[i] ?? "out",
      namespace: "",
      attrs: [],
      incomingEdges: [edgeFrom(value, 0)],
      outputsMetadata: [],
    });
  }
  return { label: program.name, graphs: [{ id: program.name, nodes }] };
}

/** What the regions of a node and their params are called in pictures. */
import type { Node, NodeNamed } from "../ir/table.ts";

export function regionTitles(node: Node): readonly string[] {
  switch (node.op) {
    case "grid": {
      const { name, inputs, outputs } = node.params;
      const maps = [...inputs, ...outputs].map((mapping) => `block of ${mapping.name}`);
      return [`body of ${name}`, ...maps];
    }
    case "while":
      return ["condition", "body"];
    case "cond":
      return node.regions.map((_, i) => `branch ${i}`);
    default:
      return node.regions.map(() => "body");
  }
}

/** Names of the params of region `index`; captures have none. */
export function paramNames(node: Node, index: number): readonly string[] {
  switch (node.op) {
    case "grid":
      return gridNames(node, index === 0);
    case "scan":
      return [
        "i",
        ...Array.from({ length: node.params.carries }, (_, i) => `carry ${i}`),
        ...Array.from({ length: node.params.xs }, (_, i) => `x ${i}`),
      ];
    case "while":
      return Array.from({ length: node.params.carries }, (_, i) => `carry ${i}`);
    default:
      return [];
  }
}

function gridNames({ params }: NodeNamed<"grid">, isBody: boolean): readonly string[] {
  const axes = params.axes.map(({ name }) => (/^\d+$/.test(name) ? `i${name}` : name));
  const seen = [...axes, ...Array.from({ length: params.prefetch }, (_, i) => `prefetch ${i}`)];
  if (!isBody) return seen;
  const refs = [...params.inputs, ...params.outputs, ...params.scratch].map(({ name }) => name);
  return [...seen, ...refs];
}

/** What the regions of a node are called in pictures. */
import type { Node } from "../ir/table.ts";

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

/** The nodes of a region by depth: siblings have the same. */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";
import { hasEffect } from "../tensor/rebuild.ts";

/** Longest way to each node from a param or literal; what has an effect is deeper than the effect before. */
export class Levels {
  /** The nodes of depth 0, 1, 2… */
  readonly nodes: Node[][] = [];
  readonly #first: number;
  /** Depth + 1 of the node `first` + i; 0 for nodes of other regions. */
  readonly #depths: Int32Array;

  constructor(table: Table, region: Region) {
    let first = Number.POSITIVE_INFINITY;
    let last = -1;
    for (let i = 0; i < region.nodes.length; i += 1) {
      const id = region.nodes[i] as number;
      if (id < first) first = id;
      if (id > last) last = id;
    }
    this.#first = first;
    this.#depths = new Int32Array(Math.max(0, last - first + 1));
    const depths = this.#depths;
    const { producers } = table;
    let effects = 0;
    for (let i = 0; i < region.nodes.length; i += 1) {
      const node = table.nodes[region.nodes[i] as number] as Node;
      const { inputs } = node;
      // What comes from outside has depth 0.
      let depth = inputs.length === 0 ? 0 : 1;
      for (let k = 0; k < inputs.length; k += 1) {
        const maker = (producers[inputs[k] as ValueId] as number) - first;
        const before = maker < 0 ? 0 : (depths[maker] ?? 0);
        if (before > depth) depth = before;
      }
      if (hasEffect(table, node)) {
        if (effects >= depth) depth = effects + 1;
        effects = depth;
      }
      depths[node.id - first] = depth + 1;
      while (this.nodes.length <= depth) this.nodes.push([]);
      (this.nodes[depth] as Node[]).push(node);
    }
  }

  depthOf({ id }: Node): number {
    return (this.#depths[id - this.#first] as number) - 1;
  }
}

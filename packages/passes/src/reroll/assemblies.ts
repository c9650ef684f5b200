/** Tiles that are put together again, to what a pack is when its lanes lie side by side. */
import {
  censusOf,
  type Node,
  type NodeNamed,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { type Column, type Columns, fewest } from "./columns.ts";
import type { Assembled } from "./forward.ts";

/** Tiles that are put together again: by a concatenation, or by writes that fill a box. */
export interface Assembly {
  readonly node: Node;
  readonly column: Column & { readonly kind: "lanes" };
  readonly box: Omit<Assembled, "base"> & { readonly base: ValueId | undefined };
}

/** Arrays written in part that are wanted for more than the next write. */
export function chainEnds(table: Table, region: Region): Set<ValueId> {
  const ends = new Set<ValueId>(region.results);
  if (!censusOf(table, region).ops.has("dynamic_update_slice")) return ends;
  for (const id of region.nodes) {
    const { op, inputs } = table.nodes[id] as Node;
    for (let i = op === "dynamic_update_slice" ? 1 : 0; i < inputs.length; i += 1) {
      const value = inputs[i] as ValueId;
      if (table.producer(value)?.op === "dynamic_update_slice") ends.add(value);
    }
  }
  return ends;
}

export class Assemblies {
  readonly #table: Table;
  readonly #columns: Columns;

  constructor(table: Table, columns: Columns) {
    this.#table = table;
    this.#columns = columns;
  }

  /** What `node` puts together; undefined where its tiles do not lie in packs. */
  of(node: Node, assembled: (value: ValueId) => Assembled | undefined): Assembly | undefined {
    if (node.op === "concatenate") return this.#joined(node);
    if (node.op !== "dynamic_update_slice") return undefined;
    const box = assembled(node.outputs[0] as ValueId);
    if (box === undefined || box.tiles.length < fewest) return undefined;
    const column = this.#columns.lanes(box.tiles);
    if (column === undefined) return undefined;
    const { shape } = this.#table.tensor(box.base);
    const covers = shape.every(
      (extent, d) =>
        box.start[d] === 0 && (box.counts[d] as number) * (box.tile[d] as number) === extent,
    );
    return { node, column, box: { ...box, base: covers ? undefined : box.base } };
  }

  #joined(node: NodeNamed<"concatenate"> & Node): Assembly | undefined {
    const tiles = node.inputs;
    if (tiles.length < fewest) return undefined;
    const { shape } = this.#table.tensor(tiles[0] as ValueId);
    const tile = shape as readonly number[];
    const alike = tiles.every((value) =>
      this.#table.tensor(value).shape.every((extent, d) => extent === tile[d]),
    );
    const column = alike && !tile.includes(0) ? this.#columns.lanes(tiles) : undefined;
    if (column === undefined) return undefined;
    const counts = tile.map((_, d) => (d === node.params.dimension ? tiles.length : 1));
    const start = tile.map(() => 0);
    return { node, column, box: { base: undefined, start, counts, tile, tiles, links: 1 } };
  }
}

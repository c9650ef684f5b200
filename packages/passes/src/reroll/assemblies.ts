/** Tiles that are put together again, to what a pack is when its lanes lie side by side. */
import {
  censusOf,
  type Node,
  type NodeNamed,
  type Region,
  sizes,
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

  /** Concatenations of concatenations, as far down as their tiles lie in packs. */
  #joined(node: Joining): Assembly | undefined {
    for (let levels = levelsOf(this.#table, node); levels > 0; levels -= 1) {
      const box = this.#boxOf(node, levels);
      if (box === undefined || box.tiles.length < fewest || box.tile.includes(0)) continue;
      const column = this.#columns.lanes(box.tiles);
      if (column === undefined) continue;
      const start = box.tile.map(() => 0);
      return { node, column, box: { ...box, base: undefined, start } };
    }
    return undefined;
  }

  /** The tiles of a concatenation of so many levels; undefined where they are not all alike. */
  #boxOf(node: Joining, levels: number): Box | undefined {
    const boxes: Box[] = [];
    for (const value of node.inputs) {
      const inner = levels > 1 ? joiningOf(this.#table, value) : undefined;
      const box = inner === undefined ? this.#tile(value) : this.#boxOf(inner, levels - 1);
      const [first = box] = boxes;
      if (box === undefined || first === undefined || !isAlike(box, first)) return undefined;
      boxes.push(box);
    }
    return sideBySide(boxes, node.params.dimension);
  }

  #tile(value: ValueId): Box {
    const tile = sizes(this.#table.tensor(value).shape);
    return { counts: tile.map(() => 1), tile, tiles: [value], links: 0 };
  }
}

type Joining = NodeNamed<"concatenate"> & Node;

/** Tiles in row-major order of a box of cells, and how many nodes have put them together. */
type Box = Pick<Assembled, "counts" | "tile" | "tiles" | "links">;

function joiningOf(table: Table, value: ValueId): Joining | undefined {
  const node = table.producer(value);
  return node?.op === "concatenate" ? node : undefined;
}

/** How deep concatenations are nested. */
function levelsOf(table: Table, { inputs }: Joining): number {
  let deepest = 0;
  for (const value of inputs) {
    const inner = joiningOf(table, value);
    if (inner !== undefined) deepest = Math.max(deepest, levelsOf(table, inner));
  }
  return deepest + 1;
}

const isAlike = (p: Box, q: Box): boolean =>
  p.tile.every((size, d) => size === q.tile[d] && p.counts[d] === q.counts[d]);

/** Boxes of one size, one after the other along `dimension`. */
function sideBySide(boxes: readonly Box[], dimension: number): Box {
  const [{ counts, tile }] = boxes as readonly [Box];
  // What lies behind the dimension stays together.
  const run = counts.slice(dimension).reduce((product, count) => product * count, 1);
  const rows = counts.slice(0, dimension).reduce((product, count) => product * count, 1);
  const tiles: ValueId[] = [];
  for (let row = 0; row < rows; row += 1) {
    for (const box of boxes) tiles.push(...box.tiles.slice(row * run, (row + 1) * run));
  }
  return {
    counts: counts.map((count, d) => (d === dimension ? count * boxes.length : count)),
    tile,
    tiles,
    links: boxes.reduce((links, box) => links + box.links, 1),
  };
}

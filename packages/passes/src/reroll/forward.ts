/**
 * What re-rolling looks at first: the region with every node once, without dead ones, and with what was
 * written to a part of an array and read back from it taken straight from where it was made.
 *
 * An unrolled kernel that works in place writes its tiles into a ref one by one and reads them again.
 * After discharge that is a chain of `dynamic_update_slice` with constant starts, with slices of every
 * link in between. A chain of writes to the cells of one grid is kept as a table: which value each cell
 * holds after each link.
 */
import {
  Emitter,
  type Node,
  type NodeId,
  newRegion,
  type Region,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { fromBits, isInteger } from "@gridfuse/plan/scalar";
import { Structures } from "../simplify/key.ts";
import { hasEffect, liveNodes } from "../tensor/rebuild.ts";
import { ValueNumbers, valuesNow } from "../tensor/value-numbers.ts";

/** Windows of one size, each a cell of a grid, written over `base` one after the other. */
interface Chain {
  readonly base: ValueId;
  readonly tile: readonly number[];
  /** Start of the first window: the others lie whole tiles away. */
  readonly origin: readonly number[];
  /** What was written to a cell, with the link that did it; ascending. */
  readonly cells: Map<string, { readonly start: readonly number[]; readonly links: Link[] }>;
  length: number;
}
interface Link {
  readonly at: number;
  readonly value: ValueId;
}

/** An array of which tiles were written: those of `tiles`, in row-major order of a box of cells. */
export interface Assembled {
  readonly base: ValueId;
  /** First element and number of tiles along each dimension. */
  readonly start: readonly number[];
  readonly counts: readonly number[];
  readonly tile: readonly number[];
  readonly tiles: readonly ValueId[];
  /** Nodes that it stands for. */
  readonly links: number;
}

export interface Prepared {
  readonly region: Region;
  /** What a chain of writes has made of `value`, where the written cells fill a box. */
  assembled(value: ValueId): Assembled | undefined;
}

/** A copy of `region` with the same params; `inner` maps the regions of its nodes. */
export function prepare(table: Table, region: Region, inner: (region: Region) => Region): Prepared {
  const rough = newRegion();
  rough.params.push(...region.params);
  const e = new Emitter(table, rough);
  /** What stands for a value now, where that is another. */
  const now = new ValueNumbers(table.types.length, region.nodes.length);
  const seen: Seen = { structures: new Structures(table), made: [] };
  const chains = new Chains(table);
  for (let n = 0; n < region.nodes.length; n += 1) {
    const node = table.nodes[region.nodes[n] as NodeId] as Node;
    const inputs = valuesNow(now, node.inputs);
    e.origin = node.origin;
    const outputs = forwarded(e, chains, node, inputs) ?? once(e, seen, node, inputs, inner);
    if (outputs !== node.outputs) {
      for (let i = 0; i < outputs.length; i += 1) {
        now.set(node.outputs[i] as ValueId, outputs[i] as ValueId);
      }
    }
    if (node.op === "dynamic_update_slice") chains.note(outputs[0] as ValueId);
  }
  rough.results.push(...valuesNow(now, region.results));
  const live = liveNodes(table, rough);
  return {
    region: { params: rough.params, nodes: live.map(({ id }) => id), results: rough.results },
    assembled: (value) => chains.assembled(value),
  };
}

/** What was made for each structure. */
interface Seen {
  readonly structures: Structures;
  readonly made: (readonly ValueId[])[];
}

function once(
  e: Emitter,
  { structures, made }: Seen,
  node: Node,
  inputs: readonly ValueId[],
  inner: (region: Region) => Region,
): readonly ValueId[] {
  if (node.regions.length > 0) return kept(e, node, inputs, node.regions.map(inner));
  if (hasEffect(e.table, node)) return kept(e, node, inputs, node.regions);
  const structure = structures.numberOf(node, inputs);
  let outputs = made[structure];
  if (outputs === undefined) {
    outputs = kept(e, node, inputs, node.regions);
    if (outputs !== node.outputs) structures.copied(node, e.region.nodes.at(-1) as NodeId);
    made[structure] = outputs;
  }
  return outputs;
}

/** The node itself where nothing of it has changed, else a copy. */
function kept(
  e: Emitter,
  node: Node,
  inputs: readonly ValueId[],
  regions: readonly Region[],
): readonly ValueId[] {
  const isSame = inputs === node.inputs && regions.every((region, i) => region === node.regions[i]);
  if (!isSame) return e.table.newCopy(e.region, node, inputs, regions).outputs;
  e.region.nodes.push(node.id);
  return node.outputs;
}

/** A slice of what was written, or a slice at a constant place. */
function forwarded(
  e: Emitter,
  chains: Chains,
  node: Node,
  inputs: readonly ValueId[],
): readonly ValueId[] | undefined {
  const source = inputs[0] as ValueId;
  if (node.op === "slice") {
    const { start, limit, strides } = node.params;
    return chains.read(e, source, start, limit, strides);
  }
  if (node.op !== "dynamic_slice") return undefined;
  const start = constantStarts(
    e.table,
    inputs.slice(1),
    e.table.tensor(source).shape,
    node.params.sizes,
  );
  if (start === undefined) return undefined;
  const limit = start.map((first, d) => first + (node.params.sizes[d] as number));
  const strides = start.map(() => 1);
  return (
    chains.read(e, source, start, limit, strides) ?? [
      e.emit("slice", [source], { start, limit, strides }),
    ]
  );
}

/** Starts that are literals, moved so that the window lies inside. */
function constantStarts(
  table: Table,
  starts: readonly ValueId[],
  shape: readonly (number | string)[],
  window: readonly number[],
): number[] | undefined {
  const result: number[] = [];
  for (const [d, value] of starts.entries()) {
    const node = table.producer(value);
    if (node?.op !== "full" || !isInteger(node.params.dtype)) return undefined;
    const start = Number(fromBits(node.params.dtype, node.params.bits));
    result.push(Math.max(0, Math.min(start, (shape[d] as number) - (window[d] as number))));
  }
  return result;
}

class Chains {
  readonly #table: Table;
  readonly #known = new Map<ValueId, { readonly chain: Chain; readonly at: number }>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Remembers what a `dynamic_update_slice` has written. */
  note(value: ValueId): void {
    if (this.#known.has(value)) return;
    const node = this.#table.producer(value);
    if (node?.op !== "dynamic_update_slice") return;
    const [target, update, ...starts] = node.inputs as [ValueId, ValueId, ...ValueId[]];
    const tile = sizes(this.#table.tensor(update).shape);
    const shape = sizes(this.#table.tensor(target).shape);
    const start = constantStarts(this.#table, starts, shape, tile);
    if (start === undefined || tile.includes(0)) return;
    const before = this.#known.get(target);
    let chain = before?.chain;
    const goesOn =
      before !== undefined &&
      before.at === before.chain.length &&
      tile.every((size, d) => {
        const { tile: own, origin } = before.chain;
        return size === own[d] && ((start[d] as number) - (origin[d] as number)) % size === 0;
      });
    if (chain === undefined || !goesOn) {
      chain = { base: target, tile, origin: start, cells: new Map(), length: 0 };
    }
    chain.length += 1;
    const key = start.join();
    const link = { at: chain.length, value: update };
    const cell = chain.cells.get(key);
    if (cell === undefined) chain.cells.set(key, { start, links: [link] });
    else cell.links.push(link);
    this.#known.set(value, { chain, at: chain.length });
  }

  /** The window of `source` from what was written into it; undefined where it is of no chain, or of several cells. */
  read(
    e: Emitter,
    source: ValueId,
    start: readonly number[],
    limit: readonly number[],
    strides: readonly number[],
  ): readonly ValueId[] | undefined {
    let from = source;
    for (;;) {
      const known = this.#known.get(from);
      if (known === undefined) break;
      const { chain, at } = known;
      const cellStart = chain.tile.map((size, d) => {
        const offset = (start[d] as number) - (chain.origin[d] as number);
        return (chain.origin[d] as number) + Math.floor(offset / size) * size;
      });
      const fits = chain.tile.every(
        (size, d) => (limit[d] as number) <= (cellStart[d] as number) + size,
      );
      if (!fits) break;
      const written = latest(chain.cells.get(cellStart.join())?.links, at);
      if (written !== undefined) {
        const own = start.map((first, d) => first - (cellStart[d] as number));
        const end = limit.map((last, d) => last - (cellStart[d] as number));
        const whole = chain.tile.every(
          (size, d) => own[d] === 0 && end[d] === size && strides[d] === 1,
        );
        return [whole ? written : e.emit("slice", [written], { start: own, limit: end, strides })];
      }
      from = chain.base;
    }
    return from === source ? undefined : [e.emit("slice", [from], { start, limit, strides })];
  }

  assembled(value: ValueId): Assembled | undefined {
    const known = this.#known.get(value);
    if (known === undefined) return undefined;
    const { chain, at } = known;
    const written: { start: readonly number[]; value: ValueId }[] = [];
    for (const { start, links } of chain.cells.values()) {
      const last = latest(links, at);
      if (last !== undefined) written.push({ start, value: last });
    }
    const rank = chain.tile.length;
    const first = chain.tile.map((_, d) =>
      written.reduce((least, { start }) => Math.min(least, start[d] as number), Infinity),
    );
    const counts = chain.tile.map((size, d) => {
      const last = written.reduce((most, { start }) => Math.max(most, start[d] as number), 0);
      return (last - (first[d] as number)) / size + 1;
    });
    if (counts.reduce((total, count) => total * count, 1) !== written.length) return undefined;
    const compare = (p: readonly number[], q: readonly number[]): number => {
      for (let d = 0; d < rank; d += 1)
        if (p[d] !== q[d]) return (p[d] as number) - (q[d] as number);
      return 0;
    };
    written.sort((p, q) => compare(p.start, q.start));
    return {
      base: chain.base,
      start: first,
      counts,
      tile: chain.tile,
      tiles: written.map(({ value: tile }) => tile),
      links: at,
    };
  }
}

/** What the last link up to `at` has written. */
function latest(links: readonly Link[] | undefined, at: number): ValueId | undefined {
  for (let i = (links?.length ?? 0) - 1; i >= 0; i -= 1) {
    const link = (links as readonly Link[])[i] as Link;
    if (link.at <= at) return link.value;
  }
  return undefined;
}

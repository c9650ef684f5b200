/**
 * Which nodes do the same thing to different tiles: siblings, and how the operands of all siblings of a
 * group lie in what came before.
 *
 * One sweep in order of depth. Siblings have the same depth and the same structure: op, params and
 * operands, all the way down, but for literals and for the places that slices start at. A group becomes one
 * op over a pack, an array with a lane for each sibling. Its operands must be found in a few packs in an
 * order that an index expression can say. (Superword-level parallelism of Larsen and Amarasinghe, 2000,
 * with index maps for shuffles.)
 */
import {
  censusOf,
  definitionOf,
  elementCount,
  type Node,
  type NodeNamed,
  type OpName,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";
import { Lists, Words } from "../simplify/key.ts";
import { hasEffect } from "../tensor/rebuild.ts";
import type { Assembled, Prepared } from "./forward.ts";
import { Homes } from "./homes.ts";
import { expressionOf, isIdentity } from "./lanes.ts";
import { Levels } from "./levels.ts";
import { SiblingStructures } from "./sibling-structures.ts";

/** Where the operands of all siblings are, sibling after sibling. */
export type Column =
  | { readonly kind: "same"; readonly value: ValueId }
  | { readonly kind: "literals"; readonly bits: readonly Bits[]; readonly like: ValueId }
  | {
      readonly kind: "lanes";
      /** Joined along their lanes, where they are several. */
      readonly packs: readonly Group[];
      /** Lane of sibling `axis 0`; undefined where every sibling has its own. */
      readonly lane: IndexExpr | undefined;
      readonly lanes: readonly number[];
    };

interface GroupFacts {
  readonly id: number;
  readonly members: readonly Node[];
}
/** Siblings as one op: lane k of the pack is the result of member k. */
export type Group = GroupFacts &
  (
    | { readonly kind: "op"; readonly columns: readonly Column[] }
    /** Slices: member k starts at start(k). */
    | { readonly kind: "window"; readonly source: Column; readonly start: readonly IndexExpr[] }
  );

/** Tiles that are put together again: by a concatenation, or by writes that fill a box. */
export interface Assembly {
  readonly node: Node;
  readonly column: Column & { readonly kind: "lanes" };
  readonly box: Omit<Assembled, "base"> & { readonly base: ValueId | undefined };
}

export interface Grouping {
  readonly groups: readonly Group[];
  /** The lane that holds a value. */
  readonly homes: Homes;
  readonly assemblies: ReadonlyMap<ValueId, Assembly>;
  readonly levels: Levels;
}

/** Fewer siblings are not worth a pack. */
const fewest = 2;
/** A column out of more packs would cost more to put together than it saves. */
const mostPacks = 3;

export function groupSiblings(table: Table, { region, assembled }: Prepared): Grouping {
  const levels = new Levels(table, region);
  const grouper = new Grouper(table, region);
  const ends = chainEnds(table, region);
  const assemblies = new Map<ValueId, Assembly>();
  for (const level of levels.nodes) {
    for (const members of grouper.buckets(level)) grouper.group(members);
    for (const node of level) {
      if (node.op !== "concatenate" && node.op !== "dynamic_update_slice") continue;
      const assembly = grouper.assemble(node, (value) =>
        ends.has(value) ? assembled(value) : undefined,
      );
      if (assembly !== undefined) assemblies.set(node.outputs[0] as ValueId, assembly);
    }
  }
  return { groups: grouper.groups, homes: grouper.homes, assemblies, levels };
}

/** Arrays written in part that are wanted for more than the next write. */
function chainEnds(table: Table, region: Region): Set<ValueId> {
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

const notGrouped: ReadonlySet<string> = new Set(["full", "iota", "constant", "view"]);

function canGroup(table: Table, node: Node): boolean {
  return (
    node.inputs.length > 0 &&
    node.outputs.length === 1 &&
    node.regions.length === 0 &&
    isGroupedOp(node.op) &&
    !hasEffect(table, node)
  );
}

const groupedOps = new Map<OpName, boolean>();

function isGroupedOp(op: OpName): boolean {
  let isGrouped = groupedOps.get(op);
  if (isGrouped === undefined) {
    isGrouped = !notGrouped.has(op) && definitionOf(op).batch !== undefined;
    groupedOps.set(op, isGrouped);
  }
  return isGrouped;
}

class Grouper {
  readonly groups: Group[] = [];
  readonly homes: Homes;
  readonly #table: Table;
  readonly #structures: SiblingStructures;
  /** Lists of lanes and starts, by which expressions are found. */
  readonly #lists = new Lists();
  readonly #expressions: (IndexExpr | undefined)[] = [];
  /** Lists by which nodes are told apart. */
  readonly #keys = new Lists();
  readonly #words = new Words();

  constructor(table: Table, region: Region) {
    this.#table = table;
    this.homes = new Homes(table, region, this.groups);
    this.#structures = new SiblingStructures(table, region);
  }

  /** Nodes of one depth by structure. */
  buckets(level: readonly Node[]): readonly (readonly Node[])[] {
    const buckets = new Map<number, Node[]>();
    for (let i = 0; i < level.length; i += 1) {
      const node = level[i] as Node;
      const structure = this.#structures.numberOf(node);
      if (!canGroup(this.#table, node)) continue;
      const bucket = buckets.get(structure);
      if (bucket === undefined) buckets.set(structure, [node]);
      else bucket.push(node);
    }
    return [...buckets.values()].filter(({ length }) => length >= fewest);
  }

  // ── Groups ────────────────────────────────────────────────────────────────────────────────

  /** Makes groups of `members`: of what agrees in its literals, and of what comes from the same packs. */
  group(members: readonly Node[]): void {
    for (const part of this.#layers(members)) {
      if (part.length < fewest || this.#tryGroup(part)) continue;
      const packs = partition(part, (node) => this.#packsOf(node));
      if (packs.length === 1) continue;
      for (const some of packs) if (some.length >= fewest) this.#tryGroup(some);
    }
  }

  /**
   * Literals tell tiles apart (where a tile lies) and the steps that all tiles go through (a distance). Where
   * no lane is used twice they are of tiles; else what has the same literals belongs together, or, where that
   * leaves nodes alone, each layer holds what comes from a lane once.
   */
  #layers(members: readonly Node[]): readonly (readonly Node[])[] {
    const seen = new Map<number, number>();
    const layers = partition(members, (node) => {
      const key = this.#lanesOf(node);
      if (key === undefined) return 0;
      const layer = seen.get(key) ?? 0;
      seen.set(key, layer + 1);
      return layer;
    });
    if (layers.length === 1) return layers;
    const byLiterals = partition(members, (node) => this.#literalsOf(node));
    return byLiterals.every((part) => part.length >= fewest) ? byLiterals : layers;
  }

  /** A number for the operands that lie in packs; undefined where none does. */
  #lanesOf({ inputs }: Node): number | undefined {
    const words = this.#words;
    words.length = 0;
    for (let i = 0; i < inputs.length; i += 1) {
      const value = inputs[i] as ValueId;
      if (this.homes.has(value)) words.push(value);
    }
    return words.length === 0 ? undefined : this.#keys.numberOf(words);
  }

  /** A number for the packs in which operands lie. */
  #packsOf({ inputs }: Node): number {
    const words = this.#words;
    words.length = 0;
    for (let i = 0; i < inputs.length; i += 1) {
      words.push(this.homes.idOf(inputs[i] as ValueId));
    }
    return this.#keys.numberOf(words);
  }

  /** A number for the literals among the operands, or for where a slice starts. */
  #literalsOf(node: Node): number {
    const words = this.#words;
    words.length = 0;
    if (node.op === "slice") {
      for (const start of node.params.start) words.push(start);
    } else {
      for (const value of node.inputs) {
        const from = this.#table.producer(value);
        words.push(from?.op === "full" ? 1 : 0);
        words.push(from?.op === "full" ? from.params.bits.hi : 0);
        words.push(from?.op === "full" ? from.params.bits.lo : 0);
      }
    }
    return this.#keys.numberOf(words);
  }

  #tryGroup(members: readonly Node[]): boolean {
    const group = members[0]?.op === "slice" ? this.#window(members) : this.#operation(members);
    if (group === undefined) return false;
    this.groups.push(group);
    for (let lane = 0; lane < group.members.length; lane += 1) {
      this.homes.set((group.members[lane] as Node).outputs[0] as ValueId, group, lane);
    }
    return true;
  }

  /** Members by the lanes of their operands: the order that needs the fewest moves. */
  #operation(members: readonly Node[]): Group | undefined {
    let best: { cost: number; members: readonly Node[]; columns: readonly Column[] } | undefined;
    for (const order of this.#orders(members)) {
      const columns: Column[] = [];
      let cost = 0;
      for (let i = 0; i < (members[0] as Node).inputs.length; i += 1) {
        const column = this.column(order.map((node) => node.inputs[i] as ValueId));
        if (column === undefined) break;
        columns.push(column);
        cost += columnCost(column);
      }
      if (columns.length < (members[0] as Node).inputs.length) continue;
      if (best === undefined || cost < best.cost) best = { cost, members: order, columns };
      if (cost === 0) break;
    }
    if (best === undefined || best.columns.every(({ kind }) => kind === "same")) return undefined;
    return { kind: "op", id: this.groups.length, members: best.members, columns: best.columns };
  }

  *#orders(members: readonly Node[]): Generator<readonly Node[]> {
    const inputs = (members[0] as Node).inputs.length;
    yield members;
    for (let i = 0; i < inputs; i += 1) {
      const values = members.map((node) => node.inputs[i] as ValueId);
      if (!values.every((value) => this.homes.has(value))) continue;
      const keys = values.map(
        (value) => this.homes.idOf(value) * 2 ** 24 + this.homes.laneOf(value),
      );
      if (new Set(keys).size < members.length) continue;
      const order = keys.map((key, k) => ({ key, k })).sort((p, q) => p.key - q.key);
      yield order.map(({ k }) => members[k] as Node);
    }
  }

  #window(given: readonly Node[]): Group | undefined {
    const slices = given as readonly (NodeNamed<"slice"> & Node)[];
    const key = (node: NodeNamed<"slice">): number[] => {
      const source = node.inputs[0] as ValueId;
      return [
        this.homes.idOf(source),
        Math.max(0, this.homes.laneOf(source)),
        ...node.params.start,
      ];
    };
    const keyed = slices.map((node) => ({ node, key: key(node) }));
    keyed.sort((p, q) => compareLists(p.key, q.key));
    const members = keyed.map(({ node }) => node);
    const source = this.column(members.map((node) => node.inputs[0] as ValueId));
    if (source === undefined || this.#overlap(members)) return undefined;
    const start: IndexExpr[] = [];
    for (const d of (members[0] as NodeNamed<"slice">).params.start.keys()) {
      const expression = this.#expressionOf(members.map(({ params }) => params.start[d] as number));
      if (expression === undefined) return undefined;
      start.push(expression);
    }
    return { kind: "window", id: this.groups.length, members, source, start };
  }

  /** Windows that overlap, as a stencil's, hold more together than what they are cut out of: no tiles. */
  #overlap(windows: readonly Node[]): boolean {
    const count = (value: ValueId): number => elementCount(this.#table.tensor(value).shape);
    const sources = new Set(windows.map((node) => node.inputs[0] as ValueId));
    const held = [...sources].reduce((total, value) => total + count(value), 0);
    return windows.length * count((windows[0] as Node).outputs[0] as ValueId) > held;
  }

  // ── Columns ───────────────────────────────────────────────────────────────────────────────

  column(values: readonly ValueId[]): Column | undefined {
    const [first] = values as readonly [ValueId];
    if (values.every((value) => value === first)) return { kind: "same", value: first };
    const bits = this.#literalBits(values);
    if (bits !== undefined) return { kind: "literals", bits, like: first };
    return this.#lanes(values);
  }

  #literalBits(values: readonly ValueId[]): readonly Bits[] | undefined {
    const bits: Bits[] = [];
    for (const value of values) {
      const node = this.#table.producer(value);
      if (node?.op !== "full") return undefined;
      bits.push(node.params.bits);
    }
    return bits;
  }

  #lanes(values: readonly ValueId[]): (Column & { kind: "lanes" }) | undefined {
    const packs: Group[] = [];
    for (const value of values) {
      const home = this.homes.groupOf(value);
      if (home === undefined) return undefined;
      if (packs.length > 0 && home === packs[packs.length - 1]) continue;
      if (!packs.includes(home)) packs.push(home);
      if (packs.length > mostPacks) return undefined;
    }
    packs.sort((p, q) => p.id - q.id);
    const offsets = new Map<Group, number>();
    let total = 0;
    for (const pack of packs) {
      offsets.set(pack, total);
      total += pack.members.length;
    }
    const lanes = values.map((value) => this.homes.laneOf(value));
    if (packs.length > 1) {
      for (const [k, value] of values.entries()) {
        lanes[k] += offsets.get(this.homes.groupOf(value) as Group) as number;
      }
    }
    if (total === lanes.length && isIdentity(lanes)) {
      return { kind: "lanes", packs, lane: undefined, lanes };
    }
    const lane = this.#expressionOf(lanes);
    return lane === undefined ? undefined : { kind: "lanes", packs, lane, lanes };
  }

  /** Programs take the same lanes again and again. */
  #expressionOf(list: readonly number[]): IndexExpr | undefined {
    const words = this.#words;
    words.length = 0;
    for (let i = 0; i < list.length; i += 1) words.push(list[i] as number);
    const number = this.#lists.numberOf(words);
    if (number === this.#expressions.length) this.#expressions.push(expressionOf(list));
    return this.#expressions[number];
  }

  // ── Assemblies ────────────────────────────────────────────────────────────────────────────

  assemble(node: Node, assembled: (value: ValueId) => Assembled | undefined): Assembly | undefined {
    if (node.op === "concatenate") return this.#joined(node);
    if (node.op !== "dynamic_update_slice") return undefined;
    const box = assembled(node.outputs[0] as ValueId);
    if (box === undefined || box.tiles.length < fewest) return undefined;
    const column = this.#lanes(box.tiles);
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
    const column = alike && !tile.includes(0) ? this.#lanes(tiles) : undefined;
    if (column === undefined) return undefined;
    const counts = tile.map((_, d) => (d === node.params.dimension ? tiles.length : 1));
    const start = tile.map(() => 0);
    return { node, column, box: { base: undefined, start, counts, tile, tiles, links: 1 } };
  }
}

/** The nodes by key, in order. */
function partition(nodes: readonly Node[], keyOf: (node: Node) => number): Node[][] {
  const parts = new Map<number, Node[]>();
  for (const node of nodes) {
    const key = keyOf(node);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [node]);
    else part.push(node);
  }
  return [...parts.values()];
}

function compareLists(p: readonly number[], q: readonly number[]): number {
  for (let i = 0; i < p.length; i += 1) {
    if (p[i] !== q[i]) return (p[i] as number) - (q[i] as number);
  }
  return 0;
}

/** Nodes that put a column together. */
export function columnCost(column: Column): number {
  switch (column.kind) {
    case "same":
      return 0;
    case "literals":
      return 3;
    case "lanes":
      return (column.packs.length > 1 ? 1 : 0) + (column.lane === undefined ? 0 : 1);
    default:
      return column satisfies never;
  }
}

/** The groups that a column takes lanes of. */
export const packsOf = (column: Column): readonly Group[] =>
  column.kind === "lanes" ? column.packs : [];

export const columnsOf = (group: Group): readonly Column[] =>
  group.kind === "op" ? group.columns : [group.source];

export const groupCost = (group: Group): number =>
  1 + columnsOf(group).reduce((total, column) => total + columnCost(column), 0);

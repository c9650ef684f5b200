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
import { hasEffect } from "../tensor/rebuild.ts";
import { Assemblies, type Assembly, chainEnds } from "./assemblies.ts";
import {
  type Column,
  Columns,
  columnCost,
  fewest,
  type Group,
  groupCost,
  mostLanes,
  type Proposal,
} from "./columns.ts";
import type { Prepared } from "./forward.ts";
import { Homes } from "./homes.ts";
import { Layers } from "./layers.ts";
import { Levels } from "./levels.ts";
import { SiblingStructures } from "./sibling-structures.ts";

/** Nodes that may be siblings, by structure. */
type Bucket = ReadonlyMap<number, readonly Node[]>;

export interface Grouping {
  readonly groups: readonly Group[];
  /** The lane that holds a value. */
  readonly homes: Homes;
  readonly assemblies: ReadonlyMap<ValueId, Assembly>;
  readonly levels: Levels;
}

export function groupSiblings(table: Table, { region, assembled }: Prepared): Grouping {
  const levels = new Levels(table, region);
  const groups: Group[] = [];
  const homes = new Homes(table, region, groups);
  const columns = new Columns(table, homes);
  const grouper = new Grouper(table, region, groups, homes, columns);
  const assembler = new Assemblies(table, columns);
  const ends = chainEnds(table, region);
  const assemblies = new Map<ValueId, Assembly>();
  for (const level of levels.nodes) {
    for (const alike of grouper.buckets(level)) grouper.group(alike);
    for (const node of level) {
      if (node.op !== "concatenate" && node.op !== "dynamic_update_slice") continue;
      const assembly = assembler.of(node, (value) =>
        ends.has(value) ? assembled(value) : undefined,
      );
      if (assembly !== undefined) assemblies.set(node.outputs[0] as ValueId, assembly);
    }
  }
  return { groups, homes, assemblies, levels };
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
  readonly #groups: Group[];
  readonly #homes: Homes;
  readonly #table: Table;
  readonly #structures: SiblingStructures;
  readonly #columns: Columns;
  readonly #layers: Layers;

  constructor(table: Table, region: Region, groups: Group[], homes: Homes, columns: Columns) {
    this.#table = table;
    this.#columns = columns;
    this.#groups = groups;
    this.#homes = homes;
    this.#structures = new SiblingStructures(table, region);
    this.#layers = new Layers(table, homes);
  }

  /** Nodes of one depth that do alike with what lies in packs, by structure. */
  buckets(level: readonly Node[]): readonly Bucket[] {
    const buckets = new Map<number, Map<number, Node[]>>();
    const isPacked = (value: ValueId): boolean => this.#homes.has(value);
    for (let i = 0; i < level.length; i += 1) {
      const node = level[i] as Node;
      const structure = this.#structures.numberOf(node);
      if (!canGroup(this.#table, node)) continue;
      const likeness = this.#structures.likenessOf(node, structure, isPacked);
      let bucket = buckets.get(likeness);
      if (bucket === undefined) {
        bucket = new Map();
        buckets.set(likeness, bucket);
      }
      const part = bucket.get(structure);
      if (part === undefined) bucket.set(structure, [node]);
      else part.push(node);
    }
    return [...buckets.values()];
  }

  // ── Groups ────────────────────────────────────────────────────────────────────────────────

  /** Makes groups of what does alike: of each structure, or of several where that costs less. */
  group(bucket: Bucket): void {
    for (const family of this.#families(bucket)) {
      const [[structure]] = family as [[number, readonly Node[]]];
      const apart = family.map(([, members]) => this.#proposals(members));
      if (family.length === 1) {
        for (const proposal of apart[0] as readonly Proposal[]) this.#commit(proposal);
        continue;
      }
      const all = family.flatMap(([, members]) => members).sort((p, q) => p.id - q.id);
      const together = this.#proposals(all);
      if (costOf(together, all.length) >= costOf(apart.flat(), all.length)) {
        for (const proposal of apart.flat()) this.#commit(proposal);
        continue;
      }
      for (const proposal of together) this.#commit(proposal);
      for (const node of all) this.#structures.countAs(node, structure);
    }
  }

  /** Structures that take lanes of the same packs: tiles that were alike, and are treated in one of a few ways. */
  #families(bucket: Bucket): readonly (readonly (readonly [number, readonly Node[]])[])[] {
    if (bucket.size === 1) return [[...bucket]];
    const families: { packs: Set<number>; parts: (readonly [number, readonly Node[]])[] }[] = [];
    for (const part of bucket) {
      const packs = this.#homesOf(part[1]);
      const related = families.filter((family) =>
        [...packs].some((pack) => family.packs.has(pack)),
      );
      const [family = { packs, parts: [] }, ...others] = related;
      if (related.length === 0) families.push(family);
      for (const pack of packs) family.packs.add(pack);
      family.parts.push(part);
      for (const other of others) {
        for (const pack of other.packs) family.packs.add(pack);
        family.parts.push(...other.parts);
        families.splice(families.indexOf(other), 1);
      }
    }
    return families.map(({ parts }) => parts);
  }

  /** Packs in which operands of `members` lie. */
  #homesOf(members: readonly Node[]): Set<number> {
    const packs = new Set<number>();
    for (const { inputs } of members) {
      for (let i = 0; i < inputs.length; i += 1) {
        const pack = this.#homes.idOf(inputs[i] as ValueId);
        if (pack >= 0) packs.add(pack);
      }
    }
    return packs;
  }

  /** Groups for `members`: of what agrees in its literals, and of what comes from the same packs. */
  #proposals(members: readonly Node[]): readonly Proposal[] {
    const proposals: Proposal[] = [];
    if (members.length < fewest) return proposals;
    for (const part of this.#layers.of(members)) {
      if (part.length < fewest) continue;
      const proposal = this.#propose(part);
      if (proposal !== undefined) {
        proposals.push(proposal);
        continue;
      }
      const packs = this.#layers.byPacks(part);
      if (packs.length === 1) continue;
      for (const some of packs) {
        const own = some.length >= fewest ? this.#propose(some) : undefined;
        if (own !== undefined) proposals.push(own);
      }
    }
    return proposals;
  }

  #propose(members: readonly Node[]): Proposal | undefined {
    return members[0]?.op === "slice" ? this.#window(members) : this.#operation(members);
  }

  #commit(proposal: Proposal): void {
    const group = { ...proposal, id: this.#groups.length };
    this.#groups.push(group);
    for (let lane = 0; lane < group.members.length; lane += 1) {
      this.#homes.set((group.members[lane] as Node).outputs[0] as ValueId, group, lane);
    }
  }

  /**
   * Members by the lanes of their operands: the order that needs the fewest moves. Of two tiles that are exchanged, the
   * one that is written first comes first, or lanes would change places with every exchange.
   */
  #operation(members: readonly Node[]): Proposal | undefined {
    let best: { cost: number; members: readonly Node[]; columns: readonly Column[] } | undefined;
    for (const order of this.#orders(members)) {
      const columns: Column[] = [];
      let cost = 0;
      for (let i = 0; i < (members[0] as Node).inputs.length; i += 1) {
        const column = this.#columns.of(order.map((node) => node.inputs[i] as ValueId));
        if (column === undefined) break;
        columns.push(column);
        cost += columnCost(column);
      }
      if (columns.length < (members[0] as Node).inputs.length) continue;
      const isBetter =
        best === undefined ||
        cost < best.cost ||
        (cost === best.cost && comesSooner(order, best.members));
      if (isBetter) best = { cost, members: order, columns };
      if (cost === 0) break;
    }
    if (best === undefined || best.columns.every(({ kind }) => kind === "same")) return undefined;
    const columns = this.#columns.turned(best.columns) ?? best.columns;
    return { kind: "op", members: best.members, columns };
  }

  *#orders(members: readonly Node[]): Generator<readonly Node[]> {
    const inputs = (members[0] as Node).inputs.length;
    yield members;
    for (let i = 0; i < inputs; i += 1) {
      const values = members.map((node) => node.inputs[i] as ValueId);
      const keys = this.#keysOf(values);
      if (keys === undefined || keys.every((key, k) => k === 0 || key > (keys[k - 1] as number))) {
        continue;
      }
      const order = keys.map((key, k) => ({ key, k })).sort((p, q) => p.key - q.key);
      yield order.map(({ k }) => members[k] as Node);
    }
  }

  /** What tells operands apart, and puts them in order: their lanes, or what they are as literals. */
  #keysOf(values: readonly ValueId[]): readonly number[] | undefined {
    if (!values.every((value) => this.#homes.has(value))) {
      const words = this.#columns.literalBits(values)?.map(({ lo }) => lo | 0);
      return words === undefined || new Set(words).size < words.length ? undefined : words;
    }
    const lanes = values.map((value) => this.#homes.laneOf(value));
    if (new Set(lanes).size === lanes.length) return lanes;
    const keys = values.map(
      (value) => this.#homes.idOf(value) * mostLanes + this.#homes.laneOf(value),
    );
    return new Set(keys).size < keys.length ? undefined : keys;
  }

  #window(given: readonly Node[]): Proposal | undefined {
    const slices = given as readonly (NodeNamed<"slice"> & Node)[];
    const key = (node: NodeNamed<"slice">): number[] => {
      const source = node.inputs[0] as ValueId;
      return [
        this.#homes.idOf(source),
        Math.max(0, this.#homes.laneOf(source)),
        ...node.params.start,
      ];
    };
    const keyed = slices.map((node) => ({ node, key: key(node) }));
    keyed.sort((p, q) => compareLists(p.key, q.key));
    const members = keyed.map(({ node }) => node);
    const sources = members.map((node) => node.inputs[0] as ValueId);
    const source = this.#columns.sameOf(sources) ?? this.#columns.lanes(sources);
    if (source === undefined || this.#overlap(members)) return undefined;
    const start: IndexExpr[] = [];
    for (const d of (members[0] as NodeNamed<"slice">).params.start.keys()) {
      const expression = this.#columns.expressionOf(
        members.map(({ params }) => params.start[d] as number),
      );
      if (expression === undefined) return undefined;
      start.push(expression);
    }
    return { kind: "window", members, source, start };
  }

  /** Windows that overlap, as a stencil's, hold more together than what they are cut out of: no tiles. */
  #overlap(windows: readonly Node[]): boolean {
    const count = (value: ValueId): number => elementCount(this.#table.tensor(value).shape);
    const sources = new Set(windows.map((node) => node.inputs[0] as ValueId));
    const held = [...sources].reduce((total, value) => total + count(value), 0);
    return windows.length * count((windows[0] as Node).outputs[0] as ValueId) > held;
  }
}

/** Whether what was written first stands before, in `order`. */
function comesSooner(order: readonly Node[], other: readonly Node[]): boolean {
  for (let k = 0; k < order.length; k += 1) {
    const [own, theirs] = [order[k] as Node, other[k] as Node];
    if (own !== theirs) return own.id < theirs.id;
  }
  return false;
}

function compareLists(p: readonly number[], q: readonly number[]): number {
  for (let i = 0; i < p.length; i += 1) {
    if (p[i] !== q[i]) return (p[i] as number) - (q[i] as number);
  }
  return 0;
}

/** Nodes that are left of `count` siblings. */
function costOf(proposals: readonly Proposal[], count: number): number {
  let cost = count;
  for (const proposal of proposals) cost += groupCost(proposal) - proposal.members.length;
  return cost;
}

/**
 * Which groups pay. A lane that somebody outside of the groups wants must be taken out of its pack, one
 * node a lane; where that eats up what a group saves, its members stay as they are. Groups hang together by
 * their columns: each cluster of them must treat tiles that were cut out of something, and make the program
 * clearly shorter, or nothing of it happens. (Whole arrays side by side would only be a larger array.)
 */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";
import { hasEffect } from "../tensor/rebuild.ts";
import type { Assembly } from "./assemblies.ts";
import { columnCost, columnsOf, type Group, groupCost, mostLanes, packsOf } from "./columns.ts";
import type { Grouping } from "./groups.ts";

/** What a cluster may cost at most, of what its nodes did before. */
const worthwhile = 0.5;

/** Without a cluster others take out more lanes, and may no longer pay; that comes to rest at once or never. */
const mostRounds = 8;

export interface Decision {
  readonly groups: ReadonlySet<Group>;
  readonly assemblies: ReadonlySet<Assembly>;
}

interface Uses {
  /** Some group or assembly that stays takes its lanes. */
  packed: boolean;
  /** Lanes that are taken out. */
  readonly single: Set<number>;
}

export function decide(table: Table, region: Region, grouping: Grouping): Decision {
  const disabled = new Set<Group>();
  for (let round = 0; round < mostRounds; round += 1) {
    const { decision, uses, before, after } = sweep(table, region, grouping, disabled);
    const bad = dearClusters(decision, uses, before, after);
    if (bad.length === 0) return decision;
    for (const group of bad) disabled.add(group);
  }
  return { groups: new Set(), assemblies: new Set() };
}

/** Everything from the results backwards, deepest first: consumers are decided before what they consume. */
function sweep(
  table: Table,
  region: Region,
  { groups, homes, assemblies, levels }: Grouping,
  disabled: Set<Group>,
) {
  for (const group of groups) {
    if (columnsOf(group).some((column) => packsOf(column).some((pack) => disabled.has(pack)))) {
      disabled.add(group);
    }
  }
  const kept = new Set<Group>();
  const keptAssemblies = new Set<Assembly>();
  const uses = new Map<Group, Uses>();
  const before = new Map<Group | Assembly, number>();
  const after = new Map<Group | Assembly, number>();
  const wanted = new Set<ValueId>();
  const usesOf = (group: Group): Uses => {
    let own = uses.get(group);
    if (own === undefined) {
      own = { packed: false, single: new Set() };
      uses.set(group, own);
    }
    return own;
  };
  const want = (value: ValueId): void => {
    const group = homes.groupOf(value);
    if (group === undefined || disabled.has(group)) wanted.add(value);
    else usesOf(group).single.add(homes.laneOf(value));
  };
  region.results.forEach(want);

  const decideGroup = (group: Group): void => {
    const own = uses.get(group);
    if (own === undefined) return;
    if (!own.packed && !paysAlone(group, own, uses, homes)) {
      for (const lane of own.single) (group.members[lane] as Node).inputs.forEach(want);
      return;
    }
    kept.add(group);
    before.set(group, group.members.length);
    after.set(group, groupCost(group) + own.single.size);
    for (const column of columnsOf(group)) {
      if (column.kind === "same") want(column.value);
      for (const pack of packsOf(column)) usesOf(pack).packed = true;
    }
  };
  const decideNode = (node: Node): void => {
    const isLive = hasEffect(table, node) || node.outputs.some((value) => wanted.has(value));
    if (!isLive) return;
    const assembly = assemblies.get(node.outputs[0] as ValueId);
    if (assembly === undefined || assembly.column.packs.some((pack) => disabled.has(pack))) {
      node.inputs.forEach(want);
      return;
    }
    keptAssemblies.add(assembly);
    before.set(assembly, assembly.box.links);
    after.set(assembly, columnCost({ ...assembly.column, lane: undefined }) + 1);
    for (const pack of assembly.column.packs) usesOf(pack).packed = true;
    if (assembly.box.base !== undefined) want(assembly.box.base);
  };

  const groupsOf = levels.nodes.map((): Group[] => []);
  for (const group of groups) {
    if (!disabled.has(group)) groupsOf[levels.depthOf(group.members[0] as Node)]?.push(group);
  }
  for (let depth = levels.nodes.length - 1; depth >= 0; depth -= 1) {
    for (const node of levels.nodes[depth] as readonly Node[]) {
      const group = homes.groupOf(node.outputs[0] as ValueId);
      if (group === undefined || disabled.has(group)) decideNode(node);
    }
    for (const group of groupsOf[depth] as readonly Group[]) decideGroup(group);
  }
  return { decision: { groups: kept, assemblies: keptAssemblies }, uses, before, after };
}

/** Of a group whose lanes are all taken out one by one: whether its members would take out more. */
function paysAlone(
  group: Group,
  { single }: Uses,
  uses: ReadonlyMap<Group, Uses>,
  homes: Grouping["homes"],
): boolean {
  const others = new Set<number>();
  for (const lane of single) {
    for (const value of (group.members[lane] as Node).inputs) {
      const home = homes.groupOf(value);
      const own = homes.laneOf(value);
      if (home === undefined || uses.get(home)?.single.has(own) === true) continue;
      others.add(home.id * mostLanes + own);
    }
  }
  return groupCost(group) + single.size < single.size + others.size;
}

interface Balance {
  /** Nodes before and after. */
  before: number;
  after: number;
  /** Lanes taken out again: a program that is mostly that has not become a whole. */
  single: number;
  /** Has tiles of something. */
  cut: boolean;
}

/** Groups of the clusters that do not make the program clearly shorter. */
function dearClusters(
  { groups, assemblies }: Decision,
  uses: ReadonlyMap<Group, Uses>,
  before: ReadonlyMap<Group | Assembly, number>,
  after: ReadonlyMap<Group | Assembly, number>,
): Group[] {
  const parents = new Map<Group, Group>();
  const rootOf = (group: Group): Group => {
    let root = group;
    for (let next = parents.get(root); next !== undefined; next = parents.get(root)) root = next;
    if (root !== group) parents.set(group, root);
    return root;
  };
  const join = (packs: readonly Group[], to: Group): void => {
    for (const pack of packs) {
      const [a, b] = [rootOf(pack), rootOf(to)];
      if (a !== b) parents.set(a, b);
    }
  };
  for (const group of groups) for (const column of columnsOf(group)) join(packsOf(column), group);
  for (const { column } of assemblies) join(column.packs, column.packs[0] as Group);

  const balance = new Map<Group, Balance>();
  const count = (unit: Group | Assembly, of: Group): void => {
    const root = rootOf(of);
    const own = balance.get(root) ?? { before: 0, after: 0, single: 0, cut: false };
    own.before += before.get(unit) as number;
    own.after += after.get(unit) as number;
    own.single += "members" in unit ? (uses.get(unit)?.single.size ?? 0) : 0;
    own.cut ||= "kind" in unit && unit.kind === "window";
    balance.set(root, own);
  };
  for (const group of groups) count(group, group);
  for (const assembly of assemblies) count(assembly, assembly.column.packs[0] as Group);
  return [...groups].filter((group) => {
    const own = balance.get(rootOf(group)) as Balance;
    return !own.cut || own.after > own.before * worthwhile || own.single > own.after / 2;
  });
}

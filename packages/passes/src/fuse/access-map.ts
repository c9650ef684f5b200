/**
 * The accesses of a stage: where its loads and writes go and which positions it asks for. Most of them are alike, so each kind is
 * changed once, and the nodes are looked at again only when it is known how they come out.
 */
import type { Stage } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexNode, IndexRange, LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import { takesValues } from "./append-nodes.ts";
import { plainGuards } from "./guards.ts";
import { leavesOf } from "./leaves.ts";

/** Where a load or a write goes, or, without a guard, what an index is. */
export interface Access {
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
}

const noGuard: readonly IndexRange[] = [];

/** The different accesses of a stage's live nodes and of its writes, and what becomes of each. */
export class AccessMap {
  /** By number: as they are now. */
  current: readonly Access[];
  /** Nodes (1) that a reduction or a write needs. */
  readonly live: Uint8Array;
  /** Live nodes that have an access, and its number. */
  readonly nodes: readonly number[];
  readonly ofNodes: readonly number[];
  readonly ofWrites: readonly number[];
  /** Whether any access was guarded to begin with. */
  readonly isGuarded: boolean;

  constructor(stage: Stage) {
    const list = new AccessList();
    const { nodes, writes } = stage;
    const { loads, positions } = leavesOf(nodes);
    const live = liveNodes(stage);
    const owners: number[] = [];
    const ofNodes: number[] = [];
    for (let i = 0; i < loads.length; i += 1) {
      const at = loads[i] as number;
      if (live[at] === 0) continue;
      const { index, guard } = nodes[at] as LoadNode;
      owners.push(at);
      ofNodes.push(list.numberOf(index, guard));
    }
    for (let i = 0; i < positions.length; i += 1) {
      const at = positions[i] as number;
      if (live[at] === 0) continue;
      owners.push(at);
      ofNodes.push(list.numberOf((nodes[at] as IndexNode).index, noGuard));
    }
    const ofWrites: number[] = [];
    for (let i = 0; i < writes.length; i += 1) {
      const { index, guard } = writes[i] as Access;
      ofWrites.push(list.numberOf(index, guard));
    }
    this.live = live;
    this.nodes = owners;
    this.ofNodes = ofNodes;
    this.ofWrites = ofWrites;
    this.current = list.accesses;
    this.isGuarded = list.isGuarded;
  }

  mapIndices(map: (e: IndexExpr) => IndexExpr): void {
    const { current } = this;
    const mapped: Access[] = [];
    for (let i = 0; i < current.length; i += 1) {
      const { index, guard } = current[i] as Access;
      mapped.push({ index: map(index), guard: plainGuards(guard, map) });
    }
    this.current = mapped;
  }

  /** Writes guards in their plain form, without those that always hold. */
  simplifyGuards(): void {
    if (this.isGuarded) this.mapIndices((e) => e);
  }

  /** Whether those that were different still are. */
  areDistinct(): boolean {
    const { current } = this;
    if (current.length > fewAccesses) {
      const texts = new Set<string>();
      for (let i = 0; i < current.length; i += 1) texts.add(textOf(current[i] as Access));
      return texts.size === current.length;
    }
    for (let i = 1; i < current.length; i += 1) {
      const { index, guard } = current[i] as Access;
      for (let k = 0; k < i; k += 1) if (isSame(current[k] as Access, index, guard)) return false;
    }
    return true;
  }
}

/** Accesses up to which each is compared with all others. */
const fewAccesses = 16;

/** Different accesses, numbered in the order in which they come. */
class AccessList {
  readonly accesses: Access[] = [];
  /** Numbers by text, from where there are more than a few. */
  #numbers: Map<string, number> | undefined;
  isGuarded = false;

  numberOf(index: IndexExpr, guard: readonly IndexRange[]): number {
    const { accesses } = this;
    if (accesses.length > fewAccesses) return this.#numberByText({ index, guard });
    for (let i = 0; i < accesses.length; i += 1) {
      if (isSame(accesses[i] as Access, index, guard)) return i;
    }
    return this.#append({ index, guard });
  }

  #append(access: Access): number {
    if (access.guard.length > 0) this.isGuarded = true;
    return this.accesses.push(access) - 1;
  }

  #numberByText(access: Access): number {
    this.#numbers ??= new Map(this.accesses.map((each, i) => [textOf(each), i]));
    const text = textOf(access);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#append(access);
      this.#numbers.set(text, number);
    }
    return number;
  }
}

/** Equal expressions are mostly one object. */
function isSame(access: Access, index: IndexExpr, guard: readonly IndexRange[]): boolean {
  const other = access.index;
  if (other !== index && other.key !== index.key) return false;
  if (access.guard === guard || (access.guard.length === 0 && guard.length === 0)) return true;
  return textOf(access) === textOf({ index, guard });
}

function textOf({ index, guard }: Access): string {
  let text = index.key;
  for (let i = 0; i < guard.length; i += 1) {
    const { index: of, lo, hi } = guard[i] as IndexRange;
    text += `&${lo}<=${of.key}<${hi}`;
  }
  return text;
}

/** Nodes (1) that a reduction or a write needs. */
export function liveNodes({ nodes, reductions, writes }: Stage): Uint8Array {
  const live = new Uint8Array(nodes.length);
  for (let i = 0; i < reductions.length; i += 1) live[reductions[i]?.value as number] = 1;
  for (const { value, index, guard } of writes) {
    live[value] = 1;
    markValues(live, index, guard);
  }
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    if (live[i] === 0) continue;
    const node = nodes[i] as ScalarNode;
    const { args } = node as { readonly args?: readonly number[] };
    if (args !== undefined) {
      for (let k = 0; k < args.length; k += 1) live[args[k] as number] = 1;
    } else if (node.op === "load") {
      markValues(live, node.index, node.guard);
    } else if (node.op === "index") {
      markValues(live, node.index, noGuard);
    }
  }
  return live;
}

function markValues(live: Uint8Array, index: IndexExpr, guard: readonly IndexRange[]): void {
  if (takesValues(index)) {
    ix.forEachLeaf(index, (leaf) => {
      if (leaf.k === "value") live[leaf.node] = 1;
    });
  }
  for (let i = 0; i < guard.length; i += 1) {
    markValues(live, (guard[i] as IndexRange).index, noGuard);
  }
}

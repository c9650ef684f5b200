/**
 * canonicalise: constants folded, the same node never twice, dead nodes gone, algebra that is exact
 * for NaN, ±Inf and −0, control flow with a known condition resolved.
 *
 * One walk forward with hash-consing and the rule table of `rules.ts`, over what the results need. What a rule makes goes
 * through the same two at once, so that a region is done after one walk; it is remembered, and so are nodes that no rule
 * changes: asking again costs nothing. Ranges of integers (program ids, loop counters) may be given: this is how grid axes
 * are specialised ("specialise and look", design §4). Iotas and masks stay symbolic.
 */
import {
  Emitter,
  type Node,
  type NodeId,
  newRegion,
  type OpName,
  type OpParams,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { copyNode, hasEffect, liveNodes } from "../tensor/rebuild.ts";
import { ValueNumbers, valueNow, valuesNow } from "../tensor/value-numbers.ts";
import { Structures } from "./key.ts";
import type { RuleContext } from "./rule.ts";
import { applyRules } from "./rules.ts";

export interface Assumptions {
  /** What integer values stand for: a constant, or a leaf with a range. */
  readonly known?: ReadonlyMap<ValueId, IndexExpr>;
  /** Values to put in place of others: of params, and of what nodes of the region make. */
  readonly replace?: ReadonlyMap<ValueId, ValueId>;
  /** What loop leaves of views stand for. */
  readonly loops?: ReadonlyMap<number, IndexExpr>;
}

/** What is known of a table for good: neither nodes nor regions are ever edited. */
class Settled {
  /** Regions in which there is nothing left to simplify. */
  readonly regions = new WeakSet<Region>();
  /** By node: 1 where no rule changes it as long as nothing is assumed. */
  #nodes = new Uint8Array(0);

  has(node: NodeId): boolean {
    return this.#nodes[node] === 1;
  }

  /** @param count of nodes that there are; more may follow */
  add(node: NodeId, count: number): void {
    if (node >= this.#nodes.length) {
      const longer = new Uint8Array(count + (count >> 1));
      longer.set(this.#nodes);
      this.#nodes = longer;
    }
    this.#nodes[node] = 1;
  }
}
const settledIn = new WeakMap<Table, Settled>();

function settledOf(table: Table): Settled {
  let settled = settledIn.get(table);
  if (settled === undefined) {
    settled = new Settled();
    settledIn.set(table, settled);
  }
  return settled;
}

const isPlain = ({ known, replace, loops }: Assumptions): boolean =>
  (known?.size ?? 0) === 0 && (replace?.size ?? 0) === 0 && (loops?.size ?? 0) === 0;

/** A simplified copy of `region` with the same params; the region itself where there is nothing to simplify. */
export function simplifyRegion(
  table: Table,
  region: Region,
  assumptions: Assumptions = {},
): Region {
  if (isPlain(assumptions) && settledOf(table).regions.has(region)) return region;
  return new Simplifier(table, assumptions, region.nodes.length).run(region);
}

/** Hands every node that a rule makes to `canonical`. */
class RuleEmitter extends Emitter {
  readonly #canonical: (node: Node) => readonly ValueId[];

  constructor(table: Table, region: Region, canonical: (node: Node) => readonly ValueId[]) {
    super(table, region);
    this.#canonical = canonical;
  }

  override emitAll<K extends OpName>(
    op: K,
    inputs: readonly ValueId[],
    params: OpParams[K],
    regions: readonly Region[] = [],
  ): readonly ValueId[] {
    super.emitAll(op, inputs, params, regions);
    return this.#canonical(this.table.nodes[this.region.nodes.pop() as number] as Node);
  }
}

class Simplifier implements RuleContext {
  readonly e: Emitter;
  readonly known: ReadonlyMap<ValueId, IndexExpr>;
  /** What stands for a value by now, where that is another. */
  readonly #now: ValueNumbers;
  readonly #table: Table;
  readonly #replace: ReadonlyMap<ValueId, ValueId> | undefined;
  readonly #loops: ReadonlyMap<number, IndexExpr> | undefined;
  readonly #isPlain: boolean;
  readonly #settled: Settled;
  readonly #structures: Structures;
  /** What has been made for each structure. */
  readonly #made: (readonly ValueId[])[] = [];
  /** Values of which something is assumed, and what depends on them. */
  readonly #touched: Set<ValueId>;

  /** @param count of nodes, about */
  constructor(table: Table, assumptions: Assumptions, count: number) {
    const { known, replace, loops } = assumptions;
    this.#table = table;
    this.#structures = new Structures(table);
    this.known = known ?? new Map();
    this.#replace = replace === undefined || replace.size === 0 ? undefined : replace;
    this.#loops = loops === undefined || loops.size === 0 ? undefined : loops;
    this.#isPlain = isPlain(assumptions);
    this.#now = new ValueNumbers(table.types.length, count);
    for (const [value, other] of this.#replace ?? []) this.#now.set(value, other);
    this.#touched = new Set([...this.known.keys(), ...(this.#replace?.values() ?? [])]);
    this.#settled = settledOf(table);
    this.e = new RuleEmitter(table, newRegion(), (node) => this.#simplified(node, node.inputs));
  }

  run(given: Region): Region {
    const table = this.#table;
    const replaces = this.#replace !== undefined;
    // What stands in for a value is not among the operands of whoever reads it.
    const needed = replaces ? nodesOf(table, given) : liveNodes(table, given);
    const hasChanged = this.#walk(needed) || replaces;
    let region = given;
    if (hasChanged) {
      const rough: Region = {
        params: [...given.params],
        nodes: this.e.region.nodes,
        results: given.results.map((value) => valueNow(this.#now, value)),
      };
      region = { ...rough, nodes: idsOf(liveNodes(table, rough)) };
    } else if (needed.length < given.nodes.length) {
      region = { ...given, nodes: idsOf(needed) };
    }
    if (this.#isPlain) this.#settled.regions.add(region);
    return region;
  }

  /** Appends the simplified nodes of a region with its params bound; gives its results. */
  splice(inner: Region, args: readonly ValueId[]): readonly ValueId[] {
    inner.params.forEach((param, i) => {
      this.#now.set(param, args[i] as ValueId);
    });
    this.#walk(nodesOf(this.#table, inner));
    return inner.results.map((value) => valueNow(this.#now, value));
  }

  /** Whether anything is other than it was. */
  #walk(nodes: readonly Node[]): boolean {
    const { e } = this;
    const now = this.#now;
    let hasChanged = false;
    for (let n = 0; n < nodes.length; n += 1) {
      const given = nodes[n] as Node;
      const node = this.#loops === undefined ? given : bindLoops(given, this.#loops);
      e.origin = node.origin;
      const outputs = this.#simplified(node, valuesNow(now, node.inputs));
      if (outputs === given.outputs && this.#replace === undefined) continue;
      hasChanged = true;
      for (let i = 0; i < outputs.length; i += 1) {
        const value = given.outputs[i] as ValueId;
        now.set(value, this.#replace?.get(value) ?? (outputs[i] as ValueId));
      }
    }
    return hasChanged;
  }

  #simplified(node: Node, inputs: readonly ValueId[]): readonly ValueId[] {
    if (node.regions.length > 0) return this.#structured(node, inputs);
    if (hasEffect(this.#table, node)) return this.#kept(node, inputs);
    const structure = this.#structures.numberOf(node, inputs);
    let outputs = this.#made[structure];
    if (outputs === undefined) {
      outputs = this.#rewritten(node, inputs) ?? this.#kept(node, inputs);
      this.#made[structure] = outputs;
    }
    return outputs;
  }

  /** Regions inside first: what rules find in them decides what becomes of the node. */
  #structured(node: Node, inputs: readonly ValueId[]): readonly ValueId[] {
    const rewritten = this.#rewritten(node, inputs);
    if (rewritten !== undefined) return rewritten;
    const table = this.#table;
    const inside: Assumptions = this.#loops === undefined ? {} : { loops: this.#loops };
    const regions = node.regions.map((inner) => simplifyRegion(table, inner, inside));
    if (regions.every((inner, i) => inner === node.regions[i])) return this.#kept(node, inputs);
    const { nodes } = this.e.region;
    copyNode(this.e, node, inputs, regions);
    const copy = table.nodes[nodes.pop() as number] as Node;
    const again = this.#rewritten(copy, inputs);
    if (again !== undefined) return again;
    nodes.push(copy.id);
    return this.#noted(copy.outputs, inputs, copy);
  }

  /** What rules make of a node; undefined where they leave it as it is. */
  #rewritten(node: Node, inputs: readonly ValueId[]): readonly ValueId[] | undefined {
    const isSettled =
      inputs === node.inputs && this.#settled.has(node.id) && !this.#isTouched(node, inputs);
    return isSettled ? undefined : applyRules(this, node, inputs);
  }

  /** The node itself where its operands are what they were, else a copy. */
  #kept(node: Node, inputs: readonly ValueId[]): readonly ValueId[] {
    const { e } = this;
    const isSame = inputs === node.inputs && node === this.#table.nodes[node.id];
    if (isSame) e.region.nodes.push(node.id);
    const outputs = isSame ? node.outputs : copyNode(e, node, inputs);
    if (!isSame) this.#structures.copied(node, e.region.nodes.at(-1) as NodeId);
    return this.#noted(outputs, inputs, node);
  }

  /** Remembers that no rule changes the node that was appended last. */
  #noted(outputs: readonly ValueId[], inputs: readonly ValueId[], node: Node): readonly ValueId[] {
    if (this.#isTouched(node, inputs)) {
      for (const value of outputs) this.#touched.add(value);
    } else {
      const { nodes } = this.e.region;
      this.#settled.add(nodes[nodes.length - 1] as NodeId, this.#table.nodes.length);
    }
    return outputs;
  }

  /** Whether something that is assumed goes into a node: another time, rules may see it otherwise. */
  #isTouched(node: Node, inputs: readonly ValueId[]): boolean {
    if (this.#isPlain) return false;
    if (node !== this.#table.nodes[node.id]) return true;
    for (const value of inputs) if (this.#touched.has(value)) return true;
    return false;
  }
}

function nodesOf(table: Table, { nodes }: Region): readonly Node[] {
  const found: Node[] = [];
  for (let i = 0; i < nodes.length; i += 1) found.push(table.nodes[nodes[i] as NodeId] as Node);
  return found;
}

function idsOf(nodes: readonly Node[]): NodeId[] {
  const ids: NodeId[] = [];
  for (let i = 0; i < nodes.length; i += 1) ids.push((nodes[i] as Node).id);
  return ids;
}

/** A view with its loop leaves replaced; the node itself where it has none of those. */
function bindLoops(node: Node, loops: ReadonlyMap<number, IndexExpr>): Node {
  if (node.op !== "view") return node;
  let isSame = true;
  const index = node.params.index.map((part) =>
    ix.substitute(part, (leaf) => {
      const bound = leaf.k === "loop" ? loops.get(leaf.loop) : undefined;
      if (bound === undefined) return leaf;
      isSame = false;
      return bound;
    }),
  );
  return isSame ? node : { ...node, params: { ...node.params, index } };
}

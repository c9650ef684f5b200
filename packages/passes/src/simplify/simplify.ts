/**
 * canonicalise: constants folded, the same node never twice, dead nodes gone, algebra that is exact
 * for NaN, ±Inf and −0, control flow with a known condition resolved.
 *
 * One forward walk with hash-consing and the rule table of `rules.ts`, then one backward walk for
 * liveness. Ranges of integers (program ids, loop counters) may be given: this is how grid axes are
 * specialised ("specialise and look", design §4). Iotas and masks stay symbolic.
 */
import {
  Emitter,
  type Node,
  newRegion,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { copyNode, type Environment, hasEffect, liveNodes, resolve } from "../tensor/rebuild.ts";
import { Structures } from "./key.ts";
import { applyRules } from "./rules.ts";

export interface Assumptions {
  /** What integer values stand for: a constant, or a leaf with a range. */
  readonly known?: ReadonlyMap<ValueId, IndexExpr>;
  /** Values to put in place of others: of params, and of what nodes of the region make. */
  readonly replace?: ReadonlyMap<ValueId, ValueId>;
  /** What loop leaves of views stand for. */
  readonly loops?: ReadonlyMap<number, IndexExpr>;
}

/** Nodes that no rule changes as long as nothing is assumed, for good: nodes are never edited. */
const settledNodes = new WeakMap<Table, boolean[]>();

function settledIn(table: Table): boolean[] {
  let settled = settledNodes.get(table);
  if (settled === undefined) {
    settled = [];
    settledNodes.set(table, settled);
  }
  return settled;
}

/** A simplified copy of `region` with the same params; the region itself where there is nothing to simplify. */
export function simplifyRegion(
  table: Table,
  region: Region,
  assumptions: Assumptions = {},
): Region {
  const rough = newRegion();
  rough.params.push(...region.params);
  const e = new Emitter(table, rough);
  const env: Environment = new Map(assumptions.replace ?? []);
  simplifyInto(e, region, env, assumptions);
  for (const value of region.results) rough.results.push(resolve(env, value));
  const nodes = liveNodes(table, rough).map(({ id }) => id);
  const isSame = sameNumbers(nodes, region.nodes) && sameNumbers(rough.results, region.results);
  return isSame ? region : { params: rough.params, nodes, results: rough.results };
}

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

/** Appends the simplified nodes of `region` to `e`. */
export function simplifyInto(
  e: Emitter,
  region: Region,
  env: Environment,
  assumptions: Assumptions,
): void {
  const table = e.table;
  const { replace, loops } = assumptions;
  const known = assumptions.known ?? new Map<ValueId, IndexExpr>();
  const isPlain = known.size === 0 && (replace?.size ?? 0) === 0 && (loops?.size ?? 0) === 0;
  const settled = settledIn(table);
  const structures = new Structures();
  const made: (readonly ValueId[])[] = [];
  const context = {
    e,
    known,
    env,
    splice: (inner: Region, args: readonly ValueId[]): readonly ValueId[] => {
      inner.params.forEach((param, i) => {
        env.set(param, args[i] as ValueId);
      });
      walkNodes(inner);
      return inner.results.map((value) => resolve(env, value));
    },
  };

  /** The node itself where operands and regions are what they were, else a copy. */
  const kept = (node: Node, inputs: readonly ValueId[]): readonly ValueId[] => {
    const regions =
      node.regions.length === 0
        ? node.regions
        : node.regions.map((inner) => simplifyRegion(table, inner, loopsOnly(assumptions)));
    const isSame =
      inputs === node.inputs &&
      node === table.nodes[node.id] &&
      regions.every((inner, i) => inner === node.regions[i]);
    if (!isSame) return copyNode(e, node, inputs, regions);
    e.region.nodes.push(node.id);
    return node.outputs;
  };

  const one = (node: Node, inputs: readonly ValueId[]): readonly ValueId[] => {
    const isSettled = isPlain && inputs === node.inputs && settled[node.id] === true;
    const rewritten = isSettled ? undefined : applyRules(context, node, inputs);
    if (rewritten !== undefined) return rewritten;
    const outputs = kept(node, inputs);
    const isNew = outputs !== node.outputs;
    // Rules for structured ops look into their regions, which may just have changed.
    if (isPlain && !(isNew && node.regions.length > 0)) {
      settled[isNew ? table.nodes.length - 1 : node.id] = true;
    }
    return outputs;
  };

  const walkNodes = (inner: Region): void => {
    for (const id of inner.nodes) {
      const node = bindLoops(table.nodes[id] as Node, loops);
      const inputs = resolveAll(env, node.inputs);
      e.origin = node.origin;
      let outputs: readonly ValueId[];
      if (node.regions.length > 0 || hasEffect(table, node)) {
        outputs = one(node, inputs);
      } else {
        const structure = structures.numberOf(node, inputs);
        outputs = made[structure] ?? one(node, inputs);
        made[structure] = outputs;
      }
      if (outputs === node.outputs && replace === undefined) continue;
      node.outputs.forEach((value, i) => {
        env.set(value, replace?.get(value) ?? (outputs[i] as ValueId));
      });
    }
  };
  walkNodes(region);
}

/** The values as they are now: the very same list where all are as they were. */
function resolveAll(env: Environment, values: readonly ValueId[]): readonly ValueId[] {
  for (const value of values) {
    if (resolve(env, value) !== value) return values.map((each) => resolve(env, each));
  }
  return values;
}

const loopsOnly = ({ loops }: Assumptions): Assumptions => (loops === undefined ? {} : { loops });

/** A view with its loop leaves replaced. */
function bindLoops(node: Node, loops: Assumptions["loops"]): Node {
  if (loops === undefined || loops.size === 0 || node.op !== "view") return node;
  const index = node.params.index.map((part) =>
    ix.substitute(part, (leaf) => (leaf.k === "loop" ? (loops.get(leaf.loop) ?? leaf) : leaf)),
  );
  return { ...node, params: { ...node.params, index } };
}

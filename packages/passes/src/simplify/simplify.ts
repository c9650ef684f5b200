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
import { structureKey } from "./key.ts";
import { applyRules } from "./rules.ts";

export interface Assumptions {
  /** What integer values stand for: a constant, or a leaf with a range. */
  readonly known?: ReadonlyMap<ValueId, IndexExpr>;
  /** Values to put in place of others: of params, and of what nodes of the region make. */
  readonly replace?: ReadonlyMap<ValueId, ValueId>;
  /** What loop leaves of views stand for. */
  readonly loops?: ReadonlyMap<number, IndexExpr>;
}

/** A simplified copy of `region` with the same params. */
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
  rough.results.push(...region.results.map((value) => resolve(env, value)));
  const live = liveNodes(table, rough);
  return { params: rough.params, nodes: live.map(({ id }) => id), results: rough.results };
}

/** Appends the simplified nodes of `region` to `e`. */
export function simplifyInto(
  e: Emitter,
  region: Region,
  env: Environment,
  assumptions: Assumptions,
): void {
  const table = e.table;
  const seen = new Map<string, readonly ValueId[]>();
  const context = {
    e,
    known: assumptions.known ?? new Map<ValueId, IndexExpr>(),
    env,
    splice: (inner: Region, args: readonly ValueId[]): readonly ValueId[] => {
      inner.params.forEach((param, i) => {
        env.set(param, args[i] as ValueId);
      });
      walkNodes(inner);
      return inner.results.map((value) => resolve(env, value));
    },
  };

  const one = (node: Node, inputs: readonly ValueId[]): readonly ValueId[] => {
    const rewritten = applyRules(context, node, inputs);
    if (rewritten !== undefined) return rewritten;
    if (node.regions.length > 0) {
      return copyNode(
        e,
        node,
        inputs,
        node.regions.map((inner) => simplifyRegion(table, inner, loopsOnly(assumptions))),
      );
    }
    return copyNode(e, node, inputs);
  };

  const walkNodes = (inner: Region): void => {
    for (const id of inner.nodes) {
      const node = bindLoops(table.nodes[id] as Node, assumptions.loops);
      const inputs = node.inputs.map((value) => resolve(env, value));
      const key = hasEffect(table, node) ? undefined : structureKey(table, node, inputs);
      const known = key === undefined ? undefined : seen.get(key);
      let outputs: readonly ValueId[];
      if (known !== undefined) {
        outputs = known;
      } else {
        e.origin = node.origin;
        outputs = one(node, inputs);
        if (key !== undefined) seen.set(key, outputs);
      }
      node.outputs.forEach((value, i) => {
        env.set(value, assumptions.replace?.get(value) ?? (outputs[i] as ValueId));
      });
    }
  };
  walkNodes(region);
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

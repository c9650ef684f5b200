/**
 * Batching: the same computation for every point of a new leading dimension, as vmap does.
 *
 * This is how a parallel grid axis turns into an array axis. Ordinary ops bring their own rule
 * (op table, `batch`); here are the structured ones: a branch whose predicate differs between points
 * becomes a select, a loop whose predicate differs runs until all are done and finished points keep
 * their values, and views that name the axis get it as a dimension.
 */
import {
  type BatchOperand,
  definitionOf,
  type Emitter,
  InternalError,
  type Node,
  type NodeNamed,
  type Region,
  sizes,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { batchCond } from "./batch-branches.ts";
import { batchScan, batchWhile } from "./batch-loops.ts";
import { asBatched, type BatchAxis, guardOf, type Scope } from "./batch-scope.ts";
import { hasEffect } from "./rebuild.ts";

const lookup = (scope: Scope, value: ValueId): BatchOperand =>
  scope.env.get(value) ?? { value, batched: false };

/** Appends the batched nodes of `region` to `e`, its params bound to `args`. */
export function batchRegion(
  e: Emitter,
  region: Region,
  args: readonly BatchOperand[],
  axis: BatchAxis,
  mask?: ValueId,
): BatchOperand[] {
  const env = new Map<ValueId, BatchOperand>();
  region.params.forEach((param, i) => {
    env.set(param, args[i] as BatchOperand);
  });
  const inside: Scope["inside"] = (within, nested, given, there) =>
    batchRegion(within, nested, given, axis, there);
  const scope: Scope = { e, axis, env, mask, inside };
  for (const id of region.nodes) {
    const node = e.table.nodes[id] as Node;
    e.origin = node.origin;
    const results = batchNode(scope, node);
    node.outputs.forEach((value, i) => {
      env.set(value, results[i] as BatchOperand);
    });
  }
  return region.results.map((value) => lookup(scope, value));
}

const namesAxis = (index: readonly IndexExpr[], loop: number | undefined): boolean => {
  let found = false;
  for (const part of index) {
    ix.forEachLeaf(part, (leaf) => {
      if (leaf.k === "loop" && leaf.loop === loop) found = true;
    });
  }
  return found;
};

/** Whether a node inside (a region of) `node` names the axis by its loop leaf. */
function mentionsAxis(scope: Scope, node: Node): boolean {
  if (scope.axis.loop === undefined) return false;
  if (node.op === "view") return namesAxis(node.params.index, scope.axis.loop);
  return node.regions.some((region) =>
    region.nodes.some((id) => mentionsAxis(scope, scope.e.table.nodes[id] as Node)),
  );
}

function batchNode(scope: Scope, node: Node): readonly BatchOperand[] {
  const operands = node.inputs.map((value) => lookup(scope, value));
  const touched = operands.some(({ batched }) => batched) || mentionsAxis(scope, node);
  if (!touched && !hasEffect(scope.e.table, node) && guardOf(scope, node) === undefined) {
    const plain = operands.map(({ value }) => value);
    return copyUnbatched(scope, node, plain);
  }
  switch (node.op) {
    case "view":
      return [{ value: batchView(scope, node, operands[0] as BatchOperand), batched: true }];
    case "cond":
      return batchCond(scope, node, operands);
    case "scan":
      return batchScan(scope, node, operands);
    case "while":
      return batchWhile(scope, node, operands);
    case "debug_print":
      return batchPrint(scope, node, operands);
    default: {
      const rule = definitionOf(node.op).batch as
        | ((
            e: Emitter,
            node: Node,
            operands: readonly BatchOperand[],
            size: number,
          ) => readonly ValueId[])
        | undefined;
      if (rule === undefined) {
        throw new InternalError("GF9301", `no batching rule for "${node.op}"`);
      }
      return rule(scope.e, node, operands, scope.axis.size).map((value) => ({
        value,
        batched: true,
      }));
    }
  }
}

function copyUnbatched(
  { e }: Scope,
  node: Node,
  inputs: readonly ValueId[],
): readonly BatchOperand[] {
  const types = node.outputs.map((value) => e.table.types[value]!);
  const { outputs } = e.table.newNode(
    e.region,
    node.op,
    node.params,
    inputs,
    types,
    node.regions,
    node.origin,
  );
  return outputs.map((value) => ({ value, batched: false }));
}

function batchView(scope: Scope, node: NodeNamed<"view">, source: BatchOperand): ValueId {
  const { e, axis } = scope;
  const point = ix.axis(0, axis.size);
  const shift = (part: IndexExpr): IndexExpr =>
    ix.substitute(part, (leaf) =>
      leaf.k === "axis"
        ? ix.axis(leaf.axis + 1, leaf.hi + 1)
        : leaf.k === "loop" && leaf.loop === axis.loop
          ? point
          : leaf,
    );
  const index = node.params.index.map(shift);
  return e.emit("view", [source.value], {
    shape: [axis.size, ...node.params.shape],
    index: source.batched ? [point, ...index] : index,
    fill: node.params.fill,
  });
}

function batchPrint(
  scope: Scope,
  node: NodeNamed<"debug_print">,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis, mask } = scope;
  const { format, batch, masked } = node.params;
  const values = operands.map((operand) => asBatched(e, operand, axis.size));
  if (mask === undefined) {
    e.emitAll("debug_print", values, { format, batch: batch + 1, masked });
    return [];
  }
  const shape = [axis.size, ...sizes(e.shape(values[0] ?? mask)).slice(1, batch + 1)];
  const wide = batch === 0 ? mask : e.broadcastInDim(mask, shape, [0]);
  const own = masked ? e.emit("and", [wide, values.shift() as ValueId], {}) : wide;
  e.emitAll("debug_print", [own, ...values], { format, batch: batch + 1, masked: true });
  return [];
}

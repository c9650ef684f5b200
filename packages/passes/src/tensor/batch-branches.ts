/**
 * Branches of every point of a batch: one predicate for all stays a branch, one for each becomes a select among the
 * results of all branches, of which the points that do not take one are told to have no effects.
 */
import {
  type BatchOperand,
  type Emitter,
  type Node,
  type NodeNamed,
  newRegion,
  type Region,
  type ValueId,
} from "@gridfuse/graph";
import { asBatched, capture, guardOf, listed, type Scope, selectPoints } from "./batch-scope.ts";

export function batchCond(
  scope: Scope,
  node: NodeNamed<"cond">,
  [which, ...operands]: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis } = scope;
  const selector = which as BatchOperand;
  if (selector.batched) return selectBranches(scope, node, selector, operands);

  const guard = guardOf(scope, node as Node);
  const branches = node.regions.map((region) => openBatched(scope, region, operands, guard));
  const batched = node.outputs.map((_, i) => branches.some(({ results }) => results[i]?.batched));
  const regions = branches.map(({ region, emitter, results }) => {
    results.forEach((result, i) => {
      region.results.push(batched[i] ? asBatched(emitter, result, axis.size) : result.value);
    });
    return region;
  });
  const values = [selector.value, ...operands.map(({ value }) => value), ...listed(guard)];
  const types = (regions[0] as Region).results.map((value) => e.table.types[value]!);
  const { outputs } = e.table.newNode(e.region, "cond", {}, values, types, regions, node.origin);
  return outputs.map((value, i) => ({ value, batched: batched[i] as boolean }));
}

/** A new region with the params of `region` (batched as the operands are) and its batched nodes. */
function openBatched(
  { e, inside }: Scope,
  region: Region,
  operands: readonly BatchOperand[],
  guard: ValueId | undefined,
): { region: Region; emitter: Emitter; results: BatchOperand[] } {
  const open = newRegion();
  const emitter = e.nested(open);
  const args = operands.map(({ value, batched }) => ({
    value: e.table.newParam(open, e.table.types[value]!),
    batched,
  }));
  const mask = capture(e, open, guard);
  return { region: open, emitter, results: inside(emitter, region, args, mask) };
}

function selectBranches(
  scope: Scope,
  node: NodeNamed<"cond">,
  which: BatchOperand,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis, mask, inside } = scope;
  const selector = asBatched(e, which, axis.size);
  const last = node.regions.length - 1;
  const isBool = e.dtype(selector) === "bool";
  const index = isBool
    ? selector
    : e.emit(
        "clamp",
        [e.full("int32", [], 0), e.convert(selector, "int32"), e.full("int32", [], last)],
        {},
      );
  const results = node.regions.map((region, k) => {
    const chosen = isBool
      ? k === 1
        ? index
        : e.emit("not", [index], {})
      : e.emit("eq", [index, e.full("int32", e.shape(index), k)], {});
    const inner = mask === undefined ? chosen : e.emit("and", [mask, chosen], {});
    return inside(e, region, operands, inner);
  });
  return node.outputs.map((_, i) => {
    const cases = results.map((values) => asBatched(e, values[i] as BatchOperand, axis.size));
    if (cases.length === 1 || cases.every((value) => value === cases[0])) {
      return { value: cases[0] as ValueId, batched: true };
    }
    const which2 = cases.length === 2 && !isBool ? e.convert(index, "bool") : index;
    return { value: selectPoints(e, which2, cases), batched: true };
  });
}

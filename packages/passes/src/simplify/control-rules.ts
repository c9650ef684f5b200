/** Branches that are known or cheap, and loops of one trip or none. Each rule says when it is exact. */
import { definitionOf, type NodeNamed, type Region, type ValueId } from "@gridfuse/graph";
import { type Bits, toBits } from "@gridfuse/plan/scalar";
import { symbolicValue, truth } from "../tensor/symbolic.ts";
import { fullLike, type Result, type Rule, type RuleContext, splatBits } from "./rule.ts";

/** A branch that is known runs in place; a cheap one becomes a select (see `cond.ts`). */
export const cond: Rule<"cond"> = (context, node, inputs) => {
  const { e } = context;
  const [which, ...operands] = inputs as [ValueId, ...ValueId[]];
  const bits = splatBits(e, which) ?? knownTruth(context, which);
  if (bits === undefined) return selectCheapBranches(context, node, which, operands);
  const count = node.regions.length;
  const index = e.dtype(which) === "bool" ? bits.lo : Math.max(0, Math.min(bits.lo | 0, count - 1));
  return context.splice(node.regions[index] as Region, operands);
};

const maxBranchNodes = 12;
const cheapCategories: ReadonlySet<string> = new Set(["source", "elementwise", "movement"]);

/** Branches that only compute a few elementwise values cost less than a jump between kernels. */
function selectCheapBranches(
  context: RuleContext,
  node: NodeNamed<"cond">,
  which: ValueId,
  operands: readonly ValueId[],
): Result {
  const { e } = context;
  const cheap = node.regions.every(
    (region) =>
      region.nodes.length <= maxBranchNodes &&
      region.nodes.every((id) => cheapCategories.has(definitionOf(e.table.nodes[id]!.op).category)),
  );
  if (!cheap || node.regions.length < 2) return undefined;
  const results = node.regions.map((region) => context.splice(region, operands));
  let selector = which;
  if (e.dtype(which) !== "bool") {
    const last = e.full("int32", [], node.regions.length - 1);
    selector = e.emit("clamp", [e.full("int32", [], 0), e.convert(which, "int32"), last], {});
    if (node.regions.length === 2) selector = e.convert(selector, "bool");
  }
  return node.outputs.map((_, i) => {
    const cases = results.map((values) => values[i] as ValueId);
    return cases.every((value) => value === cases[0])
      ? (cases[0] as ValueId)
      : e.emit("select_n", [selector, ...cases], {});
  });
}

function knownTruth({ e, known }: RuleContext, which: ValueId): Bits | undefined {
  if (e.dtype(which) === "bool") {
    const decided = truth(e.table, which, [], (value, at) =>
      symbolicValue(e.table, value, at, (v) => known.get(v)),
    );
    return decided === undefined ? undefined : { lo: decided ? 1 : 0, hi: 0 };
  }
  const index = symbolicValue(e.table, which, [], (v) => known.get(v));
  return index?.k === "const" ? toBits("int32", index.value) : undefined;
}

/** A loop of one trip is its body. A loop that never runs gives its initial carries; its ys are empty. */
export const scan: Rule<"scan"> = (context, node, inputs) => {
  const { e } = context;
  const { trips, carries } = node.params;
  if (trips === 1) return runOnce(context, node, inputs);
  if (trips > 0) return undefined;
  return node.outputs.map((value, i) =>
    i < carries ? (inputs[i] as ValueId) : fullLike(e, value, { lo: 0, hi: 0 }),
  );
};

function runOnce(
  context: RuleContext,
  node: NodeNamed<"scan">,
  inputs: readonly ValueId[],
): readonly ValueId[] {
  const { e } = context;
  const { carries, xs } = node.params;
  const args = inputs.map((value, i) =>
    i >= carries && i < carries + xs ? e.reshape(value, e.shape(value).slice(1)) : value,
  );
  const results = context.splice(node.regions[0] as Region, [e.full("int32", [], 0), ...args]);
  return results.map((value, i) =>
    i < carries ? value : e.reshape(value, [1, ...e.shape(value)]),
  );
}

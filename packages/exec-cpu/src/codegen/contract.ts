/**
 * Products that go straight into a sum: a · b + c with one rounding, one instruction of relaxed SIMD, where fast
 * precision is asked for. A product that anybody else reads stays as it is: there it is needed as it was rounded, as in the
 * error-free transformations that split a number in two.
 */
import { argsOf, type ScalarNode } from "@gridfuse/plan/scalar";
import type { StageForm } from "./kernel-form.ts";
import { valuesIn } from "./program-facts.ts";

/** For sums and differences that take in a product: which operand that is. */
export type Contractions = ReadonlyMap<number, 0 | 1>;

type Program = Pick<StageForm, "nodes" | "reductions" | "writes">;

/** How often each node is read. */
function countUses({ nodes, reductions, writes }: Program): readonly number[] {
  const uses = new Array<number>(nodes.length).fill(0);
  const use = (i: number): void => {
    uses[i] = (uses[i] as number) + 1;
  };
  for (const { value } of reductions) use(value);
  for (const { value, index, guard } of writes) {
    use(value);
    for (const e of [index, ...guard.map((range) => range.index)]) valuesIn(e).forEach(use);
  }
  for (const node of nodes) {
    for (const arg of argsOf(node)) use(arg);
    if (node.op === "load" || node.op === "index") valuesIn(node.index).forEach(use);
    if (node.op === "load") for (const { index } of node.guard) valuesIn(index).forEach(use);
  }
  return uses;
}

export function contractionsOf(stage: Program): Contractions {
  const { nodes } = stage;
  const uses = countUses(stage);
  const found = new Map<number, 0 | 1>();
  for (const [i, node] of nodes.entries()) {
    const position = productOf(node, nodes, uses);
    if (position !== undefined) found.set(i, position);
  }
  return found;
}

/** Products that nobody reads but the reduction that sums them up. */
export function foldedProductsOf(stage: Program): ReadonlySet<number> {
  const uses = countUses(stage);
  const sums = stage.reductions.filter(({ op, dtype }) => op === "add" && dtype === "float32");
  const isProduct = (value: number): boolean =>
    stage.nodes[value]?.op === "mul" && uses[value] === 1;
  return new Set(sums.map(({ value }) => value).filter(isProduct));
}

function productOf(
  node: ScalarNode,
  nodes: readonly ScalarNode[],
  uses: readonly number[],
): 0 | 1 | undefined {
  if ((node.op !== "add" && node.op !== "sub") || node.dtype !== "float32") return undefined;
  const isProduct = (arg: number): boolean =>
    (nodes[arg] as ScalarNode).op === "mul" && uses[arg] === 1;
  const [x, y] = node.args;
  // c − a · b has an instruction of its own, a · b − c has none.
  if (isProduct(y)) return 1;
  return node.op === "add" && isProduct(x) ? 0 : undefined;
}

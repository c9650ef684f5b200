/** Runs one expansion over columns of arguments. */
import {
  argsOf,
  type DType,
  evaluateProgram,
  type Lanes,
  type NumberLanes,
  type Scalar,
  ScalarBuilder,
  type ScalarNode,
} from "../src/scalar/index.ts";
import * as math from "../src/scalar/math/index.ts";

export type Expansion = (b: ScalarBuilder, ...operands: Scalar[]) => Scalar;

/** The nodes of `expansion` over arguments of `dtype`, the result last. */
export function nodesOf(
  expansion: Expansion,
  dtype: DType,
  arity = expansion.length - 1,
): {
  readonly nodes: readonly ScalarNode[];
  readonly result: Scalar;
} {
  const b = new ScalarBuilder();
  const operands = Array.from({ length: arity }, (_, i) => b.argument(dtype, i));
  const result = expansion(b, ...operands);
  return { nodes: b.nodes, result };
}

export function evaluateExpansion(
  expansion: Expansion,
  dtype: DType,
  columns: readonly Lanes[],
): NumberLanes {
  const { nodes, result } = nodesOf(expansion, dtype, columns.length);
  const n = (columns[0] as Lanes).length;
  const leaf = (node: { op: string }): Lanes => {
    if (node.op !== "argument") throw new Error(`an expansion reads ${node.op}`);
    return columns[(node as unknown as { index: number }).index] as Lanes;
  };
  return evaluateProgram(nodes, n, leaf, [result])[result] as NumberLanes;
}

/** The nodes that run where no lane needs a `rare` path; constants and arguments cost nothing. */
export function fastPath(expansion: Expansion, dtype: DType): { readonly nodes: ScalarNode[] } {
  const { nodes, result } = nodesOf(expansion, dtype);
  const reached = new Set<Scalar>();
  const visit = (at: Scalar): void => {
    if (reached.has(at)) return;
    reached.add(at);
    const node = nodes[at] as ScalarNode;
    const args = node.op === "rare" ? [node.args[0], node.args[2]] : argsOf(node);
    args.forEach(visit);
  };
  visit(result);
  const found = [...reached].map((at) => nodes[at] as ScalarNode);
  return { nodes: found.filter((node) => argsOf(node).length > 0) };
}

export const fastPathCost = (expansion: Expansion, dtype: DType): number =>
  fastPath(expansion, dtype).nodes.length;

/** An expansion by its name in the table of bounds. */
export const expansionOf = (name: string): Expansion =>
  (math as unknown as Record<string, Expansion>)[name] as Expansion;

/** A small generator with a seed, so that a failure repeats (Marsaglia's xorshift). */
export function random(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export type Sampler = (next: () => number) => number;
export const between =
  (lo: number, hi: number): Sampler =>
  (next) =>
    lo + (hi - lo) * (next() + next() * 2 ** -32);
/** Any magnitude in the range is as likely as any other, of either sign unless lo is negative. */
export const magnitudes =
  (lo: number, hi: number, signed = true): Sampler =>
  (next) => {
    const size = 2 ** between(Math.log2(lo), Math.log2(hi))(next);
    return signed && next() < 0.5 ? -size : size;
  };
/** 1 − a small number, and the same negated. */
export const nearOne =
  (smallest: number): Sampler =>
  (next) =>
    (next() < 0.5 ? -1 : 1) * (1 - magnitudes(smallest, 1, false)(next));

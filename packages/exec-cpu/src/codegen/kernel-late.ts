/**
 * Kernels without their rare sides.
 *
 * The slow side of a `rare` (the reduction of a huge angle, the result that is subnormal) is large, and standing in the
 * middle of a loop it takes the registers and the place of what runs always. So a kernel with such sides becomes two
 * functions: one that computes as if they were never needed and says whether that was wrong, and the whole kernel,
 * which does the same points over where it was. Points do not read what points write, so doing them over is safe, unless
 * results lie where operands lay.
 */
import type { PlanBuffer } from "@gridfuse/plan";
import { itemSize, type KernelStep } from "@gridfuse/plan";
import { argsOf, type ScalarNode } from "@gridfuse/plan/scalar";
import type { KernelForm, StageForm } from "./kernel-form.ts";
import { valuesIn } from "./program-facts.ts";

/** The form without slow sides, every stage with the conditions that must not hold; undefined where there are none. */
export function withoutRares(form: KernelForm): KernelForm | undefined {
  if (!form.stages.some(hasRare)) return undefined;
  const stages = form.stages.map(optimistic);
  const known = stages.every((stage) => stage !== undefined);
  return known && stages.some(({ late }) => late.length > 0) ? { ...form, stages } : undefined;
}

function hasRare({ nodes }: Pick<StageForm, "nodes">): boolean {
  for (let i = 0; i < nodes.length; i++) if (nodes[i]?.op === "rare") return true;
  return false;
}

const nothing: ScalarNode = { op: "const", dtype: "int32", bits: { lo: 0, hi: 0 } };

/** Undefined where a computed index depends on a rare value: it is not known to be in bounds. */
function optimistic(stage: StageForm): (StageForm & { late: readonly number[] }) | undefined {
  const { nodes, reductions, writes } = stage;
  if (nodes.length === 0) return { ...stage, late: [] };
  const instead = nodes.map((_, i) => i);
  for (const [i, node] of nodes.entries()) {
    if (node.op === "rare") instead[i] = instead[node.args[2]] as number;
  }
  const taken = (i: number): number => instead[i] as number;
  const renamed = nodes.map((node): ScalarNode => {
    const args = argsOf(node);
    const isSame = args.every((arg) => taken(arg) === arg);
    return isSame ? node : ({ ...node, args: args.map(taken) } as unknown as ScalarNode);
  });

  const late = new Set<number>();
  const seen = new Set<number>();
  let isKnown = true;
  /** `i` is as it was written; what stands for it and what that takes is visited. */
  const visit = (i: number): void => {
    if (seen.has(i)) return;
    seen.add(i);
    const node = nodes[i] as ScalarNode;
    if (node.op === "rare") {
      late.add(taken(node.args[0]));
      visit(node.args[0]);
      visit(node.args[2]);
      return;
    }
    for (const arg of argsOf(node)) visit(arg);
    if (node.op !== "load" && node.op !== "index") return;
    const indices = [
      node.index,
      ...(node.op === "load" ? node.guard.map(({ index }) => index) : []),
    ];
    for (const value of indices.flatMap(valuesIn)) {
      visit(value);
      if (dependsOnRare(nodes, value)) isKnown = false;
    }
  };
  for (const { value } of reductions) visit(value);
  for (const { value, index, guard } of writes) {
    visit(value);
    for (const at of [index, ...guard.map((range) => range.index)].flatMap(valuesIn)) {
      visit(at);
      if (dependsOnRare(nodes, at)) isKnown = false;
    }
  }
  if (!isKnown) return undefined;
  return {
    ...stage,
    // What nobody needs any more keeps its number, as little else.
    nodes: renamed.map((node, i) => (seen.has(i) ? node : nothing)),
    reductions: reductions.map((reduction) => ({ ...reduction, value: taken(reduction.value) })),
    writes: writes.map((write) => ({ ...write, value: taken(write.value) })),
    late: [...late],
  };
}

function dependsOnRare(nodes: readonly ScalarNode[], from: number): boolean {
  const seen = new Set<number>();
  const visit = (i: number): boolean => {
    if (seen.has(i)) return false;
    seen.add(i);
    const node = nodes[i] as ScalarNode;
    return node.op === "rare" || argsOf(node).some(visit);
  };
  return visit(from);
}

/** Whether some result of a kernel shares memory with an operand, so that its points cannot be done over. */
export function isInPlace(
  { stages }: KernelStep,
  addresses: readonly number[],
  buffers: readonly PlanBuffer[],
): boolean {
  // Others are never done over.
  if (!stages.some(hasRare)) return false;
  const span = (buffer: number): readonly [number, number] => {
    const { length, dtype } = buffers[buffer] as PlanBuffer;
    const start = addresses[buffer] as number;
    return [start, start + length * itemSize(dtype)];
  };
  const written = stages.flatMap(({ writes }) => writes.map(({ buffer }) => span(buffer)));
  return stages.some(({ nodes }) =>
    nodes.some((node) => {
      if (node.op !== "load") return false;
      const [start, end] = span(node.buffer);
      return written.some(([from, to]) => from < end && start < to);
    }),
  );
}

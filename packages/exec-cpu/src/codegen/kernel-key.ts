/**
 * A text that two kernels share exactly if they differ in nothing but their name and in which buffers play
 * which part. Such kernels share one function that is told the addresses.
 */
import type { KernelStep, Stage } from "@gridfuse/plan";
import { argsOf, type IndexRange, type ScalarNode } from "@gridfuse/plan/scalar";

export interface KernelKey {
  readonly text: string;
  /** The buffers in the order in which the text first mentions them. */
  readonly buffers: readonly number[];
}

/**
 * The keys of kernels. Only those that others look like are spelled out: a kernel by itself shares nothing.
 */
export function kernelKeys(steps: readonly KernelStep[]): ReadonlyMap<KernelStep, KernelKey> {
  const alike = new Map<string, KernelStep[]>();
  for (const step of steps) {
    const look = lookOf(step);
    const others = alike.get(look);
    if (others === undefined) alike.set(look, [step]);
    else others.push(step);
  }
  const keys = new Map<KernelStep, KernelKey>();
  for (const [look, group] of alike) {
    for (const step of group) {
      keys.set(step, group.length > 1 ? kernelKey(step) : { text: `alone ${look}`, buffers: [] });
    }
  }
  return keys;
}

/** What alike kernels have in common, and few others: sizes, and a number that ops and operands give. */
function lookOf({ axes, stages }: KernelStep): string {
  let look = axes.join();
  for (const { axes: inner, nodes, reductions, writes } of stages) {
    let hash = 0;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i] as ScalarNode;
      const args = argsOf(node);
      hash = (Math.imul(hash, 31) + node.op.charCodeAt(1)) | 0;
      for (let k = 0; k < args.length; k++) hash = (Math.imul(hash, 31) + (args[k] as number)) | 0;
    }
    look += `|${inner.join()};${nodes.length};${reductions.length};${writes.length};${hash}`;
  }
  return look;
}

const guardText = (guard: readonly IndexRange[]): string =>
  guard.map(({ index, lo, hi }) => `${lo}<=${index.key}<${hi}`).join("&");

export function kernelKey(step: KernelStep): KernelKey {
  const buffers: number[] = [];
  const part = (buffer: number): number => {
    const known = buffers.indexOf(buffer);
    return known >= 0 ? known : buffers.push(buffer) - 1;
  };
  const nodeText = (node: ScalarNode): string => {
    const head = `${node.op} ${node.dtype}`;
    switch (node.op) {
      case "const":
        return `${head} ${node.bits.lo}:${node.bits.hi}`;
      case "index":
        return `${head} ${node.index.key}`;
      case "load": {
        const { buffer, index, guard, fill } = node;
        return `${head} ${part(buffer)} ${index.key} ${guardText(guard)} ${fill.lo}:${fill.hi}`;
      }
      case "reduced":
        return `${head} ${node.stage}.${node.reduction}`;
      case "argument":
        return `${head} ${node.index}`;
      default:
        return `${head} ${argsOf(node).join()}`;
    }
  };
  const stageText = ({ axes, nodes, reductions, writes }: Stage): string =>
    [
      axes.join(),
      ...nodes.map(nodeText),
      ...reductions.map(({ op, dtype, value }) => `fold ${op} ${dtype} ${value}`),
      ...writes.map(
        ({ buffer, dtype, index, guard, value }) =>
          `write ${part(buffer)} ${dtype} ${index.key} ${guardText(guard)} ${value}`,
      ),
    ].join("\n");
  const text = `${step.axes.join()}|${step.stages.map(stageText).join("|")}`;
  return { text, buffers };
}

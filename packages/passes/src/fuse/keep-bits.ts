/**
 * Movement keeps bits: a float that is only loaded, chosen and stored is moved as the unsigned
 * integer of its width, so that no executor can quieten a signalling NaN on the way.
 */
import type { KernelStep, Stage, Write } from "@gridfuse/plan";
import {
  bitsDType,
  type DType,
  isFloat,
  ScalarBuilder,
  type ScalarNode,
} from "@gridfuse/plan/scalar";
import { appendNodes } from "./stage.ts";

const isMoved = (nodes: readonly ScalarNode[], root: number): boolean => {
  const node = nodes[root] as ScalarNode;
  if (node.op === "load" || node.op === "const") return true;
  return node.op === "select" && isMoved(nodes, node.args[1]) && isMoved(nodes, node.args[2]);
};

function moveAsBits(
  b: ScalarBuilder,
  nodes: readonly ScalarNode[],
  moved: readonly number[],
  root: number,
): number {
  const node = nodes[root] as ScalarNode;
  const dtype = bitsDType(node.dtype as DType);
  switch (node.op) {
    case "const":
      return b.constBits(dtype, node.bits);
    case "load": {
      const same = b.nodes[moved[root] as number] as typeof node;
      return b.load(dtype, same.buffer, same.index, same.guard, same.fill);
    }
    case "select":
      return b.select(
        moved[node.args[0]] as number,
        moveAsBits(b, nodes, moved, node.args[1]),
        moveAsBits(b, nodes, moved, node.args[2]),
      );
    default:
      return moved[root] as number;
  }
}

function keepStageBits(stage: Stage): Stage {
  const moves = (write: Write): boolean =>
    isFloat(write.dtype) && isMoved(stage.nodes, write.value);
  if (!stage.writes.some(moves)) return stage;
  const b = new ScalarBuilder();
  const moved = appendNodes(b, stage.nodes, (e) => e);
  const writes = stage.writes.map((write): Write => {
    if (!moves(write)) return { ...write, value: moved[write.value] as number };
    return {
      ...write,
      dtype: bitsDType(write.dtype),
      value: moveAsBits(b, stage.nodes, moved, write.value),
    };
  });
  return { ...stage, nodes: b.nodes, writes };
}

export const keepBits = (kernel: KernelStep): KernelStep => ({
  ...kernel,
  stages: kernel.stages.map(keepStageBits),
});

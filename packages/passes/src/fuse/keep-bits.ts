/**
 * Movement keeps bits: a float that is only loaded, chosen, bitcast and stored is moved as the unsigned
 * integer of its width, so that no executor can change a NaN on the way.
 */
import type { KernelStep, Stage, Write } from "@gridfuse/plan";
import { bitsDType, isFloat, ScalarBuilder, type ScalarNode } from "@gridfuse/plan/scalar";
import { appendNodes, dropDead, movedWrite } from "./stage.ts";

/** Nodes (1) whose bits are some memory's, a constant's or an integer's: no arithmetic made them. */
function movedNodes(nodes: readonly ScalarNode[]): Uint8Array {
  const moved = new Uint8Array(nodes.length);
  for (const [i, node] of nodes.entries()) {
    switch (node.op) {
      case "load":
      case "const":
        moved[i] = 1;
        break;
      case "select":
        moved[i] = (moved[node.args[1]] as number) & (moved[node.args[2]] as number);
        break;
      case "bitcast": {
        const [from] = node.args;
        moved[i] = isFloat((nodes[from] as ScalarNode).dtype) ? (moved[from] as number) : 1;
        break;
      }
      default:
    }
  }
  return moved;
}

/** The moved float `root` as the unsigned integer of its width; `renamed` are the nodes' numbers in `b`. */
function moveAsBits(
  b: ScalarBuilder,
  nodes: readonly ScalarNode[],
  renamed: readonly number[],
  root: number,
): number {
  const node = nodes[root] as ScalarNode;
  const dtype = bitsDType(node.dtype);
  switch (node.op) {
    case "const":
      return b.constBits(dtype, node.bits);
    case "load": {
      const same = b.nodes[renamed[root] as number] as typeof node;
      return b.load(dtype, same.buffer, same.index, same.guard, same.fill);
    }
    case "select":
      return b.select(
        renamed[node.args[0]] as number,
        moveAsBits(b, nodes, renamed, node.args[1]),
        moveAsBits(b, nodes, renamed, node.args[2]),
      );
    case "bitcast": {
      const source = node.args[0];
      if (isFloat((nodes[source] as ScalarNode).dtype)) {
        return moveAsBits(b, nodes, renamed, source);
      }
      const bits = renamed[source] as number;
      return b.dtypeOf(bits) === dtype ? bits : b.bitcast(bits, dtype);
    }
    default:
      throw new RangeError(`a float made by ${node.op} is not moved`);
  }
}

/** Cheap to say: whether some float is looked at as bits, or written as it was found. */
function mayMove({ nodes, writes }: Stage): boolean {
  const isFloatNode = (at: number): boolean => isFloat((nodes[at] as ScalarNode).dtype);
  return (
    writes.some(({ value }) => movers.has((nodes[value] as ScalarNode).op) && isFloatNode(value)) ||
    nodes.some((node) => node.op === "bitcast" && isFloatNode(node.args[0]))
  );
}
const movers: ReadonlySet<ScalarNode["op"]> = new Set(["load", "const", "select", "bitcast"]);

export function keepStageBits(stage: Stage): Stage {
  const { nodes } = stage;
  if (!mayMove(stage)) return stage;
  const isMoved = movedNodes(nodes);
  const readsBits = (node: ScalarNode): boolean =>
    node.op === "bitcast" &&
    isFloat((nodes[node.args[0]] as ScalarNode).dtype) &&
    isMoved[node.args[0]] === 1;
  const writesBits = ({ dtype, value }: Write): boolean => isFloat(dtype) && isMoved[value] === 1;
  if (!stage.writes.some(writesBits) && !nodes.some(readsBits)) return stage;
  const b = new ScalarBuilder();
  const renamed = appendNodes(
    b,
    nodes,
    (e) => e,
    undefined,
    (node, soFar) => {
      if (node.op !== "bitcast" || !readsBits(node)) return undefined;
      const bits = moveAsBits(b, nodes, soFar, node.args[0]);
      return b.dtypeOf(bits) === node.dtype ? bits : b.bitcast(bits, node.dtype);
    },
  );
  const writes = stage.writes.map((given): Write => {
    const write = movedWrite(given, renamed);
    if (!writesBits(given)) return write;
    return {
      ...write,
      dtype: bitsDType(write.dtype),
      value: moveAsBits(b, nodes, renamed, given.value),
    };
  });
  const reductions = stage.reductions.map((r) => ({ ...r, value: renamed[r.value] as number }));
  return dropDead({ ...stage, nodes: b.nodes, reductions, writes });
}

export const keepBits = (kernel: KernelStep): KernelStep => ({
  ...kernel,
  stages: kernel.stages.map(keepStageBits),
});

/**
 * Movement keeps bits: a float that is only loaded, chosen, bitcast and stored is moved as the unsigned
 * integer of its width, so that no executor can change a NaN on the way.
 */
import type { KernelStep, Stage, Write } from "@gridfuse/plan";
import { argsOf, bitsDType, isFloat, ScalarBuilder, type ScalarNode } from "@gridfuse/plan/scalar";
import { appendNodes, movedWrite } from "./append-nodes.ts";
import { expandStage } from "./expand-calls.ts";
import { calledBy } from "./formulas.ts";
import { leavesOf } from "./leaves.ts";
import { dropDead, movedReduction } from "./rewrite-stage.ts";

/** Whether a node's bits are some memory's, a constant's or an integer's: no arithmetic made them. */
class Moved {
  readonly #nodes: readonly ScalarNode[];
  readonly #known = new Map<number, boolean>();

  constructor(nodes: readonly ScalarNode[]) {
    this.#nodes = nodes;
  }

  has(at: number): boolean {
    const node = this.#nodes[at] as ScalarNode;
    switch (node.op) {
      case "load":
      case "const":
        return true;
      case "bitcast": {
        const [from] = node.args;
        return !isFloat((this.#nodes[from] as ScalarNode).dtype) || this.has(from);
      }
      case "select": {
        let isMoved = this.#known.get(at);
        if (isMoved === undefined) {
          isMoved = this.has(node.args[1]) && this.has(node.args[2]);
          this.#known.set(at, isMoved);
        }
        return isMoved;
      }
      default:
        return false;
    }
  }
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

/** Whether `node` looks at the bits of a float that is only moved. */
function readsBits(nodes: readonly ScalarNode[], moved: Moved, node: ScalarNode): boolean {
  if (node.op !== "bitcast") return false;
  const [from] = node.args;
  return isFloat((nodes[from] as ScalarNode).dtype) && moved.has(from);
}

function movesBits({ nodes, writes }: Stage, moved: Moved): boolean {
  for (const { dtype, value } of writes) if (isFloat(dtype) && moved.has(value)) return true;
  const { bitcasts } = leavesOf(nodes);
  for (let i = 0; i < bitcasts.length; i += 1) {
    if (readsBits(nodes, moved, nodes[bitcasts[i] as number] as ScalarNode)) return true;
  }
  return false;
}

export function keepStageBits(stage: Stage): Stage {
  const moved = new Moved(stage.nodes);
  if (calledOnMoved(stage, moved)) return keepStageBits(expandStage(stage));
  return movesBits(stage, moved) ? moveBits(stage, moved) : stage;
}

/** Whether a function that is not expanded yet looks at the bits of a float that is only moved. */
function calledOnMoved({ nodes }: Stage, moved: Moved): boolean {
  return leavesOf(nodes).calls.some((at) => {
    const { op } = nodes[at] as ScalarNode;
    if (!calledBy(op).readsBits) return false;
    return argsOf(nodes[at] as ScalarNode).some((arg) => moved.has(arg));
  });
}

function moveBits(stage: Stage, moved: Moved): Stage {
  const { nodes } = stage;
  const writesBits = ({ dtype, value }: Write): boolean => isFloat(dtype) && moved.has(value);
  const b = new ScalarBuilder();
  const renamed = appendNodes(
    b,
    nodes,
    (e) => e,
    undefined,
    (node, soFar) => {
      if (node.op !== "bitcast" || !readsBits(nodes, moved, node)) return undefined;
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
  const reductions = stage.reductions.map((reduction) => movedReduction(reduction, renamed));
  return dropDead({ ...stage, nodes: b.nodes, reductions, writes });
}

export function keepBits(kernel: KernelStep): KernelStep {
  const stages = kernel.stages.map(keepStageBits);
  return stages.every((stage, i) => stage === kernel.stages[i]) ? kernel : { ...kernel, stages };
}

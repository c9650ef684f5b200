/**
 * The last thing before a plan is written down: where a function was called there is what it stands for, the very nodes, in the
 * same order, that making them at once would have made.
 *
 * Nodes that are equal must be found where two functions have some in common, as sine and cosine of one angle have. They can have
 * none but constants where nothing else looks at their operands: then the nodes are copied, and not looked for.
 */
import type { Stage, Step } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import { argsOf, ScalarBuilder, type ScalarNode } from "@gridfuse/plan/scalar";
import { mapInner } from "../plan/accesses.ts";
import { appendNodes, movedWrite } from "./append-nodes.ts";
import { type Called, calledBy, isCall, numberOfConstant } from "./formulas.ts";
import { leavesOf } from "./leaves.ts";
import { argsMoved, movedReduction, renumbered } from "./rewrite-stage.ts";

export function expandCalls(steps: readonly Step[]): readonly Step[] {
  return steps.map((given): Step => {
    switch (given.kind) {
      case "kernel": {
        if (given.stages.every(({ nodes }) => leavesOf(nodes).calls.length === 0)) return given;
        return { ...given, stages: given.stages.map(expandStage) };
      }
      case "scatter": {
        if (leavesOf(given.nodes).calls.length === 0) return given;
        const { nodes, moved } = expanded(given.nodes);
        return { ...given, nodes, write: movedWrite(given.write, moved) };
      }
      default:
        return mapInner(given, expandCalls);
    }
  });
}

export function expandStage(stage: Stage): Stage {
  if (leavesOf(stage.nodes).calls.length === 0) return stage;
  const { nodes, moved } = expanded(stage.nodes);
  return {
    axes: stage.axes,
    nodes,
    reductions: stage.reductions.map((reduction) => movedReduction(reduction, moved)),
    writes: stage.writes.map((write) => movedWrite(write, moved)),
  };
}

interface Expanded {
  readonly nodes: readonly ScalarNode[];
  /** What has become of each node. */
  readonly moved: readonly number[];
}

const expanded = (nodes: readonly ScalarNode[]): Expanded =>
  haveNoneInCommon(nodes) ? copied(nodes) : interned(nodes);

/** Whether no two calls, nor a call and anything else, can come to equal operations. */
function haveNoneInCommon(nodes: readonly ScalarNode[]): boolean {
  const { calls } = leavesOf(nodes);
  const uses = new Uint8Array(nodes.length);
  for (let i = 0; i < nodes.length; i += 1) {
    const args = argsOf(nodes[i] as ScalarNode);
    for (let k = 0; k < args.length; k += 1) {
      const arg = args[k] as number;
      uses[arg] = uses[arg] === 0 ? 1 : 2;
    }
  }
  for (let i = 0; i < calls.length; i += 1) {
    const node = nodes[calls[i] as number] as ScalarNode;
    if (!calledBy(node.op).isOwn) return false;
    const args = argsOf(node);
    for (let k = 0; k < args.length; k += 1) if (uses[args[k] as number] !== 1) return false;
  }
  return true;
}

function interned(nodes: readonly ScalarNode[]): Expanded {
  const b = new ScalarBuilder();
  const moved = appendNodes(b, nodes, identity, undefined, (node, done) => {
    if (!isCall(node.op)) return undefined;
    const operands = argsOf(node).map((arg) => done[arg] as number);
    return b.apply(calledBy(node.op).formula, operands);
  });
  return { nodes: b.nodes, moved };
}

const identity = (e: IndexExpr): IndexExpr => e;

function copied(given: readonly ScalarNode[]): Expanded {
  const nodes: ScalarNode[] = [];
  const moved: number[] = [];
  /** Places of the constants that functions have, by number. */
  const constants = new Map<number, number>();
  for (let i = 0; i < given.length; i += 1) {
    const node = given[i] as ScalarNode;
    if (isCall(node.op)) {
      moved.push(copyFormula(calledBy(node.op), argsOf(node), nodes, moved, constants));
    } else if (node.op === "const") {
      moved.push(placeOf(node, numberOfConstant(node), nodes, constants));
    } else {
      moved.push(nodes.push(renumbered(node, moved)) - 1);
    }
  }
  return { nodes, moved };
}

/** Appends what a call stands for; gives the place of its result. */
function copyFormula(
  { formula, operands, numbers }: Called,
  args: readonly number[],
  nodes: ScalarNode[],
  moved: readonly number[],
  constants: Map<number, number>,
): number {
  const given = formula.nodes;
  const places = new Int32Array(given.length);
  for (let i = 0; i < operands; i += 1) places[i] = moved[args[i] as number] as number;
  for (let i = operands; i < given.length; i += 1) {
    const node = given[i] as ScalarNode;
    if (node.op === "const") {
      places[i] = placeOf(node, numbers[i] as number, nodes, constants);
    } else {
      const { op, dtype } = node;
      places[i] = nodes.length;
      nodes.push({ op, dtype, args: argsMoved(argsOf(node), places) } as unknown as ScalarNode);
    }
  }
  return places[formula.result] as number;
}

/** Where the constant is, which is appended if it is not there; one that no function has is there once. */
function placeOf(
  node: ScalarNode,
  number: number,
  nodes: ScalarNode[],
  constants: Map<number, number>,
): number {
  const known = number < 0 ? undefined : constants.get(number);
  if (known !== undefined) return known;
  const place = nodes.push(node) - 1;
  if (number >= 0) constants.set(number, place);
  return place;
}

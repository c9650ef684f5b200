/**
 * The nodes of a scalar program that are no arithmetic: what it loads, which positions and results of reductions it asks for, where
 * it looks at bits. Most of a stage is arithmetic (a tanh is sixty nodes), and most passes have nothing to do with that: the rest is
 * found once for each list of nodes.
 */
import type { Stage } from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import { calledBy, isCall, numberOfConstant } from "./formulas.ts";

/** Places of nodes in their list, ascending. */
export interface Leaves {
  readonly loads: readonly number[];
  readonly positions: readonly number[];
  readonly reduced: readonly number[];
  readonly bitcasts: readonly number[];
  /** Calls of functions that are not expanded yet. */
  readonly calls: readonly number[];
}

interface Found extends Leaves {
  readonly loads: number[];
  readonly positions: number[];
  readonly reduced: number[];
  readonly bitcasts: number[];
  readonly calls: number[];
  /** How many operations more there are when functions are expanded, and constants if none is there twice. */
  operations: number;
  constants: number;
  /** How many nodes there are then, where that is known. */
  expanded: number;
  /** Nodes that have been looked at. */
  seen: number;
}

const known = new WeakMap<readonly ScalarNode[], Found>();

/** The leaves of `nodes`, to which more may be appended later. */
export function leavesOf(nodes: readonly ScalarNode[]): Leaves {
  let found = known.get(nodes);
  if (found === undefined) {
    found = {
      loads: [],
      positions: [],
      reduced: [],
      bitcasts: [],
      calls: [],
      operations: 0,
      constants: 0,
      expanded: -1,
      seen: 0,
    };
    known.set(nodes, found);
  }
  for (let i = found.seen; i < nodes.length; i += 1) {
    const { op } = nodes[i] as ScalarNode;
    if (op === "load") found.loads.push(i);
    else if (op === "index") found.positions.push(i);
    else if (op === "bitcast") found.bitcasts.push(i);
    else if (op === "reduced") found.reduced.push(i);
    else if (isCall(op)) addCall(found, op, i);
  }
  if (found.seen < nodes.length) {
    found.seen = nodes.length;
    found.expanded = -1;
  }
  return found;
}

function addCall(found: Found, op: string, at: number): void {
  const { operations, constants } = calledBy(op);
  found.calls.push(at);
  found.operations += operations - 1;
  found.constants += constants;
}

/** How many nodes there are when functions are expanded. */
export function expandedCount(nodes: readonly ScalarNode[]): number {
  const found = leavesOf(nodes) as Found;
  if (found.calls.length === 0) return nodes.length;
  if (found.expanded < 0) found.expanded = countExpanded(nodes, found);
  return found.expanded;
}

/** Whether programs together have more than `most` nodes when functions are expanded; mostly that is known without counting. */
export function exceed(most: number, programs: readonly Pick<Stage, "nodes">[]): boolean {
  let atLeast = 0;
  let constants = 0;
  for (let i = 0; i < programs.length; i += 1) {
    const { nodes } = programs[i] as Stage;
    const found = leavesOf(nodes) as Found;
    atLeast += nodes.length + found.operations;
    constants += found.constants;
  }
  if (atLeast > most || atLeast + constants <= most) return atLeast > most;
  let count = 0;
  for (let i = 0; i < programs.length; i += 1) {
    count += expandedCount((programs[i] as Stage).nodes);
  }
  return count > most;
}

/** Constants that functions have in common, with each other or with other nodes, are there once. */
function countExpanded(nodes: readonly ScalarNode[], { calls, operations }: Found): number {
  const constants = new Set<number>();
  const functions = new Set<string>();
  for (let i = 0; i < calls.length; i += 1) {
    const { op } = nodes[calls[i] as number] as ScalarNode;
    if (functions.has(op)) continue;
    functions.add(op);
    const { numbers } = calledBy(op);
    for (let n = 0; n < numbers.length; n += 1) constants.add(numbers[n] as number);
  }
  constants.delete(-1);
  let count = nodes.length + operations + constants.size;
  for (let i = 0; i < nodes.length; i += 1) {
    const node = nodes[i] as ScalarNode;
    if (node.op === "const" && constants.has(numberOfConstant(node))) count -= 1;
  }
  return count;
}

/** Says that `nodes` has its leaves where `like` has them. */
export function shareLeaves(nodes: readonly ScalarNode[], like: readonly ScalarNode[]): void {
  const found = leavesOf(like) as Found;
  const { loads, positions, reduced, bitcasts, calls } = found;
  known.set(nodes, {
    loads: loads.slice(),
    positions: positions.slice(),
    reduced: reduced.slice(),
    bitcasts: bitcasts.slice(),
    calls: calls.slice(),
    operations: found.operations,
    constants: found.constants,
    expanded: found.expanded,
    seen: nodes.length,
  });
}

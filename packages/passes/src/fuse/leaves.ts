/**
 * The nodes of a scalar program that are no arithmetic: what it loads, which positions and results of reductions it asks for, where
 * it looks at bits. Most of a stage is arithmetic (a tanh is sixty nodes), and most passes have nothing to do with that: the rest is
 * found once for each list of nodes.
 */
import type { ScalarNode } from "@gridfuse/plan/scalar";

/** Places of nodes in their list, ascending. */
export interface Leaves {
  readonly loads: readonly number[];
  readonly positions: readonly number[];
  readonly reduced: readonly number[];
  readonly bitcasts: readonly number[];
}

interface Found extends Leaves {
  readonly loads: number[];
  readonly positions: number[];
  readonly reduced: number[];
  readonly bitcasts: number[];
  /** Nodes that have been looked at. */
  seen: number;
}

const known = new WeakMap<readonly ScalarNode[], Found>();

/** The leaves of `nodes`, to which more may be appended later. */
export function leavesOf(nodes: readonly ScalarNode[]): Leaves {
  let found = known.get(nodes);
  if (found === undefined) {
    found = { loads: [], positions: [], reduced: [], bitcasts: [], seen: 0 };
    known.set(nodes, found);
  }
  for (let i = found.seen; i < nodes.length; i += 1) {
    const { op } = nodes[i] as ScalarNode;
    if (op === "load") found.loads.push(i);
    else if (op === "index") found.positions.push(i);
    else if (op === "bitcast") found.bitcasts.push(i);
    else if (op === "reduced") found.reduced.push(i);
  }
  found.seen = nodes.length;
  return found;
}

/** Says that `nodes` has its leaves where `like` has them. */
export function shareLeaves(nodes: readonly ScalarNode[], like: readonly ScalarNode[]): void {
  const { loads, positions, reduced, bitcasts } = leavesOf(like);
  known.set(nodes, {
    loads: loads.slice(),
    positions: positions.slice(),
    reduced: reduced.slice(),
    bitcasts: bitcasts.slice(),
    seen: nodes.length,
  });
}

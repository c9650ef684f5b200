/**
 * What there is in a region. Every pass asks whether the program has anything that concerns it, mostly to hear that it has not:
 * one walk answers all of them.
 */
import type { Node, NodeId, Region, Table } from "./table.ts";
import type { OpName } from "./vocabulary.ts";

export interface Census {
  /** Nodes, those of regions inside included. */
  readonly count: number;
  /** Ops, those of regions inside included. */
  readonly ops: ReadonlySet<OpName>;
  /** No node has regions of its own. */
  readonly isFlat: boolean;
}

interface Counted extends Census {
  /** The nodes of the region itself: it is counted anew when there are more. */
  readonly own: number;
}

const known = new WeakMap<Region, Counted>();

export function censusOf(table: Table, region: Region): Census {
  let census = known.get(region);
  if (census === undefined || census.own !== region.nodes.length) {
    census = countRegion(table, region);
    known.set(region, census);
  }
  return census;
}

function countRegion(table: Table, { nodes }: Region): Counted {
  const ops = new Set<OpName>();
  let count = nodes.length;
  let isFlat = true;
  for (let i = 0; i < nodes.length; i += 1) {
    const { op, regions } = table.nodes[nodes[i] as NodeId] as Node;
    ops.add(op);
    for (let r = 0; r < regions.length; r += 1) {
      const inner = censusOf(table, regions[r] as Region);
      isFlat = false;
      count += inner.count;
      for (const each of inner.ops) ops.add(each);
    }
  }
  return { count, ops, isFlat, own: nodes.length };
}

/** Nodes of a region and of all regions inside it. */
export const countNodes = (table: Table, region: Region): number => censusOf(table, region).count;

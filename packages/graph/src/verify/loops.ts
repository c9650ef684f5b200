/**
 * The one thing that regions see from outside without a capture: counters of enclosing scans, named by
 * `loop` leaves of index expressions. A leaf also carries its range, which is the scan's.
 */
import * as ix from "@gridfuse/plan/index-expr";
import type { Node } from "../ir/table.ts";
import type { Violations } from "./violations.ts";

/** Trips of the enclosing scans that have an id. */
export type EnclosingLoops = ReadonlyMap<number, number>;

export function withLoop(loops: EnclosingLoops, node: Node): EnclosingLoops {
  if (node.op !== "scan" || node.params.loop === undefined) return loops;
  return new Map([...loops, [node.params.loop, node.params.trips]]);
}

export function verifyLoopLeaves(
  node: Node,
  loops: EnclosingLoops,
  where: string,
  found: Violations,
): void {
  if (node.op === "scan" && node.params.loop !== undefined && loops.has(node.params.loop)) {
    found.add("loops", where, `loop ${node.params.loop} is the id of a scan around it too`);
  }
  if (node.op !== "view") return;
  const { shape, index } = node.params;
  for (const expression of index) {
    ix.forEachLeaf(expression, (leaf) => {
      switch (leaf.k) {
        case "axis": {
          const extent = shape[leaf.axis];
          if (extent === undefined || leaf.hi <= extent - 1) return;
          found.add("loops", where, `axis ${leaf.axis} up to ${leaf.hi} in a view of [${shape}]`);
          return;
        }
        case "loop": {
          const trips = loops.get(leaf.loop);
          if (trips === undefined) {
            found.add("loops", where, `no scan around it is loop ${leaf.loop}`);
          } else if (leaf.hi > trips - 1 || leaf.lo < 0) {
            found.add("loops", where, `loop ${leaf.loop} up to ${leaf.hi} in ${trips} trips`);
          }
          return;
        }
        case "value":
          found.add("loops", where, "an index depends on a value of no stage");
          return;
        default:
          leaf satisfies never;
      }
    });
  }
}

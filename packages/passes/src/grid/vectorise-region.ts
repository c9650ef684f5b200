/** Applies `vectoriseGrid` to every grid of a region, inner ones first. */
import type { Node, Region, Table } from "@gridfuse/graph";
import { simplifyRegion } from "../simplify/simplify.ts";
import { copyNode, hasStructure, rewriteRegion, withOwnRegions } from "../tensor/rebuild.ts";
import { type VectoriseOptions, vectoriseGrid } from "./vectorise.ts";

export function vectoriseRegion(table: Table, region: Region, options: VectoriseOptions): Region {
  if (!hasStructure(table, region)) return region;
  const result = rewriteRegion(table, region, (node, inputs, e) => {
    if (node.regions.length === 0) return undefined;
    const regions = node.regions.map((inner, i) =>
      // Index maps hold no grids and are read symbolically.
      node.op === "grid" && i > 0 ? inner : vectoriseRegion(table, inner, options),
    );
    if (node.op !== "grid") {
      const isSame = regions.every((inner, i) => inner === node.regions[i]);
      return isSame ? undefined : copyNode(e, node, inputs, regions);
    }
    const body = simplifyRegion(table, regions[0] as Region);
    const tidy: Node = { ...node, regions: [body, ...regions.slice(1)] };
    return vectoriseGrid(e, tidy, inputs, options);
  });
  return withOwnRegions(table, result);
}

/** Applies `vectoriseGrid` to every grid of a region, inner ones first. */
import { Emitter, type Node, newRegion, type Region, type Table } from "@gridfuse/graph";
import { simplifyRegion } from "../simplify/simplify.ts";
import { copyNode, hasStructure, replay, withOwnRegions } from "../tensor/rebuild.ts";
import { type VectoriseOptions, vectoriseGrid } from "./vectorise.ts";

export function vectoriseRegion(table: Table, region: Region, options: VectoriseOptions): Region {
  if (!hasStructure(table, region)) return region;
  const result = newRegion();
  result.params.push(...region.params);
  const e = new Emitter(table, result);
  result.results.push(
    ...replay(e, region, new Map(), (node, inputs) => {
      if (node.regions.length === 0) return undefined;
      const regions = node.regions.map((inner, i) =>
        // Index maps hold no grids and are read symbolically.
        node.op === "grid" && i > 0 ? inner : vectoriseRegion(table, inner, options),
      );
      if (node.op !== "grid") return copyNode(e, node, inputs, regions);
      const body = simplifyRegion(table, regions[0] as Region);
      const tidy: Node = { ...node, regions: [body, ...regions.slice(1)] };
      return vectoriseGrid(e, tidy, inputs, options);
    }),
  );
  return withOwnRegions(table, result);
}

/**
 * Memory outside of kernels. The graph has refs inside grids only, so what allocates or changes memory
 * outside becomes the body of a grid of one point, whose outputs are its results.
 */
import {
  type GridParams,
  newRegion,
  type Region,
  refType,
  type TensorType,
  type ValueId,
} from "@gridfuse/graph";
import { Body } from "./body.ts";
import { KernelRegion } from "./kernel-region.ts";
import type { Scope } from "./scope.ts";

/**
 * Runs `fill` in a kernel of one point with a whole-array ref for each result; the arrays' last contents.
 *
 * @param fill gets the body and the refs, and writes them
 */
export function inKernel(
  body: Body,
  name: string,
  results: readonly TensorType[],
  fill: (inside: Body, refs: readonly ValueId[], reach: (outer: ValueId) => ValueId) => void,
): readonly ValueId[] {
  const kernel = new KernelRegion(body.scope, true);
  const refs = results.map(({ dtype, shape }) => kernel.param(refType(dtype, shape, "any")));
  const inside = new Body(body.importing, kernel.scope);
  fill(inside, refs, (outer) => kernel.scope.capture(outer));
  const captures = kernel.finish();
  const params: GridParams = {
    name,
    axes: [],
    level: "kernel",
    prefetch: 0,
    inputs: [],
    outputs: results.map(({ dtype, shape }, i) => ({
      name: `out${i}`,
      dtype,
      shape,
      block: (shape as readonly number[]).map((size) => ({ kind: "blocked", size })),
      space: "any",
    })),
    scratch: kernel.scratch,
    aliases: [],
    fill: "hlo",
    mutated: [],
  };
  const maps = results.map(({ shape }) => originMap(body.scope, shape.length));
  return body.e.emitAll("grid", captures, params, [kernel.scope.region, ...maps]);
}

/** The index map of a whole array. */
function originMap(scope: Scope, rank: number): Region {
  const region = newRegion();
  const e = scope.e.nested(region);
  const zero = rank === 0 ? [] : [e.full("int32", [], 0)];
  for (let d = 0; d < rank; d++) region.results.push(zero[0] as ValueId);
  return region;
}

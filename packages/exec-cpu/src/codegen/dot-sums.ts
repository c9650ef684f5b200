/** How the sums of a tile come from a result, and become one. */
import { heldType } from "../wasm/held.ts";
import { emitConvert } from "../wasm/scalar-ops.ts";
import { hasLanes, laneShape } from "../wasm/vector-lanes.ts";
import { emitVectorConvert } from "../wasm/vector-ops.ts";
import { pushLanes, storeElement, storeLanes } from "./access.ts";
import { type FlatDot, N } from "./flat-dot.ts";
import type { LaneQuad } from "./lane-quad.ts";
import { type Block, lanesOf } from "./lanes.ts";
import type { Nest } from "./nest.ts";

function quadOf({ out, extents }: FlatDot, block: Block, part: number): LaneQuad {
  const { lanes } = block;
  const first = lanes * part;
  return {
    index: lanesOf(out.index, { axis: N, extent: extents[N] }, block, false),
    first,
    valid: Math.min(block.valid - first, lanes),
  };
}

/** Sets local `sum` to what the result holds; lanes past the end hold anything. */
export function loadSums(nest: Nest, dot: FlatDot, block: Block, part: number, sum: number): void {
  const { out, accumulate } = dot;
  const quad = quadOf(dot, block, part);
  if (quad.valid <= 0) return;
  pushLanes(nest, out.dtype, out.address, quad);
  nest.code.set(sum);
  if (dot.rounding === undefined) return;
  emitVectorConvert(nest, out.dtype, accumulate, (code) => code.get(sum));
  nest.code.set(sum);
}

export function storeSums(nest: Nest, dot: FlatDot, block: Block, part: number, sum: number): void {
  const { out, accumulate } = dot;
  const quad = quadOf(dot, block, part);
  const { index, first, valid } = quad;
  if (hasLanes(out.dtype) || block.lanes === 2) {
    const result = out.dtype === accumulate ? sum : nest.local("v128");
    if (result !== sum) {
      emitVectorConvert(nest, accumulate, out.dtype, (code) => code.get(sum));
      nest.code.set(result);
    }
    storeLanes(nest, out.dtype, out.address, quad, () => nest.code.get(result));
    return;
  }
  const shape = laneShape(accumulate);
  const held = nest.local(heldType(accumulate));
  for (let lane = 0; lane < valid; lane++) {
    nest.code.get(sum).lane(`${shape}.extract_lane`, lane).set(held);
    storeElement(nest, out.dtype, out.address, index.at(first + lane), () => {
      emitConvert(nest.code, nest.helpers, accumulate, out.dtype, (code) => code.get(held));
    });
  }
}

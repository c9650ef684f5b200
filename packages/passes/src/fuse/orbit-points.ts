/** The points of an orbit: over which domain a kernel computes all orbits, and which positions each of its points has. */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { Span } from "./gf2.ts";
import type { PositionSpace } from "./orbit-space.ts";

export interface OrbitPoints {
  /** Extents of a kernel that runs once for every orbit. */
  readonly domain: readonly number[];
  /** Row-major position of each element of an orbit. */
  readonly positions: readonly IndexExpr[];
}

/**
 * The domain that is left when the orbit's highest bits are taken out. It is cut wherever a vector of the basis starts or
 * stops flipping bits, so that every position is a plain sum of axes, some of them running backwards; and where the
 * dimensions of `shape` meet, so that coordinates are.
 */
export function pointsOf(
  { high, bits, low }: PositionSpace,
  span: Span,
  shape: readonly number[],
): OrbitPoints {
  const basis = span.basis();
  const pivots = new Set(span.pivots());
  const cuts = new Set(boundariesOf(shape, low));
  const flips = (bit: number): string => basis.map((v) => (v >>> bit) & 1).join("");
  const domain: number[] = [];
  const newAxis = (extent: number): IndexExpr => ix.axis(domain.push(extent) - 1, extent);
  const parts: { axis: IndexExpr; bit: number; width: number }[] = [];
  const outer = ix.mul(newAxis(high), 2 ** bits * low);
  for (let top = bits; top > 0; ) {
    let bottom = top - 1;
    if (!pivots.has(bottom)) {
      const joins = (bit: number): boolean =>
        bit >= 0 && !pivots.has(bit) && flips(bit) === flips(bottom) && !cuts.has(bit + 1);
      while (joins(bottom - 1)) bottom -= 1;
      const width = top - bottom;
      parts.push({ axis: newAxis(2 ** width), bit: bottom, width });
    }
    top = bottom;
  }
  const inner = newAxis(low);
  const positions = span.members().map((member) => {
    let constant = 0;
    for (const bit of pivots) if ((member >>> bit) & 1) constant += 2 ** bit * low;
    const terms = parts.map(({ axis, bit, width }) => {
      const unit = 2 ** bit * low;
      const backwards = (member >>> bit) & 1;
      if (backwards === 0) return ix.mul(axis, unit);
      return ix.mul(ix.sub(ix.constant(2 ** width - 1), axis), unit);
    });
    return ix.add(outer, ...terms, inner, ix.constant(constant));
  });
  return { domain, positions };
}

/** Bits at which a dimension of `shape` begins, where it begins at one. */
function boundariesOf(shape: readonly number[], low: number): number[] {
  const found: number[] = [];
  let stride = 1;
  for (const extent of [...shape].reverse()) {
    stride *= extent;
    const bit = Math.log2(stride / low);
    if (Number.isInteger(bit) && bit > 0) found.push(bit);
  }
  return found;
}

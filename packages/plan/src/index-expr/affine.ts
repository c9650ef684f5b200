/**
 * Facts about index maps that passes and executors ask for: strides and injectivity.
 */
import type { IndexExpr } from "./expr.ts";
import { forEachLeaf } from "./meaning.ts";

/** e = Σ strides[i]·axis_i + constant, or undefined where e is not affine in the axes alone. */
export function affineForm(
  e: IndexExpr,
  axes: number,
): { strides: number[]; constant: number } | undefined {
  const strides = new Array<number>(axes).fill(0);
  if (e.k === "const") return { strides, constant: e.value };
  const terms = e.k === "sum" ? e.terms : [{ factor: 1, of: e }];
  for (const { factor, of } of terms) {
    if (of.k !== "axis" || of.axis >= axes) return undefined;
    strides[of.axis] = factor;
  }
  return { strides, constant: e.k === "sum" ? e.constant : 0 };
}

/** The axes that e reads. */
export function axesOf(e: IndexExpr): Set<number> {
  const found = new Set<number>();
  forEachLeaf(e, (leaf) => {
    if (leaf.k === "axis") found.add(leaf.axis);
  });
  return found;
}

/**
 * Whether Σ stride·axis takes a different value at every point of the box of `extents`:
 * with strides sorted, each must exceed the reach of all smaller ones (a mixed-radix number).
 * Sufficient, not necessary.
 */
export function isMixedRadix(strides: readonly number[], extents: readonly number[]): boolean {
  const order = strides
    .map((stride, i) => ({ stride: Math.abs(stride), extent: extents[i] as number }))
    .filter(({ extent }) => extent > 1)
    .sort((p, q) => p.stride - q.stride);
  let reach = 0;
  for (const { stride, extent } of order) {
    if (stride <= reach) return false;
    reach += stride * (extent - 1);
  }
  return true;
}

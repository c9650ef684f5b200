/**
 * lax.reduce_window along one dimension after the other, the last one first: windows of 7 × 7 take 14 operands an element
 * and not 49. Along a dimension a short window is a chain over shifted views, which fuses into one loop over vectors; a
 * long one is a reduction of one view in which windows overlap. Padding is what views are filled with: nothing is copied.
 */
import * as ix from "@gridfuse/plan/index-expr";
import { type DType, isFloat, type ScalarValue, toBits } from "@gridfuse/plan/scalar";
import type { Emitter } from "../ir/emit.ts";
import type { ValueId } from "../ir/table.ts";
import { greatest, least } from "./binary.ts";
import {
  anyDType,
  type DTypeClass,
  numeric,
  requireDType,
  requireLength,
  requireRange,
  requireSizes,
} from "./check.ts";
import { dilatedSize, windowCount } from "./sliding-windows.ts";

export type WindowReduction = "sum" | "prod" | "max" | "min";

/** One entry for each dimension of the operand. */
export interface ReduceWindowParams {
  readonly op: WindowReduction;
  readonly windowDimensions: readonly number[];
  readonly windowStrides: readonly number[];
  /** Elements before and after, of the identity of `op`; negative ones crop. */
  readonly padding: readonly (readonly [number, number])[];
  readonly baseDilation: readonly number[];
  readonly windowDilation: readonly number[];
}

interface Reduction {
  readonly pair: "add" | "mul" | "max" | "min";
  readonly many: "reduce_sum" | "reduce_prod" | "reduce_max" | "reduce_min";
  readonly accepts: DTypeClass;
  /** What padding holds: lax's. */
  readonly identity: (dtype: DType) => ScalarValue;
}

const reductions: { readonly [R in WindowReduction]: Reduction } = {
  sum: { pair: "add", many: "reduce_sum", accepts: numeric, identity: () => 0 },
  prod: { pair: "mul", many: "reduce_prod", accepts: numeric, identity: () => 1 },
  max: { pair: "max", many: "reduce_max", accepts: anyDType, identity: least },
  min: { pair: "min", many: "reduce_min", accepts: anyDType, identity: greatest },
};

export const windowReductions: readonly string[] = Object.keys(reductions);

const name = "reduce_window";

/** The longest window that a chain reduces sooner than a fold does, which spends less on NaNs and −0 in extremes. */
const longestChain = (pair: Reduction["pair"], dtype: DType): number =>
  isFloat(dtype) && (pair === "max" || pair === "min") ? 4 : 32;

/**
 * The reduction of every window, in the operand's dtype.
 *
 * @throws BuildError GF2105 for sums and products of bool, GF2108 where params do not fit the rank, GF2109 where a
 * dimension has no size yet
 */
export function emitReduceWindow(e: Emitter, x: ValueId, p: ReduceWindowParams): ValueId {
  requireParams(e, x, p);
  let reduced = x;
  for (let d = p.windowDimensions.length - 1; d >= 0; d -= 1) {
    reduced = reduceAlong(e, reduced, d, ofDimension(p, d), reductions[p.op]);
  }
  return p.op === "sum" ? fromZero(e, reduced) : reduced;
}

/** A sum starts at +0, so that none is −0; a chain starts at its first element. */
function fromZero(e: Emitter, sum: ValueId): ValueId {
  const { dtype, shape } = e.type(sum);
  return isFloat(dtype) ? e.emit("add", [sum, e.full(dtype, shape, 0)], {}) : sum;
}

/** What one dimension says of its windows. */
interface Along {
  readonly window: number;
  readonly stride: number;
  readonly padding: readonly [number, number];
  readonly baseDilation: number;
  readonly windowDilation: number;
}

const ofDimension = (p: ReduceWindowParams, d: number): Along => ({
  window: p.windowDimensions[d] as number,
  stride: p.windowStrides[d] as number,
  padding: p.padding[d] as readonly [number, number],
  baseDilation: p.baseDilation[d] as number,
  windowDilation: p.windowDilation[d] as number,
});

function reduceAlong(
  e: Emitter,
  x: ValueId,
  d: number,
  { window, stride, padding, baseDilation, windowDilation }: Along,
  { pair, many, identity }: Reduction,
): ValueId {
  const [before, after] = padding;
  if (window * stride * baseDilation === 1 && before === 0 && after === 0) return x;
  const fill = identity(e.dtype(x));
  const base = spread(e, x, d, baseDilation, fill);
  const sizes = e.shape(base) as readonly number[];
  const padded = (sizes[d] as number) + before + after;
  const counts = sizes.with(d, windowCount(padded, dilatedSize(window, windowDilation), stride));
  const view = (shape: readonly number[], offset: ix.IndexExpr): ValueId => {
    const axes = counts.map((count, i) => ix.axis(i, count));
    const start = ix.add(ix.mul(axes[d] as ix.IndexExpr, stride), ix.constant(-before));
    const index = axes.with(d, ix.add(start, offset));
    return e.emit("view", [base], { shape, index, fill: toBits(e.dtype(x), fill) });
  };
  if (window > longestChain(pair, e.dtype(x))) {
    const offset = ix.mul(ix.axis(counts.length, window), windowDilation);
    return e.emit(many, [view([...counts, window], offset)], { axes: [counts.length] });
  }
  const parts = Array.from({ length: window }, (_, i) =>
    view(counts, ix.constant(i * windowDilation)),
  );
  return parts.reduce((reduced, part) => e.emit(pair, [reduced, part], {}));
}

function spread(e: Emitter, x: ValueId, d: number, dilation: number, value: ScalarValue): ValueId {
  if (dilation === 1) return x;
  const whole = { lo: 0, hi: 0, interior: 0 };
  const config = e.shape(x).map((_, i) => (i === d ? { ...whole, interior: dilation - 1 } : whole));
  return e.emit("pad", [x, e.full(e.dtype(x), [], value)], { config });
}

const steps = ["windowDimensions", "windowStrides", "baseDilation", "windowDilation"] as const;

function requireParams(e: Emitter, x: ValueId, p: ReduceWindowParams): void {
  requireDType(`${name}_${p.op}`, e.dtype(x), reductions[p.op].accepts);
  const rank = e.shape(x).length;
  for (const list of steps) requireLength(name, list, p[list].length, rank);
  requireLength(name, "padding", p.padding.length, rank);
  for (const list of steps) {
    for (const [d, step] of p[list].entries()) requireRange(name, `${list}[${d}]`, step, 1);
  }
  for (const [d, size] of requireSizes(name, e.shape(x)).entries()) {
    const [before, after] = p.padding[d] as readonly [number, number];
    const extent = dilatedSize(size, p.baseDilation[d] as number);
    requireRange(name, `padding[${d}][0]`, before, -extent);
    requireRange(name, `padding[${d}][1]`, after, -extent - before);
  }
}

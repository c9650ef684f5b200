/**
 * Reductions, in the one order that every executor keeps (documented at `Reduction` of the plan).
 */
import { type DType, lanes, type OpParams } from "@gridfuse/graph";
import {
  arithmeticOf,
  type Combine,
  type CombineName,
  type Element,
  identityOf,
} from "../arithmetic.ts";
import {
  fromLanes,
  type HostTensor,
  lanesOf,
  offsetsOf,
  sizeOf,
  stridesOf,
  tensorOf,
} from "../tensor.ts";
import type { Implementations } from "./types.ts";

const segmentLength = 256;
const accumulators = 16;

/**
 * Combines elements: up to 16 in order; more in segments of 256, element i of a segment into accumulator i mod 16,
 * accumulators folded 8, 4, 2, 1 apart, segments in a balanced tree.
 */
export const fold = (elements: ArrayLike<Element>, name: CombineName, dtype: DType): Element =>
  foldWith(elements, arithmeticOf(dtype)[name], identityOf(name, dtype));

function foldWith(elements: ArrayLike<Element>, combine: Combine, identity: Element): Element {
  if (elements.length <= accumulators) {
    let total = identity;
    for (let i = 0; i < elements.length; i++) total = combine(total, elements[i]);
    return total;
  }
  const segments: Element[] = [];
  for (let start = 0; start < elements.length; start += segmentLength) {
    const end = Math.min(start + segmentLength, elements.length);
    const partial = new Array<Element>(accumulators).fill(identity);
    for (let i = start; i < end; i++) {
      const lane = (i - start) % accumulators;
      partial[lane] = combine(partial[lane], elements[i]);
    }
    for (let apart = accumulators / 2; apart >= 1; apart /= 2) {
      for (let j = 0; j < apart; j++) partial[j] = combine(partial[j], partial[j + apart]);
    }
    segments.push(partial[0]);
  }
  return segments.length === 0 ? identity : balancedTree(segments, combine);
}

function balancedTree(values: Element[], combine: Combine): Element {
  while (values.length > 1) {
    const next: Element[] = [];
    for (let i = 0; i + 1 < values.length; i += 2) next.push(combine(values[i], values[i + 1]));
    if (values.length % 2 === 1) next.push(values[values.length - 1]);
    values = next;
  }
  return values[0];
}

/** The elements that go into each result element, in row-major order of the reduced axes. */
function groups(
  { shape }: HostTensor,
  axes: readonly number[],
): { readonly kept: readonly number[]; readonly starts: Int32Array; readonly within: Int32Array } {
  const strides = stridesOf(shape);
  const pick = (dims: readonly number[], from: readonly number[]) => dims.map((d) => from[d]);
  const inner = [...axes].sort((a, b) => a - b);
  const outer = shape.map((_, d) => d).filter((d) => !inner.includes(d));
  const kept = pick(outer, shape);
  return {
    kept,
    starts: offsetsOf(kept, { base: 0, strides: pick(outer, strides) }),
    within: offsetsOf(pick(inner, shape), { base: 0, strides: pick(inner, strides) }),
  };
}

export function reduce(
  operand: HostTensor,
  axes: readonly number[],
  name: CombineName,
): HostTensor {
  const { dtype } = operand;
  const { kept, starts, within } = groups(operand, axes);
  const combine = arithmeticOf(dtype)[name];
  const identity = identityOf(name, dtype);
  const from = lanesOf(operand);
  const out = lanes(dtype, sizeOf(kept));
  const group = new Array<Element>(within.length);
  starts.forEach((start, at) => {
    for (let i = 0; i < within.length; i++) group[i] = from[start + within[i]] as Element;
    out[at] = foldWith(group, combine, identity);
  });
  return fromLanes(dtype, kept, out);
}

/** The index of the first extreme element; a NaN is the extreme, −0 and +0 are equal. */
function argExtreme(
  operand: HostTensor,
  { axis, indexDType }: OpParams["argmax"],
  beats: (a: Element, b: Element) => boolean,
): HostTensor {
  const { kept, starts, within } = groups(operand, [axis]);
  const from = lanesOf(operand);
  const missing = (x: Element) => x !== x; // NaN
  const indices = Array.from(starts, (start) => {
    let best = 0;
    for (let i = 1; i < within.length; i++) {
      const value = from[start + within[i]] as Element;
      const bestValue = from[start + within[best]] as Element;
      if (!missing(bestValue) && (missing(value) || beats(value, bestValue))) best = i;
    }
    return best;
  });
  return tensorOf(indexDType, kept, indices);
}

export const reductions: Implementations<
  | "reduce_sum"
  | "reduce_prod"
  | "reduce_max"
  | "reduce_min"
  | "reduce_and"
  | "reduce_or"
  | "reduce_xor"
  | "argmax"
  | "argmin"
> = {
  reduce_sum: ([x], { axes }) => reduce(x, axes, "add"),
  reduce_prod: ([x], { axes }) => reduce(x, axes, "mul"),
  reduce_max: ([x], { axes }) => reduce(x, axes, "max"),
  reduce_min: ([x], { axes }) => reduce(x, axes, "min"),
  reduce_and: ([x], { axes }) => reduce(x, axes, "and"),
  reduce_or: ([x], { axes }) => reduce(x, axes, "or"),
  reduce_xor: ([x], { axes }) => reduce(x, axes, "xor"),
  argmax: ([x], params) => argExtreme(x, params, (a, b) => a > b),
  argmin: ([x], params) => argExtreme(x, params, (a, b) => a < b),
};

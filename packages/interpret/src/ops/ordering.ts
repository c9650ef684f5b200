/** sort and top_k: an order of positions is found first, then the elements' bits follow it. */
import type { OpParams } from "@gridfuse/graph";
import type { Element } from "../arithmetic.ts";
import {
  bitsOf,
  type HostTensor,
  lanesOf,
  offsetsOf,
  sizeOf,
  stridesOf,
  tensorOf,
  zeros,
} from "../tensor.ts";
import type { Implementations } from "./types.ts";

/** Ascending; −0 equals +0, NaNs are equal and last. */
function compareElements(a: Element, b: Element): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(a !== a) - Number(b !== b);
}

function sort(
  operands: readonly HostTensor[],
  { dimension, keys }: OpParams["sort"],
): readonly HostTensor[] {
  const [{ shape }] = operands;
  const strides = stridesOf(shape);
  const rows = offsetsOf(shape.with(dimension, 1), { base: 0, strides });
  const step = strides[dimension];
  const keyLanes = operands.slice(0, keys).map(lanesOf);
  const outs = operands.map((operand) => zeros(operand.dtype, shape));
  const moves = operands.map((operand, i) => ({ from: bitsOf(operand), to: bitsOf(outs[i]) }));
  const positions = Array.from({ length: shape[dimension] }, (_, i) => i);
  for (const row of rows) {
    // Array.prototype.sort is stable, which an unstable sort may be as well.
    const order = positions.toSorted((a, b) => {
      for (const key of keyLanes) {
        const sign = compareElements(
          key[row + a * step] as Element,
          key[row + b * step] as Element,
        );
        if (sign !== 0) return sign;
      }
      return 0;
    });
    for (const { from, to } of moves) {
      for (const [i, position] of order.entries()) to[row + i * step] = from[row + position * step];
    }
  }
  return outs;
}

/** Along the last dimension: largest first, NaN largest of all, the lower index first on ties. */
function topK(operand: HostTensor, { k }: OpParams["top_k"]): readonly HostTensor[] {
  const extent = operand.shape[operand.shape.length - 1];
  const shape = operand.shape.with(-1, k);
  const values = zeros(operand.dtype, shape);
  const indices = tensorOf("int32", shape, new Array(sizeOf(shape)).fill(0));
  const from = bitsOf(operand);
  const to = bitsOf(values);
  const elements = lanesOf(operand);
  const positions = Array.from({ length: extent }, (_, i) => i);
  for (let row = 0; row * k < to.length; row++) {
    const base = row * extent;
    const order = positions.toSorted((a, b) =>
      compareElements(elements[base + b] as Element, elements[base + a] as Element),
    );
    for (let i = 0; i < k; i++) {
      to[row * k + i] = from[base + order[i]];
      indices.data[row * k + i] = order[i];
    }
  }
  return [values, indices];
}

export const ordering: Implementations<"sort" | "top_k"> = {
  sort: (operands, params) => sort(operands, params),
  top_k: ([x], params) => topK(x, params),
};

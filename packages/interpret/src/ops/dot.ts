/** dot_general: products and sums rounded in the accumulation dtype, one after the other from +0. */
import { applyNode, type DType, type Lanes, lanes, type OpParams } from "@gridfuse/graph";
import { arithmeticOf, type Element, zeroOf } from "../arithmetic.ts";
import { fromLanes, type HostTensor, lanesOf, offsetsOf, sizeOf, stridesOf } from "../tensor.ts";
import type { Implementations } from "./types.ts";

const convertLanes = (from: Lanes, dtype: DType, to: DType): Lanes =>
  dtype === to
    ? from
    : applyNode({ op: "convert", dtype: to, args: [0] }, [from], [dtype], from.length);

/** One side of the product: where its batches, its free and its contracted coordinates lie. */
interface Side {
  readonly batch: Int32Array;
  readonly free: Int32Array;
  readonly contract: Int32Array;
  readonly batchShape: readonly number[];
  readonly freeShape: readonly number[];
  readonly elements: Lanes;
}

function sideOf(
  operand: HostTensor,
  batch: readonly number[],
  contract: readonly number[],
  accumulate: DType,
): Side {
  const strides = stridesOf(operand.shape);
  const free = operand.shape.map((_, d) => d).filter((d) => ![...batch, ...contract].includes(d));
  const pick = (dims: readonly number[], from: readonly number[]) => dims.map((d) => from[d]);
  const offsets = (dims: readonly number[]) =>
    offsetsOf(pick(dims, operand.shape), { base: 0, strides: pick(dims, strides) });
  return {
    batch: offsets(batch),
    free: offsets(free),
    contract: offsets(contract),
    batchShape: pick(batch, operand.shape),
    freeShape: pick(free, operand.shape),
    elements: convertLanes(lanesOf(operand), operand.dtype, accumulate),
  };
}

/** Result dims: batch, lhs free, rhs free; the contracted coordinates run in row-major order. */
function dotGeneral(
  lhs: HostTensor,
  rhs: HostTensor,
  { contract, batch, dtype, accumulate }: OpParams["dot_general"],
): HostTensor {
  const left = sideOf(lhs, batch[0], contract[0], accumulate);
  const right = sideOf(rhs, batch[1], contract[1], accumulate);
  const { add, mul } = arithmeticOf(accumulate);
  const shape = [...left.batchShape, ...left.freeShape, ...right.freeShape];
  const out = lanes(accumulate, sizeOf(shape));
  let at = 0;
  for (let b = 0; b < left.batch.length; b++) {
    for (const row of left.free) {
      for (const column of right.free) {
        const l = left.batch[b] + row;
        const r = right.batch[b] + column;
        let sum = zeroOf(accumulate);
        for (let k = 0; k < left.contract.length; k++) {
          const x = left.elements[l + left.contract[k]] as Element;
          const y = right.elements[r + right.contract[k]] as Element;
          sum = add(sum, mul(x, y));
        }
        out[at++] = sum;
      }
    }
  }
  return fromLanes(dtype, shape, convertLanes(out, accumulate, dtype));
}

export const linearAlgebra: Implementations<"dot_general"> = {
  dot_general: ([lhs, rhs], params) => dotGeneral(lhs, rhs, params),
};

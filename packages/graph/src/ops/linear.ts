/** The general dot product: every matrix product, contraction and outer product there is. */
import { BuildError } from "@gridfuse/plan/errors";
import { type Dim, formatShape, type Shape, type TensorType, tensorType } from "../ir/types.ts";
import type { OpParams } from "../ir/vocabulary.ts";
import { shifted } from "./batching.ts";
import { numeric, requireAxes, requireDType, requireSameDType, requireTensors } from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";

type Sides = readonly [readonly number[], readonly number[]];

/** Dimensions that are neither contracted nor batch, in order. */
export const freeDims = (
  rank: number,
  ...used: readonly (readonly number[])[]
): readonly number[] =>
  Array.from({ length: rank }, (_, i) => i).filter((i) => !used.some((dims) => dims.includes(i)));

function requirePaired(what: string, [left, right]: Sides, lhs: Shape, rhs: Shape): void {
  if (left.length === right.length && left.every((dim, i) => lhs[dim] === rhs[right[i] as number]))
    return;
  const sizesOf = (dims: readonly number[], shape: Shape) => dims.map((dim) => shape[dim] as Dim);
  const [l, r] = [sizesOf(left, lhs), sizesOf(right, rhs)];
  throw new BuildError(
    "GF2113",
    `dot_general of ${formatShape(lhs)} and ${formatShape(rhs)}: ${what} dims ${formatShape(left)} of sizes ${formatShape(l)} meet ${formatShape(right)} of sizes ${formatShape(r)}`,
    { expected: l, received: r, help: `Pair ${what} dims of equal size.` },
  );
}

export const dotGeneral: OpDefinition<"dot_general"> = defineOp({
  name: "dot_general",
  category: "linear algebra",
  doc: "Sums products over contracted dims, for each pair of free dims and each batch dim; result dims are batch, lhs free, rhs free.",
  arity: 2,
  infer(operands, { contract, batch, dtype, accumulate }) {
    const types = requireTensors("dot_general", operands, 2) as [TensorType, TensorType];
    const [lhs, rhs] = types;
    requireSameDType("dot_general", types);
    requireDType("dot_general", lhs.dtype, numeric);
    requireDType("dot_general", dtype, numeric);
    requireDType("dot_general", accumulate, numeric);
    requireAxes("dot_general", [...batch[0], ...contract[0]], lhs.shape.length, "lhs dim");
    requireAxes("dot_general", [...batch[1], ...contract[1]], rhs.shape.length, "rhs dim");
    requirePaired("contracted", contract, lhs.shape, rhs.shape);
    requirePaired("batch", batch, lhs.shape, rhs.shape);
    const of = (shape: Shape, dims: readonly number[]) => dims.map((dim) => shape[dim] as Dim);
    return [
      tensorType(dtype, [
        ...of(lhs.shape, batch[0]),
        ...of(lhs.shape, freeDims(lhs.shape.length, batch[0], contract[0])),
        ...of(rhs.shape, freeDims(rhs.shape.length, batch[1], contract[1])),
      ]),
    ];
  },
  batch(e, { params }, [lhs, rhs], _size) {
    const [left, right] = [lhs as BatchOperand, rhs as BatchOperand];
    const { contract, batch } = params;
    const move = (operand: BatchOperand, dims: readonly number[]) =>
      operand.batched ? shifted(dims) : dims;
    const both = left.batched && right.batched;
    const batched: OpParams["dot_general"] = {
      ...params,
      contract: [move(left, contract[0]), move(right, contract[1])],
      batch: [
        [...(both ? [0] : []), ...move(left, batch[0])],
        [...(both ? [0] : []), ...move(right, batch[1])],
      ],
    };
    const product = e.emit("dot_general", [left.value, right.value], batched);
    if (both) return [product];
    // Batched on one side: the batch is the first free dim of that side; bring it to the front.
    const rank = e.shape(product).length;
    const lhsFree = e.shape(left.value).length - batch[0].length - contract[0].length;
    const at = batch[0].length + (left.batched ? 0 : lhsFree);
    return [e.transpose(product, [at, ...freeDims(rank, [at])])];
  },
});

/**
 * Ops of one operand that only move elements: every result element is one operand element.
 *
 * `indexMap` says which; it is how the movement pass turns them into reads. The arithmetic of
 * reshape is in reshape-map.ts.
 */
import { BuildError } from "@gridfuse/plan/errors";
import * as ix from "@gridfuse/plan/index-expr";
import type { ValueId } from "../ir/table.ts";
import { type Dim, formatShape, type Shape, type TensorType, tensorType } from "../ir/types.ts";
import { shifted } from "./batching.ts";
import {
  requireAxes,
  requireLength,
  requireRange,
  requireShapeParam,
  requireSizes,
  requireTensors,
} from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";
import { mapReshape } from "./reshape-map.ts";

const only = (operands: readonly BatchOperand[]): ValueId => (operands[0] as BatchOperand).value;

export const broadcastInDim: OpDefinition<"broadcast_in_dim"> = defineOp({
  name: "broadcast_in_dim",
  category: "movement",
  doc: "Maps operand dimension d to result dimension broadcastDimensions[d], stretching size 1, and repeats along the others.",
  arity: 1,
  infer(operands, { shape, broadcastDimensions }) {
    const [operand] = requireTensors("broadcast_in_dim", operands, 1) as [TensorType];
    requireShapeParam("broadcast_in_dim", shape);
    requireLength(
      "broadcast_in_dim",
      "broadcastDimensions",
      broadcastDimensions.length,
      operand.shape.length,
    );
    requireAxes("broadcast_in_dim", broadcastDimensions, shape.length, "dimension");
    for (let i = 0; i < broadcastDimensions.length; i += 1) {
      const to = broadcastDimensions[i] as number;
      requireRange(
        "broadcast_in_dim",
        () => `broadcastDimensions[${i}] (they must increase)`,
        to,
        i === 0 ? 0 : (broadcastDimensions[i - 1] as number) + 1,
      );
      const dim = operand.shape[i] as Dim;
      if (dim === 1 || dim === shape[to]) continue;
      throw new BuildError(
        "GF2110",
        `broadcast_in_dim of ${formatShape(operand.shape)} to ${formatShape(shape)}: dimension ${i} is ${dim}, the result's ${shape[to]}`,
        {
          expected: shape,
          received: operand.shape,
          help: "A dimension stretches only from size 1.",
        },
      );
    }
    return [tensorType(operand.dtype, shape)];
  },
  indexMap: (at, operand, { broadcastDimensions }) =>
    operand.map((size, i) =>
      size === 1 ? ix.zero : (at[broadcastDimensions[i] as number] as ix.IndexExpr),
    ),
  batch: (e, { params }, operands, size) => [
    e.broadcastInDim(
      only(operands),
      [size, ...params.shape],
      [0, ...shifted(params.broadcastDimensions)],
    ),
  ],
});

/** Product of the sizes and the sorted names of the others: equal for shapes of equal volume. */
function volume(shape: Shape): string | number {
  let product = 1;
  let hasNames = false;
  for (let d = 0; d < shape.length; d += 1) {
    const dim = shape[d] as Dim;
    if (typeof dim === "number") product *= dim;
    else hasNames = true;
  }
  if (product === 0 || !hasNames) return product;
  const names = shape.filter((dim) => typeof dim === "string").sort();
  return [...names, product].join("·");
}

export const reshape: OpDefinition<"reshape"> = defineOp({
  name: "reshape",
  category: "movement",
  doc: "The same elements in row-major order under another shape.",
  arity: 1,
  infer(operands, { shape }) {
    const [operand] = requireTensors("reshape", operands, 1) as [TensorType];
    requireShapeParam("reshape", shape);
    const from = volume(operand.shape);
    const to = volume(shape);
    if (from !== to) {
      throw new BuildError(
        "GF2107",
        `reshape of ${formatShape(operand.shape)} (${from} elements) to ${formatShape(shape)} (${to})`,
        {
          expected: operand.shape,
          received: shape,
          help: "Old and new shape must hold the same number of elements.",
        },
      );
    }
    return [tensorType(operand.dtype, shape)];
  },
  indexMap: (at, operand, _, result) => mapReshape(at, operand, result),
  batch: (e, { params }, operands, size) => [e.reshape(only(operands), [size, ...params.shape])],
});

export const transpose: OpDefinition<"transpose"> = defineOp({
  name: "transpose",
  category: "movement",
  doc: "Result dimension i is operand dimension permutation[i].",
  arity: 1,
  infer(operands, { permutation }) {
    const [{ dtype, shape }] = requireTensors("transpose", operands, 1) as [TensorType];
    requireLength("transpose", "permutation", permutation.length, shape.length);
    requireAxes("transpose", permutation, shape.length);
    return [
      tensorType(
        dtype,
        permutation.map((from) => shape[from] as Dim),
      ),
    ];
  },
  indexMap: (at, operand, { permutation }) =>
    operand.map((_, i) => at[permutation.indexOf(i)] as ix.IndexExpr),
  batch: (e, { params }, operands) => [
    e.transpose(only(operands), [0, ...shifted(params.permutation)]),
  ],
});

export const slice: OpDefinition<"slice"> = defineOp({
  name: "slice",
  category: "movement",
  doc: "Elements start, start + stride, … below limit along each dimension; static.",
  arity: 1,
  infer(operands, { start, limit, strides }) {
    const [{ dtype, shape }] = requireTensors("slice", operands, 1) as [TensorType];
    requireLength("slice", "start", start.length, shape.length);
    requireLength("slice", "limit", limit.length, shape.length);
    requireLength("slice", "strides", strides.length, shape.length);
    const result = requireSizes("slice", shape).map((size, i) => {
      const end = limit[i] as number;
      requireRange("slice", () => `limit[${i}] of ${formatShape(shape)}`, end, 0, size);
      requireRange(
        "slice",
        () => `start[${i}] of ${formatShape(shape)}`,
        start[i] as number,
        0,
        end,
      );
      requireRange("slice", () => `strides[${i}]`, strides[i] as number, 1);
      return Math.ceil((end - (start[i] as number)) / (strides[i] as number));
    });
    return [tensorType(dtype, result)];
  },
  indexMap: (at, _, { start, strides }) =>
    at.map((e, i) => ix.add(ix.mul(e, strides[i] as number), ix.constant(start[i] as number))),
  batch: (e, { params }, operands, size) => [
    e.emit("slice", [only(operands)], {
      start: [0, ...params.start],
      limit: [size, ...params.limit],
      strides: [1, ...params.strides],
    }),
  ],
});

export const rev: OpDefinition<"rev"> = defineOp({
  name: "rev",
  category: "movement",
  doc: "Reverses the order along the given dimensions.",
  arity: 1,
  infer(operands, { dimensions }) {
    const [{ dtype, shape }] = requireTensors("rev", operands, 1) as [TensorType];
    requireAxes("rev", dimensions, shape.length, "dimension");
    return [tensorType(dtype, shape)];
  },
  indexMap: (at, operand, { dimensions }) =>
    at.map((e, i) =>
      dimensions.includes(i) ? ix.sub(ix.constant((operand[i] as number) - 1), e) : e,
    ),
  batch: (e, { params }, operands) => [
    e.emit("rev", [only(operands)], { dimensions: shifted(params.dimensions) }),
  ],
});

export const view: OpDefinition<"view"> = defineOp({
  name: "view",
  category: "movement",
  doc: "The operand through an index map, with a fill value where the index lies outside; made by passes.",
  arity: 1,
  infer(operands, { shape, index }) {
    const [operand] = requireTensors("view", operands, 1) as [TensorType];
    requireShapeParam("view", shape);
    requireLength("view", "index", index.length, operand.shape.length);
    for (const e of index) {
      for (const axis of ix.axesOf(e))
        requireRange("view", "axis of an index", axis, 0, shape.length - 1);
    }
    return [tensorType(operand.dtype, shape)];
  },
  indexMap: (at, _, { index }) => index.map((e) => ix.substituteAxes(e, at)),
  batch: (e, { params }, operands, size) => {
    const shape = [size, ...params.shape];
    const moved = params.shape.map((extent, i) => ix.axis(i + 1, extent));
    return [
      e.emit("view", [only(operands)], {
        shape,
        index: [ix.axis(0, size), ...params.index.map((x) => ix.substituteAxes(x, moved))],
        fill: params.fill,
      }),
    ];
  },
});

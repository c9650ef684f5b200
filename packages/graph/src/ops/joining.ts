/** Movement ops whose result comes from several places: an operand and a fill, or many operands. */
import { type Dim, formatShape, type Shape, type TensorType, tensorType } from "../ir/types.ts";
import type { PaddingConfig } from "../ir/vocabulary.ts";
import { spreadScalar, withBatch } from "./batching.ts";
import {
  requireAxes,
  requireLength,
  requireRange,
  requireSameDim,
  requireSameDType,
  requireSize,
  requireTensors,
} from "./check.ts";
import { type BatchOperand, defineOp, type OpDefinition } from "./define.ts";

const keepsWhole = ({ lo, hi, interior }: PaddingConfig): boolean =>
  lo === 0 && hi === 0 && interior === 0;

function paddedSize(dim: Dim, config: PaddingConfig, i: number): Dim {
  if (keepsWhole(config)) return dim;
  const { lo, hi, interior } = config;
  requireRange("pad", `interior padding of dimension ${i}`, interior, 0);
  const size = requireSize("pad", dim, `dimension ${i}`);
  const dilated = size + Math.max(0, size - 1) * interior;
  requireRange("pad", `size of dimension ${i} after padding`, lo + dilated + hi, 0);
  return lo + dilated + hi;
}

const whole: PaddingConfig = { lo: 0, hi: 0, interior: 0 };

export const pad: OpDefinition<"pad"> = defineOp({
  name: "pad",
  category: "movement",
  doc: "Surrounds with a padding value and spreads elements apart by `interior`; negative lo and hi crop.",
  arity: 2,
  infer(operands, { config }) {
    const types = requireTensors("pad", operands, 2) as [TensorType, TensorType];
    const [{ dtype, shape }, padding] = types;
    requireSameDType("pad", types);
    requireLength("pad", "config", config.length, shape.length);
    requireLength("pad", "shape of the padding value", padding.shape.length, 0);
    return [
      tensorType(
        dtype,
        shape.map((dim, i) => paddedSize(dim, config[i] as PaddingConfig, i)),
      ),
    ];
  },
  batch(e, { params }, [operand, padding], size) {
    const config = [whole, ...params.config];
    const value = withBatch(e, operand as BatchOperand, size);
    const { value: fill, batched } = padding as BatchOperand;
    if (!batched) return [e.emit("pad", [value, fill], { config })];
    // A padding value for each slice: pad with anything, and a mask the same way says where.
    const dtype = e.dtype(value);
    const data = e.emit("pad", [value, e.full(dtype, [], 0)], { config });
    const inside = e.full("bool", e.shape(value), true);
    const mask = e.emit("pad", [inside, e.full("bool", [], false)], { config });
    const spread = spreadScalar(e, padding as BatchOperand, e.shape(data));
    return [e.emit("select_n", [mask, spread, data], {})];
  },
});

function requireSameBut(op: string, dimension: number, a: Shape, b: Shape): void {
  requireLength(op, `operand ${formatShape(b)}`, b.length, a.length);
  for (const [i, dim] of a.entries()) {
    if (i !== dimension) requireSameDim(op, dim, b[i] as Dim, `dimension ${i}`);
  }
}

export const concatenate: OpDefinition<"concatenate"> = defineOp({
  name: "concatenate",
  category: "movement",
  doc: "Joins its operands along one dimension.",
  arity: 1,
  variadic: true,
  infer(operands, { dimension }) {
    const types = requireTensors("concatenate", operands, 1, true);
    const { dtype, shape } = types[0] as TensorType;
    requireSameDType("concatenate", types);
    requireAxes("concatenate", [dimension], shape.length, "dimension");
    for (const other of types) requireSameBut("concatenate", dimension, shape, other.shape);
    const dims = types.map((type) => type.shape[dimension] as Dim);
    const total =
      dims.length === 1
        ? (dims[0] as Dim)
        : dims
            .map((dim) => requireSize("concatenate", dim, `dimension ${dimension}`))
            .reduce((sum, size) => sum + size, 0);
    return [tensorType(dtype, shape.with(dimension, total))];
  },
  batch: (e, { params }, operands, size) => [
    e.emit(
      "concatenate",
      operands.map((operand) => withBatch(e, operand, size)),
      { dimension: params.dimension + 1 },
    ),
  ],
});

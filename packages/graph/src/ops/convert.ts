/** Changes of representation: conversions, reinterpreted bits, and reduced precision. */

import { BuildError } from "@gridfuse/plan/errors";
import { type DType, itemSize, math, type Scalar } from "@gridfuse/plan/scalar";
import { type Shape, type TensorType, tensorType } from "../ir/types.ts";
import { batchElementwise } from "./batching.ts";
import { floats, integers, requireRange, requireTensors } from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

export const convertElementType: OpDefinition<"convert_element_type"> = defineOp({
  name: "convert_element_type",
  category: "elementwise",
  doc: "The value in another dtype: floats truncate and saturate to integers (NaN to 0), integers wrap, narrower floats round to nearest even, bool is x ≠ 0.",
  arity: 1,
  infer(operands, { dtype }) {
    const [operand] = requireTensors("convert_element_type", operands, 1) as [TensorType];
    return [tensorType(dtype, operand.shape)];
  },
  scalar: (b, [x], { dtype }) => b.convert(x as Scalar, dtype),
  batch: batchElementwise,
});

/** The shape after a bitcast: narrower elements add a minor dimension, wider ones consume it. */
function bitcastShape(operand: TensorType, dtype: DType): Shape {
  const from = itemSize(operand.dtype);
  const to = itemSize(dtype);
  if (from === to) return operand.shape;
  if (from > to) return [...operand.shape, from / to];
  const minor = operand.shape.at(-1);
  if (minor === to / from) return operand.shape.slice(0, -1);
  throw new BuildError(
    "GF2103",
    `bitcast_convert_type of ${operand.dtype} to ${dtype} needs a last dimension of ${to / from}, not ${minor}`,
    {
      expected: to / from,
      received: minor,
      help: `Reshape so that the last dimension holds the ${to / from} parts of one ${dtype}.`,
    },
  );
}

export const bitcastConvertType: OpDefinition<"bitcast_convert_type"> = defineOp({
  name: "bitcast_convert_type",
  category: "elementwise",
  doc: "The same bits read as another dtype; a change of width adds or removes a minor dimension, little-endian.",
  arity: 1,
  infer(operands, { dtype }) {
    const [operand] = requireTensors("bitcast_convert_type", operands, 1) as [TensorType];
    if (operand.dtype !== dtype && (operand.dtype === "bool" || dtype === "bool")) {
      throw new BuildError("GF2105", `bitcast_convert_type of ${operand.dtype} to ${dtype}`, {
        expected: "dtypes other than bool",
        received: operand.dtype === "bool" ? operand.dtype : dtype,
        help: "bool has no bit pattern of its own; convert with `astype` instead.",
      });
    }
    return [tensorType(dtype, bitcastShape(operand, dtype))];
  },
  // Only bitcasts of one width are elementwise; passes ask for the meaning of those alone.
  scalar: (b, [x], { dtype }) => b.bitcast(x as Scalar, dtype),
  batch: batchElementwise,
});

export const reducePrecision: OpDefinition<"reduce_precision"> = defineElementwise(
  "reduce_precision",
  1,
  {
    doc: "Rounds to a float format of fewer exponent and mantissa bits and back.",
    accepts: floats,
    scalar: (b, [x], { exponentBits, mantissaBits }) =>
      math.reducePrecision(b, x as Scalar, exponentBits, mantissaBits),
    check: (_, { exponentBits, mantissaBits }) => {
      requireRange("reduce_precision", "exponentBits", exponentBits, 1, 11);
      requireRange("reduce_precision", "mantissaBits", mantissaBits, 0, 52);
    },
  },
);

export const multipleOf: OpDefinition<"multiple_of"> = defineElementwise("multiple_of", 1, {
  doc: "x, with the author's promise that it is a multiple of `value`.",
  accepts: integers,
  scalar: (_, [x]) => x as Scalar,
  check: (_, { value }) => requireRange("multiple_of", "value", value, 1),
});

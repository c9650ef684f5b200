/** Ops that are run for what they do. */
import { BuildError } from "@gridfuse/plan/errors";
import { formatShape, type Shape, sameShape, type TensorType } from "../ir/types.ts";
import { withBatch } from "./batching.ts";
import { requireRange, requireTensors } from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";

/** Number of `{…}` holes of a format; `{{` and `}}` stand for braces. */
export const holesOf = (format: string): number =>
  [...format.matchAll(/\{\{|\}\}|\{[^{}]*\}/g)].filter(
    ([match]) => match !== "{{" && match !== "}}",
  ).length;

function requireBatchShape(values: readonly TensorType[], batch: number, masked: boolean): void {
  const expected = (values[0] as TensorType).shape.slice(0, batch);
  for (const [i, { shape }] of values.entries()) {
    const own: Shape = masked && i === 0 ? shape : shape.slice(0, batch);
    if (sameShape(own, expected) && own.length === batch) continue;
    throw new BuildError(
      "GF2103",
      `debug_print: value ${i} of shape ${formatShape(shape)} does not start with the batch shape ${formatShape(expected)}`,
      {
        expected,
        received: shape,
        help: "After batching, all values (and the mask) share their leading dimensions.",
      },
    );
  }
}

export const debugPrint: OpDefinition<"debug_print"> = defineOp({
  name: "debug_print",
  category: "effect",
  doc: "Prints a line with its values in the holes of a format; one line for each batch point.",
  arity: 0,
  variadic: true,
  infer(operands, { format, batch, masked }) {
    const values = requireTensors("debug_print", operands, masked ? 1 : 0, true);
    requireRange("debug_print", "batch", batch, 0);
    const printed = values.length - (masked ? 1 : 0);
    const holes = holesOf(format);
    if (holes !== printed) {
      throw new BuildError(
        "GF2117",
        `debug_print of ${printed} values with ${holes} holes in ${JSON.stringify(format)}`,
        { expected: holes, received: printed, help: "Write one `{}` for each value." },
      );
    }
    if (masked && values[0]?.dtype !== "bool") {
      throw new BuildError("GF2105", `debug_print masked by ${values[0]?.dtype}`, {
        expected: "bool",
        received: values[0]?.dtype,
        help: "The mask says for each batch point whether its line is printed.",
      });
    }
    if (values.length > 0) requireBatchShape(values, batch, masked);
    return [];
  },
  batch: (e, { params }, operands, size) =>
    e.emitAll(
      "debug_print",
      operands.map((operand) => withBatch(e, operand, size)),
      { ...params, batch: params.batch + 1 },
    ),
});

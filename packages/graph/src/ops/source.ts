/** Ops that make values out of their params. */
import { BuildError } from "@gridfuse/plan/errors";
import { storageClass } from "@gridfuse/plan/scalar";
import { elementCount, tensorType } from "../ir/types.ts";
import {
  numeric,
  requireAxes,
  requireCount,
  requireDType,
  requireShapeParam,
  requireSizes,
} from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";

export const full: OpDefinition<"full"> = defineOp({
  name: "full",
  category: "source",
  doc: "An array that holds one value everywhere.",
  arity: 0,
  infer(operands, { dtype, shape }) {
    requireCount("full", operands, 0);
    requireShapeParam("full", shape);
    return [tensorType(dtype, shape)];
  },
});

export const constant: OpDefinition<"constant"> = defineOp({
  name: "constant",
  category: "source",
  doc: "An array known at build time.",
  arity: 0,
  infer(operands, { dtype, shape, data }) {
    requireCount("constant", operands, 0);
    requireShapeParam("constant", shape);
    const count = elementCount(requireSizes("constant", shape));
    const Storage = storageClass(dtype);
    if (data.length !== count || !(data instanceof Storage)) {
      throw new BuildError(
        "GF2116",
        `constant of ${dtype}[${shape.join(", ")}] was given ${data.length} elements of ${data.constructor.name}`,
        {
          expected: { length: count, storage: Storage.name },
          received: { length: data.length, storage: data.constructor.name },
          help: `Pass a ${Storage.name} of ${count} elements.`,
        },
      );
    }
    return [tensorType(dtype, shape)];
  },
});

export const iota: OpDefinition<"iota"> = defineOp({
  name: "iota",
  category: "source",
  doc: "Counts 0, 1, 2… along one dimension and is constant along the others.",
  arity: 0,
  infer(operands, { dtype, shape, dimension }) {
    requireCount("iota", operands, 0);
    requireShapeParam("iota", shape);
    requireDType("iota", dtype, numeric);
    requireAxes("iota", [dimension], shape.length, "dimension");
    return [tensorType(dtype, shape)];
  },
});

import { math, type Scalar, type ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, test } from "vitest";
import { agree, columns } from "./agree.ts";

const ofOne = {
  ...{ exp: math.exp, exp2: math.exp2, expm1: math.expm1 },
  ...{ log: math.log, log2: math.log2, log1p: math.log1p },
  ...{ sin: math.sin, cos: math.cos, tan: math.tan },
  ...{ asin: math.asin, acos: math.acos, atan: math.atan },
  ...{ sinh: math.sinh, cosh: math.cosh, tanh: math.tanh, logistic: math.logistic },
  ...{ asinh: math.asinh, acosh: math.acosh, atanh: math.atanh },
  ...{ rsqrt: math.rsqrt, cbrt: math.cbrt },
} satisfies Record<string, (b: ScalarBuilder, x: Scalar) => Scalar>;

const ofTwo = { pow: math.pow, atan2: math.atan2, logaddexp: math.logaddexp } satisfies Record<
  string,
  (b: ScalarBuilder, x: Scalar, y: Scalar) => Scalar
>;

describe("functions spelled in the scalar language have the same bits on the device", () => {
  test.each(Object.entries(ofOne))("%s", async (name, f) => {
    const { builder, x, data } = columns("float32");
    await agree("float32", [{ name, node: f(builder, x) }], builder.nodes, data);
  });

  test.each(Object.entries(ofTwo))("%s", async (name, f) => {
    const { builder, x, y, data } = columns("float32");
    await agree("float32", [{ name, node: f(builder, x, y) }], builder.nodes, data);
  });

  test.each(["float16", "bfloat16"] as const)("exp and tanh of %s", async (dtype) => {
    const { builder, x, data } = columns(dtype);
    const results = [
      { name: "exp", node: math.exp(builder, x) },
      { name: "tanh", node: math.tanh(builder, x) },
    ];
    await agree(dtype, results, builder.nodes, data);
  });
});

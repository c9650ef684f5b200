import { math, type Scalar, type ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, test } from "vitest";
import { agree, columns } from "./agree.ts";

/** One of each kind: the rest is spelled with the same pieces, and every piece costs a compilation. */
const ofOne = {
  ...{ exp: math.exp, log: math.log, sin: math.sin, atan: math.atan, tanh: math.tanh },
  ...{ rsqrt: math.rsqrt, cbrt: math.cbrt },
} satisfies Record<string, (b: ScalarBuilder, x: Scalar) => Scalar>;

const ofTwo = { pow: math.pow } satisfies Record<
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

  test.each(["float16", "bfloat16"] as const)("exp of %s", async (dtype) => {
    const { builder, x, data } = columns(dtype);
    await agree(dtype, [{ name: "exp", node: math.exp(builder, x) }], builder.nodes, data);
  });
});

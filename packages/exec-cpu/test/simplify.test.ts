/** Nodes that are replaced by others of the same value, against plain JS, which replaces nothing. */
import { type DType, dtypes, isFloat } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import { compareOps, ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, expect, test } from "vitest";
import { simplified } from "../src/codegen/kernel-simplify.ts";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder, write, zeroBits } from "./plan-builder.ts";

const n = 67;

function check(dtype: DType, build: (s: ScalarBuilder, x: number, y: number) => number[]): void {
  const p = new PlanBuilder();
  const [x, y] = [p.input("x", dtype, [n]), p.input("y", dtype, [n])];
  const i = axis(0, n);
  p.map([n], (s) => {
    const [a, b] = [x, y].map((buffer) => s.load(dtype, buffer, i, [], zeroBits));
    return build(s, a as number, b as number).map((value, k) => {
      const of = s.dtypeOf(value);
      return write(p.output(`y${k}`, of, [n]), of, i, value);
    });
  });
  const next = randomWords(7);
  const inputs = { x: sampleArray(dtype, n, next), y: sampleArray(dtype, n, next) };
  for (const { wasm, js } of compareBackends(p.build(), inputs)) expect(wasm).toEqual(js);
}

describe.each(dtypes)("%s", (dtype) => {
  test("choices by comparisons of what is chosen", () => {
    check(dtype, (s, x, y) =>
      compareOps.flatMap((op) => {
        const which = s.compare(op, x, y);
        return [s.select(which, x, y), s.select(which, y, x), s.select(which, x, x)];
      }),
    );
  });
  if (isFloat(dtype) || dtype === "bool") return;
  test("truth values that are integers for a while", () => {
    check(dtype, (s, x, y) => {
      const [p, q] = [s.compare("lt", x, y), s.compare("eq", x, s.const(dtype, 0))];
      const [a, b] = [s.convert(p, dtype), s.convert(q, dtype)];
      const zero = s.const(dtype, 0);
      const joined = (["xor", "and", "or", "add", "sub"] as const).map((op) => s.binary(op, a, b));
      return [a, x, ...joined].flatMap((value) => [
        s.compare("ne", value, zero),
        s.compare("ne", zero, value),
        s.compare("eq", value, zero),
        s.convert(value, "bool"),
        s.convert(value, "float32"),
        s.select(s.compare("ne", value, s.const(dtype, 1)), x, y),
      ]);
    });
  });
});

test("what is left of a comparison that was widened, and of a choice by it", () => {
  const s = new ScalarBuilder();
  const [x, y] = [s.argument("int32", 0), s.argument("int32", 1)];
  const wide = s.convert(s.compare("lt", x, y), "int32");
  const again = s.compare("ne", wide, s.const("int32", 0));
  const chosen = s.select(again, x, y);
  const { nodes, instead } = simplified(s.nodes);
  expect(instead[again]).toBe(2);
  expect(nodes[chosen]).toEqual({ op: "min", dtype: "int32", args: [x, y] });
});

/** What a function expands to is put in where it was called: the very nodes that it would have made, in the same order. */
import { definitionOf, type OpName } from "@gridfuse/graph";
import type { Stage } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { type DType, ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expandStage } from "../src/fuse/expand-calls.ts";
import { expand, type Meaning } from "../src/fuse/formulas.ts";
import { dropDead } from "../src/fuse/rewrite-stage.ts";

const functions = ["exp", "log", "log1p", "sin", "tanh", "logistic", "erf", "pow", "atan2", "add"];
const places = 3;

const functionsOf = fc.record({
  op: fc.constantFrom(...(functions as OpName[])),
  dtype: fc.constantFrom<DType>("float32", "float64", "float16", "bfloat16"),
  operands: fc.tuple(fc.nat(places - 1), fc.nat(places - 1)),
});
type Use = typeof functionsOf extends fc.Arbitrary<infer T> ? T : never;

/** A program that applies one function after the other to loads, each by `how`. */
function built(uses: readonly Use[], how: typeof expand): unknown {
  const b = new ScalarBuilder();
  const results = uses.map(({ op, dtype, operands }) => {
    const meaning = definitionOf(op).scalar as Meaning;
    const count = op === "pow" || op === "atan2" || op === "add" ? 2 : 1;
    const x = operands
      .slice(0, count)
      .map((place) => b.load(dtype, place, ix.axis(0, 4), [], { lo: 0, hi: 0 }));
    return how(b, op, meaning, x, {}, dtype);
  });
  const stage: Stage = {
    axes: [4],
    nodes: b.nodes,
    reductions: [],
    writes: results.map((value, i) => ({
      buffer: places + i,
      dtype: b.dtypeOf(value),
      index: ix.axis(0, 4),
      guard: [],
      value,
    })),
  };
  return dropDead(expandStage(stage));
}

describe("functions", () => {
  it("are the same programs, called and expanded or made at once, alone and after others", () => {
    fc.assert(
      fc.property(fc.array(functionsOf, { minLength: 1, maxLength: 5 }), (uses) => {
        const made = built(uses, (b, _, meaning, x, params, dtype) => meaning(b, x, params, dtype));
        expect(built(uses, expand)).toEqual(made);
      }),
    );
  });
});

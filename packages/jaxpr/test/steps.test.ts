/** What a program says several times becomes nodes once; what nobody reads becomes none. */
import { walk } from "@gridfuse/graph";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { importProgram } from "../src/import.ts";
import { keyOf } from "../src/steps.ts";
import { container, program } from "./support/programs.ts";

const avals = [{ s: [8], d: "i32" }];
/** Ops of a program but for its literals, in order. */
function opsOf(bytes: Uint8Array): readonly string[] {
  const { table, main } = importProgram(bytes);
  const ops: string[] = [];
  walk(table, main, ({ op }) => {
    if (op !== "full") ops.push(op);
  });
  return ops;
}
const binary = (p: string, a: unknown, b: unknown, result: number) => ({
  p,
  i: [a, b],
  o: [[result, 0]],
});

describe("equations that do the same", () => {
  test("with the same operands are one node, with others another", () => {
    const eqns = [
      binary("add", 0, 1, 2),
      binary("add", 0, 1, 3),
      binary("add", 1, 0, 4),
      binary("mul", 2, 3, 5),
      binary("mul", 5, 4, 6),
    ];
    const jaxpr = { in: [0, 1].map((v) => [v, 0]), eqns, out: [6] };
    expect(opsOf(program(avals, jaxpr))).toEqual(["add", "add", "mul", "mul"]);
  });

  test("in a jaxpr that is called twice are one node where they have the same operands", () => {
    const literal = { lit: 3, d: "i32" };
    const inner = {
      in: [0, 1].map((v) => [v, 0]),
      eqns: [binary("mul", 1, literal, 2), binary("add", 0, 2, 3)],
      out: [3],
    };
    const call = (a: number, b: number, result: number) => ({
      p: "jit",
      m: "core",
      i: [a, b],
      o: [[result, 0]],
      x: { jaxpr: 1 },
    });
    const main = {
      in: [0, 1].map((v) => [v, 0]),
      eqns: [call(0, 1, 2), call(2, 1, 3), call(0, 1, 4), binary("sub", 3, 4, 5)],
      out: [5],
    };
    const bytes = container({ format: "pallas-ir/1", main: 0, avals, jaxprs: [main, inner] });
    expect(opsOf(bytes)).toEqual(["mul", "add", "add", "sub"]);
  });

  test("with other literals are others, −0 and 0 among them", () => {
    const floats = [{ s: [2], d: "f32" }];
    const zero = { lit: 0, d: "f32" };
    const minus = { lit: "-0.0", d: "f32" };
    const eqns = [binary("max", 0, zero, 1), binary("max", 0, minus, 2), binary("div", 1, 2, 3)];
    const ops = opsOf(program(floats, { in: [[0, 0]], eqns, out: [3] }));
    expect(ops.filter((op) => op === "max")).toHaveLength(2);
  });
});

describe("equations that nobody reads", () => {
  test("are left out with what only they read", () => {
    const eqns = [
      binary("add", 0, 0, 1),
      binary("mul", 1, 1, 2),
      { p: "gt", i: [2, 0], o: [null] },
      binary("sub", 0, 1, 3),
    ];
    expect(opsOf(program(avals, { in: [[0, 0]], eqns, out: [3] }))).toEqual(["add", "sub"]);
  });

  test("are still known by name", () => {
    const eqns = [{ p: "no_such_thing", i: [0], o: [null] }];
    expect(() => opsOf(program(avals, { in: [[0, 0]], eqns, out: [0] }))).toThrow("GF2603");
  });
});

test("lists of operands have keys of their own", () => {
  const operand = fc.oneof(fc.integer({ min: -2, max: 40 }), fc.nat(2 ** 27));
  const operands = fc.array(operand, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(operands, operands, (a, b) => {
      if (a.length !== b.length) return;
      expect(keyOf(a) === keyOf(b)).toBe(a.join() === b.join());
    }),
  );
});

import { BuildError } from "@gridfuse/graph";
import { describe, expect, test } from "vitest";
import { inRows } from "../src/columns.ts";

const program = {
  ops: [
    { p: "add" },
    { p: "sort", x: { dim: 0 } },
    { p: "get", m: "state", i: [], x: { view: 1 } },
  ],
  atoms: [{ lit: 2, d: "i32" }],
};
const head = { in: [[1, 0]], consts: [[0, 0]], out: [1] } as const;

describe("equations in columns", () => {
  test("number their results on from constants and inputs", () => {
    const { eqns } = inRows(program, {
      ...head,
      ops: [0, 1, 2],
      ni: [2, 2, 0],
      i: [1, -1, 2, 0],
      no: [1, 2, 1],
      o: [5, -1, 6, 7],
      locs: [3, 1, 3],
    });
    expect(eqns).toEqual([
      { p: "add", m: "lax", i: [1, { lit: 2, d: "i32" }], o: [[2, 5]], x: {}, loc: 3 },
      { p: "sort", m: "lax", i: [2, 0], o: [null, [4, 6]], x: { dim: 0 }, loc: 1 },
      { p: "get", m: "state", i: [], o: [[5, 7]], x: { view: 1 }, loc: 3 },
    ]);
  });

  test("have one result each where nothing is said", () => {
    const { eqns } = inRows(program, {
      ...head,
      ops: [0, 0],
      ni: [2, 2],
      i: [1, 1, 2, 1],
      o: [4, 4],
    });
    expect(eqns.map(({ o }) => o)).toEqual([[[2, 4]], [[3, 4]]]);
  });

  test("may stand one by one as well", () => {
    const rows = { ...head, eqns: [] };
    expect(inRows(program, rows)).toBe(rows);
  });

  test.each([
    ["an operation that is not there", { ops: [3], ni: [0], i: [], o: [0] }],
    ["fewer operands than they say", { ops: [0], ni: [2], i: [1], o: [0] }],
    ["fewer results than they say", { ops: [0], ni: [0], i: [], no: [2], o: [0] }],
    ["an atom that is not there", { ops: [0], ni: [1], i: [-2], o: [0] }],
  ])("with %s are damaged", (_, columns) => {
    expect(() => inRows(program, { ...head, ...columns })).toThrow(BuildError);
  });
});

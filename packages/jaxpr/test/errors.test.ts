import { BuildError, verifyProgram } from "@gridfuse/graph";
import { describe, expect, test } from "vitest";
import { codes, importJaxpr, inspectJaxpr, knownPrimitives } from "../src/index.ts";
import { container, program } from "./support/programs.ts";

const failure = (bytes: Uint8Array): BuildError => {
  try {
    importJaxpr(bytes);
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  throw new Error("it imported");
};

const array = { s: [4], d: "f32" };

describe("bytes that are no program", () => {
  test.each([
    ["empty", new Uint8Array(0)],
    ["other magic", Uint8Array.from([1, 2, 3, 4, 0, 0, 0, 0])],
    ["cut short", container({ format: "pallas-ir/1" }).subarray(0, 20)],
    ["no JSON", Uint8Array.from([71, 70, 74, 88, 1, 0, 0, 0, 123])],
    ["another format", container({ format: "pallas-ir/9" })],
  ])("%s", (_, bytes) => {
    expect(failure(bytes).code).toBe("GF2601");
  });
});

describe("damaged programs", () => {
  test("name a jaxpr that is not there", () => {
    expect(failure(container({ format: "pallas-ir/1", main: 3, jaxprs: [] })).code).toBe("GF2602");
  });

  test("use a variable before it is made", () => {
    const bytes = program([array], {
      in: [[0, 0]],
      out: [1],
      eqns: [{ p: "neg", i: [2], o: [[1, 0]] }],
    });
    expect(failure(bytes)).toMatchObject({
      code: "GF2602",
      what: expect.stringContaining("variable 2"),
    });
  });

  test("hold a constant outside of the file", () => {
    const bytes = program(
      [array],
      { in: [], out: [{ litc: 0 }], eqns: [] },
      { consts: [{ dtype: "f32", shape: [4], offset: 64, bytes: 16 }] },
    );
    expect(failure(bytes).code).toBe("GF2602");
  });
});

describe("what has no meaning here", () => {
  const unknown = program(
    [array],
    {
      in: [[0, 0]],
      out: [2],
      eqns: [
        { p: "io_callback", m: "core", i: [0], o: [[1, 0]], loc: 0 },
        { p: "wgmma", m: "gpu", i: [1], o: [[2, 0]], loc: 1 },
      ],
    },
    { locs: ["kernels/attention.py:12:body", "kernels/attention.py:40:step"] },
  );

  test("an unknown primitive is named with its line, and the others with it", () => {
    expect(failure(unknown)).toMatchObject({
      code: "GF2603",
      path: "core:io_callback",
      at: { file: "kernels/attention.py", line: 12 },
      notes: ["so are gpu:wgmma"],
    });
  });

  test("all unknown primitives are listed at once, first of all", () => {
    expect(inspectJaxpr(unknown)).toMatchObject({
      equations: 2,
      primitives: [
        {
          primitive: "core:io_callback",
          known: false,
          count: 1,
          places: ["kernels/attention.py:12:body"],
        },
        { primitive: "gpu:wgmma", known: false, places: ["kernels/attention.py:40:step"] },
      ],
    });
  });

  test("a dtype that nothing holds is said by name", () => {
    const bytes = program([{ s: [4], d: "c64" }], { in: [[0, 0]], out: [0], eqns: [] });
    expect(failure(bytes)).toMatchObject({ code: "GF2604", what: expect.stringContaining("c64") });
  });

  test("memory as an input is refused, and no damage", () => {
    const ref = { k: "ref", s: [4], d: "f32", m: "vmem" };
    const bytes = program([ref], { in: [[0, 0]], out: [], eqns: [] });
    expect(failure(bytes)).toMatchObject({
      code: "GF2604",
      what: expect.stringContaining("memory as an input"),
    });
  });

  test("the graph's own objections carry the line", () => {
    const bytes = program(
      [array, { s: [3], d: "f32" }],
      {
        in: [
          [0, 0],
          [1, 1],
        ],
        out: [2],
        eqns: [{ p: "add", i: [0, 1], o: [[2, 0]], loc: 0 }],
      },
      { locs: ["model.py:7:f"] },
    );
    expect(failure(bytes)).toMatchObject({ at: { file: "model.py", line: 7 } });
  });
});

test("literals of every spelling", () => {
  const lit = (value: unknown, d: string) => ({ lit: value, d });
  const bytes = program([{ s: [], d: "f32" }], {
    in: [],
    out: [
      lit("nan", "f32"),
      lit("-inf", "f32"),
      lit("-0.0", "f32"),
      lit("9223372036854775807", "i64"),
      lit(true, "b1"),
    ],
    eqns: [],
  });
  const graph = importJaxpr(bytes, { name: "literals" });
  verifyProgram(graph.program);
  const { table, main } = graph.program;
  const bits = main.results.map((value) => {
    const node = table.producer(value);
    return node?.op === "full" ? node.params.bits : undefined;
  });
  expect(bits).toEqual([
    { lo: 0x7fc00000, hi: 0 },
    { lo: 0xff800000, hi: 0 },
    { lo: 0x80000000, hi: 0 },
    { lo: 0xffffffff, hi: 0x7fffffff },
    { lo: 1, hi: 0 },
  ]);
});

test("options that there are not are refused at the caller's line", () => {
  const options = { fills: "zero" } as never;
  expect(() => importJaxpr(new Uint8Array(), options)).toThrow(
    expect.objectContaining({
      code: "GF2605",
      help: 'Did you mean "fill"?',
      at: expect.objectContaining({ file: expect.stringContaining("errors.test.ts") }),
    }),
  );
});

test("every code is documented, and primitives have a module", () => {
  expect(Object.keys(codes)).toEqual(["GF2601", "GF2602", "GF2603", "GF2604", "GF2605"]);
  expect(knownPrimitives().every((name) => /^[a-z]+:[a-z0-9_]+$/.test(name))).toBe(true);
});

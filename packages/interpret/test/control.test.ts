import { type Emitter, KernelTimeoutError, tensorType } from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import { type HostTensor, interpret, tensorOf, valuesOf } from "../src/index.ts";
import { counting, program, vector } from "./support/apply.ts";

const scalarInt = tensorType("int32", []);

/** carry ← 2·carry + x, y ← carry·100 + i */
const scanProgram = (trips: number, reverse: boolean) =>
  program({ start: ["int32", []], xs: ["int32", [trips]] }, (e, { start, xs }) => {
    const body = e.nested();
    const [i, carry, x] = [0, 1, 2].map(() => e.table.newParam(body.region, scalarInt));
    const two = body.full("int32", [], 2);
    const next = body.emit("add", [body.emit("mul", [carry!, two], {}), x!], {});
    const hundred = body.full("int32", [], 100);
    const y = body.emit("add", [body.emit("mul", [carry!, hundred], {}), i!], {});
    body.region.results.push(next, y);
    const [end, ys] = e.emitAll("scan", [start!, xs!], { trips, carries: 1, xs: 1, reverse }, [
      body.region,
    ]);
    return { end: end!, ys: ys! };
  });

const runScan = (xs: readonly number[], reverse: boolean) => {
  const inputs = { start: tensorOf("int32", [], [1]), xs: vector("int32", ...xs) };
  const { end, ys } = interpret(scanProgram(xs.length, reverse), inputs);
  return { end: valuesOf(end!)[0], ys: valuesOf(ys!) };
};

describe("scan", () => {
  it("carries, slices xs and stacks ys", () => {
    expect(runScan([5, 6, 7], false)).toEqual({ end: 8 + 20 + 12 + 7, ys: [100, 701, 2002] });
  });
  it("walks from the end in reverse, the counter too", () => {
    expect(runScan([5, 6, 7], true)).toEqual({ end: 8 + 28 + 12 + 5, ys: [2400, 901, 102] });
  });
  it("of no trips gives the carry and empty ys", () => {
    expect(runScan([], false)).toEqual({ end: 1, ys: [] });
  });
});

/** Doubles x while it is below `limit`, a capture. */
const doubling = program({ x: ["float32", []], limit: ["float32", []] }, (e, { x, limit }) => {
  const type = tensorType("float32", []);
  const region = (build: (e: Emitter, x: number, limit: number) => number) => {
    const inner = e.nested();
    const params = [0, 1].map(() => e.table.newParam(inner.region, type));
    inner.region.results.push(build(inner, params[0]!, params[1]!));
    return inner.region;
  };
  const condition = region((inner, value, bound) => inner.emit("lt", [value, bound], {}));
  const body = region((inner, value) => inner.emit("add", [value, value], {}));
  const [out] = e.emitAll("while", [x!, limit!], { carries: 1 }, [condition, body]);
  return { out: out! };
});
const float = (value: number) => tensorOf("float32", [], [value]);

describe("while", () => {
  it("runs while the condition holds, maybe never", () => {
    expect(valuesOf(interpret(doubling, { x: float(3), limit: float(20) }).out!)).toEqual([24]);
    expect(valuesOf(interpret(doubling, { x: float(30), limit: float(20) }).out!)).toEqual([30]);
  });

  it("fails when its fuel is spent, not one iteration earlier", () => {
    const inputs = { x: float(1), limit: float(8) };
    expect(valuesOf(interpret(doubling, inputs, { fuel: 3 }).out!)).toEqual([8]);
    expect(() => interpret(doubling, inputs, { fuel: 2 })).toThrow(KernelTimeoutError);
    expect(() => interpret(doubling, { x: float(0), limit: float(1) }, { fuel: 100 })).toThrow(
      /GF5501.*100 iterations/,
    );
  });
});

const choice = (dtype: "int32" | "bool", branches: number) =>
  program({ which: [dtype, []], x: ["int32", []] }, (e, { which, x }) => {
    const regions = Array.from({ length: branches }, (_, k) => {
      const inner = e.nested();
      const value = e.table.newParam(inner.region, scalarInt);
      inner.region.results.push(inner.emit("add", [value, inner.full("int32", [], 10 * k)], {}));
      return inner.region;
    });
    const [out] = e.emitAll("cond", [which!, x!], {}, regions);
    return { out: out! };
  });

describe("cond", () => {
  const run = (dtype: "int32" | "bool", which: number | boolean, branches: number) => {
    const inputs = { which: tensorOf(dtype, [], [which]), x: tensorOf("int32", [], [1]) };
    return valuesOf(interpret(choice(dtype, branches), inputs).out!)[0];
  };
  it("runs the branch that is named, clamped", () => {
    expect([-5, 0, 1, 2, 3].map((which) => run("int32", which, 3))).toEqual([1, 1, 11, 21, 21]);
  });
  it("runs branch 1 for true", () => {
    expect([run("bool", false, 2), run("bool", true, 2)]).toEqual([1, 11]);
  });
});

describe("debug_print", () => {
  const printed = (
    format: string,
    operands: readonly HostTensor[],
    { batch = 0, masked = false } = {},
  ) => {
    const lines: string[] = [];
    const inputs = Object.fromEntries(operands.map((tensor, i) => [`x${i}`, tensor]));
    const types = Object.fromEntries(
      operands.map(({ dtype, shape }, i) => [`x${i}`, [dtype, shape] as const]),
    );
    const printing = program(types, (e, values) => {
      e.emitAll("debug_print", Object.values(values), { format, batch, masked });
      return {};
    });
    interpret(printing, inputs, { onPrint: (line) => lines.push(line) });
    return lines;
  };

  it("fills the holes in order", () => {
    expect(printed("{} of {{{}}}", [tensorOf("int32", [], [2]), vector("bool", true)])).toEqual([
      "2 of {[true]}",
    ]);
  });
  it("shows floats as short as they can be read back", () => {
    expect(printed("{}", [vector("float32", 0.1, -0, 1e30, Number.NaN)])).toEqual([
      "[0.1, -0, 1e+30, NaN]",
    ]);
    expect(printed("{}", [counting("int64", 2, 1)])).toEqual(["[[0], [1]]"]);
  });
  it("prints one line a batch point where the mask holds", () => {
    const mask = vector("bool", true, false, true);
    const rows = counting("int32", 3, 2);
    expect(printed("row {}", [mask, rows], { batch: 1, masked: true })).toEqual([
      "row [0, 1]",
      "row [4, 5]",
    ]);
  });
});

describe("inputs of a program", () => {
  const doubled = program({ x: ["float32", ["n"]] }, (e, { x }) => ({
    out: e.emit("add", [x!, x!], {}),
    ramp: e.iota("int32", ["n"], 0),
  }));

  it("bind named dimensions", () => {
    const { out, ramp } = interpret(doubled, { x: vector("float32", 1, 2, 3) });
    expect(valuesOf(out!)).toEqual([2, 4, 6]);
    expect(valuesOf(ramp!)).toEqual([0, 1, 2]);
  });

  it("must say their shape where a name is to be bound", () => {
    expect(() => interpret(doubled, { x: new Float32Array(3) })).toThrow(/GF1503.*"n"/);
  });

  it("may be bare arrays where the shape is declared, and are not written to", () => {
    const fixed = program({ x: ["float32", [2]] }, (_, { x }) => ({ out: x! }));
    const x = new Float32Array([1, 2]);
    const { out } = interpret(fixed, { x });
    expect(out!.data).toEqual(x);
    expect(out!.data).not.toBe(x);
  });

  it("are refused where they do not fit", () => {
    const fixed = program({ x: ["float32", [2]] }, (_, { x }) => ({ out: x! }));
    expect(() => interpret(fixed, {})).toThrow(/GF1501.*"x" is missing/);
    expect(() => interpret(fixed, { x: new Float32Array(2), y: new Float32Array(1) })).toThrow(
      /GF1501.*no input "y"/,
    );
    expect(() => interpret(fixed, { x: new Float32Array(3) })).toThrow(/GF1502.*3 elements/);
    expect(() => interpret(fixed, { x: new Int32Array(2) })).toThrow(/GF1502.*Int32Array/);
    expect(() => interpret(fixed, { x: counting("int32", 2) })).toThrow(/GF1502.*int32\[2\]/);
    expect(() => interpret(fixed, { x: counting("float32", 2, 1) })).toThrow(/GF1502/);
  });
});

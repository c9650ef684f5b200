/** Library steps and control flow, on both backends. */
import type { DotStep, DType, Step, StorageArray } from "@gridfuse/plan";
import { add, axis, constant, loop, mul, value } from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { compareBackends, elements, randomWords, runOn, sampleArray } from "./compare.ts";
import { kernel, PlanBuilder, stage, write, zeroBits } from "./plan-builder.ts";

const zero = constant(0);

function dotStep(
  buffers: readonly [number, number, number],
  dtypes: readonly [DType, DType, DType, DType],
  [b, m, n, k]: readonly [number, number, number, number],
  transposed: boolean,
): DotStep {
  const [lhsDType, rhsDType, accumulate, dtype] = dtypes;
  return {
    kind: "dot",
    name: "dot",
    dtype,
    accumulate,
    lhsDType,
    rhsDType,
    batch: [b],
    m: [m],
    n: [n],
    k: [k],
    lhs: { buffer: buffers[0], base: zero, batch: [m * k], free: [k], contract: [1] },
    rhs: {
      buffer: buffers[1],
      base: zero,
      batch: [n * k],
      free: [transposed ? k : 1],
      contract: [transposed ? 1 : n],
    },
    out: { buffer: buffers[2], base: zero, batch: [m * n], free: [n, 1], contract: [] },
  };
}

const dotDtypes: readonly (readonly [DType, DType, DType, DType])[] = [
  ["float32", "float32", "float32", "float32"],
  ["int8", "uint8", "int32", "int32"],
  ["bfloat16", "bfloat16", "float32", "bfloat16"],
  ["float16", "float32", "float32", "float16"],
  ["float64", "float64", "float64", "float64"],
  ["int64", "int64", "int64", "int64"],
  ["float16", "float16", "float16", "float16"],
];

describe("dot", () => {
  test.each(dotDtypes)("%s · %s in %s to %s sums k in order", (...dtypes) => {
    const extent = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 16, 19);
    fc.assert(
      fc.property(
        fc.tuple(fc.constantFrom(1, 3), extent, extent, fc.constantFrom(0, 1, 2, 5, 16, 33)),
        fc.boolean(),
        fc.integer(),
        (extents, transposed, seed) => {
          const [b, m, n, k] = extents;
          const p = new PlanBuilder();
          const x = p.input("x", dtypes[0], [b, m, k]);
          const y = p.input("y", dtypes[1], [b, n, k]);
          const z = p.output("z", dtypes[3], [b, m, n]);
          p.step(dotStep([x, y, z], dtypes, extents, transposed));
          const next = randomWords(seed);
          const inputs = {
            x: sampleArray(dtypes[0], b * m * k, next),
            y: sampleArray(dtypes[1], b * n * k, next),
          };
          for (const { wasm, js } of compareBackends(p.build(), inputs)) expect(wasm).toEqual(js);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("sums are those of the plain loop", () => {
    const [m, n, k] = [6, 11, 70];
    const p = new PlanBuilder();
    const [x, y, z] = [
      p.input("x", "float32", [m, k]),
      p.input("y", "float32", [k, n]),
      p.output("z", "float32", [m, n]),
    ];
    p.step(dotStep([x, y, z], ["float32", "float32", "float32", "float32"], [1, m, n, k], false));
    const next = randomWords(5);
    const inputs = {
      x: Float32Array.from({ length: m * k }, () => next() / 2 ** 31 - 1),
      y: Float32Array.from({ length: n * k }, () => next() / 2 ** 31 - 1),
    };
    const results = runOn("wasm", p.build(), inputs).z;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const term = Math.fround(
            (inputs.x[i * k + l] as number) * (inputs.y[l * n + j] as number),
          );
          sum = Math.fround(sum + term);
        }
        expect(results?.[i * n + j]).toBe(sum);
      }
    }
  });
});

const sortDtypes: readonly DType[] = [
  "float32",
  "float64",
  "int8",
  "int64",
  "uint64",
  "float16",
  "bfloat16",
  "bool",
  "uint32",
];

describe.each(["wasm", "js"] as const)("on %s", (backend) => {
  test.each(sortDtypes)("sort of %s is stable, −0 equals +0, NaNs come last", (dtype) => {
    for (const [outer, extent, inner] of [
      [2, 9, 1],
      [1, 300, 2],
      [3, 1, 1],
      [1, 4500, 1],
      [2, 0, 2],
    ] as const) {
      const p = new PlanBuilder();
      const shape = [outer, extent, inner];
      const size = outer * extent * inner;
      const [x, i] = [p.input("x", dtype, shape), p.input("i", "int32", shape)];
      const [y, j] = [p.output("y", dtype, shape), p.output("j", "int32", shape)];
      p.step({
        kind: "sort",
        name: "sort",
        outer,
        extent,
        inner,
        keys: 1,
        dtypes: [dtype, "int32"],
        inputs: [x, i],
        sources: [0, 1],
        outputs: [y, j],
      });
      const xs = sampleArray(dtype, size, randomWords(size + 1));
      const is = Int32Array.from({ length: size }, (_, at) => at);
      const results = runOn(backend, p.build(), { x: xs, i: is });
      const text = elements(dtype, xs);
      const rank = (at: number): number | bigint => {
        const shown = text[at] as string;
        return dtype.endsWith("64") && dtype !== "float64" ? BigInt(shown) : Number(shown);
      };
      const expected = new Int32Array(size);
      for (let o = 0; o < outer; o++) {
        for (let c = 0; c < inner; c++) {
          const row = Array.from({ length: extent }, (_, e) => (o * extent + e) * inner + c);
          row.sort((a, b) => {
            const [p, q] = [rank(a), rank(b)];
            const [pNaN, qNaN] = [Number.isNaN(p), Number.isNaN(q)];
            if (pNaN || qNaN) return Number(pNaN) - Number(qNaN) || a - b;
            return p < q ? -1 : p > q ? 1 : a - b;
          });
          for (const [e, at] of row.entries()) expected[(o * extent + e) * inner + c] = at;
        }
      }
      expect(results.j).toEqual(expected);
      expect(elements(dtype, results.y as StorageArray)).toEqual(
        [...expected].map((at) => text[at]),
      );
    }
  });

  test("sort by two keys in place", () => {
    const p = new PlanBuilder();
    const [a, b, c] = [0, 1, 2].map((i) => p.input(`x${i}`, "int32", [6])) as [
      number,
      number,
      number,
    ];
    const outs = [0, 1, 2].map((i) => p.output(`y${i}`, "int32", [6]));
    p.step({
      kind: "sort",
      name: "sort",
      outer: 1,
      extent: 6,
      inner: 1,
      keys: 2,
      dtypes: ["int32", "int32", "int32"],
      inputs: [a, b, c],
      sources: [0, 1, 2],
      outputs: [a, b, c],
    });
    for (const [i, from] of [a, b, c].entries()) {
      p.step({
        kind: "copy",
        name: "copy",
        dtype: "int32",
        length: 6,
        from,
        fromIndex: zero,
        to: outs[i] as number,
        toIndex: zero,
      });
    }
    const results = runOn(backend, p.build(), {
      x0: Int32Array.of(2, 1, 2, 1, -1, 2),
      x1: Int32Array.of(0, 5, -3, 4, 9, 0),
      x2: Int32Array.of(0, 1, 2, 3, 4, 5),
    });
    expect([...(results.y2 as Int32Array)]).toEqual([4, 3, 1, 2, 0, 5]);
  });

  test("topk: values descending, NaN largest, lower index first", () => {
    const p = new PlanBuilder();
    const x = p.input("x", "float32", [2, 5]);
    const [v, i] = [p.output("v", "float32", [2, 3]), p.output("i", "int32", [2, 3])];
    p.step({
      kind: "topk",
      name: "topk",
      outer: 2,
      extent: 5,
      k: 3,
      dtype: "float32",
      input: x,
      values: v,
      indices: i,
    });
    const results = runOn(backend, p.build(), {
      x: Float32Array.of(1, 7, Number.NaN, 7, -1, 0, -5, -2, -0, -9),
    });
    expect([...(results.i as Int32Array)]).toEqual([2, 1, 3, 0, 3, 2]);
    expect(elements("float32", results.v as StorageArray)).toEqual([
      "NaN",
      "7",
      "7",
      "0",
      "-0",
      "-2",
    ]);
  });

  test("scans run in order, from either end", () => {
    for (const reverse of [false, true]) {
      const p = new PlanBuilder();
      const shape = [2, 4, 3];
      const [x, y] = [p.input("x", "int32", shape), p.output("y", "int32", shape)];
      p.step({
        kind: "scan",
        name: "scan",
        op: "add",
        reverse,
        outer: 2,
        extent: 4,
        inner: 3,
        dtype: "int32",
        input: x,
        output: y,
      });
      const xs = Int32Array.from({ length: 24 }, (_, i) => i * i);
      const expected = xs.slice();
      for (let o = 0; o < 2; o++) {
        for (let e = 1; e < 4; e++) {
          for (let n = 0; n < 3; n++) {
            const at = reverse ? 3 - e : e;
            const before = reverse ? at + 1 : at - 1;
            expected[(o * 4 + at) * 3 + n] =
              (expected[(o * 4 + at) * 3 + n] as number) +
              (expected[(o * 4 + before) * 3 + n] as number);
          }
        }
      }
      expect(runOn(backend, p.build(), { x: xs }).y).toEqual(expected);
    }
  });

  test("a scatter meets its collisions in order and drops what is out of bounds", () => {
    for (const [combine, expected] of [
      ["set", [30, 10, 0, 40]],
      ["add", [31, 12, 0, 44]],
      ["max", [30, 10, 0, 40]],
    ] as const) {
      const p = new PlanBuilder();
      const [at, x] = [p.input("at", "int32", [6]), p.input("x", "int32", [6])];
      const y = p.output("y", "int32", [4]);
      p.map([4], (s) => [write(y, "int32", axis(0, 4), s.const("int32", 0))]);
      const s = new ScalarBuilder();
      const place = s.load("int32", at, axis(0, 6), [], zeroBits);
      const index = value(place, -100, 100);
      const guard = [{ index, lo: 0, hi: 4 }];
      p.step({
        kind: "scatter",
        name: "scatter",
        axes: [6],
        nodes: s.nodes,
        combine,
        write: {
          buffer: y,
          dtype: "int32",
          index,
          guard,
          value: s.load("int32", x, axis(0, 6), [], zeroBits),
        },
      });
      const results = runOn(backend, p.build(), {
        at: Int32Array.of(0, 1, 3, 0, 7, combine === "add" ? 1 : -1),
        x: Int32Array.of(1, 10, combine === "add" ? 44 : 40, 30, 5, 2),
      });
      expect([...(results.y as Int32Array)]).toEqual(expected);
    }
  });

  test("loops name their counters in index expressions", () => {
    const p = new PlanBuilder();
    const y = p.output("y", "int32", [3, 4]);
    const [i, j] = [loop(0, 3), loop(1, 4)];
    const body: Step = kernel(
      [],
      [
        stage([], (s) => ({
          writes: [
            write(y, "int32", add(mul(i, 4), j), s.mul(s.index("int32", i), s.index("int32", j))),
          ],
        })),
      ],
    );
    p.step({
      kind: "loop",
      name: "outer",
      loop: 0,
      trips: 3,
      grid: false,
      body: [{ kind: "loop", name: "inner", loop: 1, trips: 4, grid: false, body: [body] }],
    });
    const results = runOn(backend, p.build(), {});
    expect([...(results.y as Int32Array)]).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 0, 2, 4, 6]);
  });

  const countdown = (fuel: number) => {
    const p = new PlanBuilder();
    const x = p.input("x", "int32", []);
    const [n, more] = [p.temporary("int32", 1), p.temporary("bool", 1)];
    const y = p.output("y", "int32", []);
    const copy = (from: number, to: number): Step => ({
      kind: "copy",
      name: "copy",
      dtype: "int32",
      length: 1,
      from,
      fromIndex: zero,
      to,
      toIndex: zero,
    });
    const load = (s: ScalarBuilder): number => s.load("int32", n, zero, [], zeroBits);
    p.step(copy(x, n));
    p.step({
      kind: "while",
      name: "countdown",
      predicate: more,
      fuel,
      condition: [
        kernel(
          [],
          [
            stage([], (s) => ({
              writes: [write(more, "bool", zero, s.compare("gt", load(s), s.const("int32", 3)))],
            })),
          ],
        ),
      ],
      body: [
        kernel(
          [],
          [
            stage([], (s) => ({
              writes: [write(n, "int32", zero, s.sub(load(s), s.const("int32", 2)))],
            })),
          ],
        ),
      ],
    });
    p.step(copy(n, y));
    return p.build();
  };

  test("while runs until its condition fails", () => {
    expect(runOn(backend, countdown(100), { x: Int32Array.of(12) }).y).toEqual(Int32Array.of(2));
    expect(runOn(backend, countdown(100), { x: Int32Array.of(1) }).y).toEqual(Int32Array.of(1));
  });

  test("a while out of fuel fails the run and leaves the executable usable", () => {
    const executable = cpuSync({ backend }).prepareSync(countdown(5));
    expect(() => executable.runSync({ x: 1000 })).toThrow(/GF5010.*countdown.*5 iterations/);
    expect(executable.state).toBe("ready");
    expect(executable.runSync({ x: 13 }).y).toEqual(Int32Array.of(3));
    const limited = cpuSync({ backend, maxFuel: 2 }).prepareSync(countdown(5));
    expect(() => limited.runSync({ x: 13 })).toThrow(/2 iterations/);
  });

  test.each([
    [-7, 0],
    [0, 0],
    [1, 10],
    [2, 20],
    [9, 20],
  ])("branch on %i, clamped, gives %i", (selector, expected) => {
    const p = new PlanBuilder();
    const x = p.input("x", "int32", []);
    const y = p.output("y", "int32", []);
    const put = (result: number): Step =>
      kernel(
        [],
        [stage([], (s) => ({ writes: [write(y, "int32", zero, s.const("int32", result))] }))],
      );
    p.step({
      kind: "branch",
      name: "branch",
      selector: x,
      branches: [[put(0)], [put(10)], [put(20)]],
    });
    expect(runOn(backend, p.build(), { x: Int32Array.of(selector) }).y).toEqual(
      Int32Array.of(expected),
    );
  });

  test("print hands over a line for each point where the mask holds", () => {
    const p = new PlanBuilder();
    const [x, mask] = [p.input("x", "float32", [3, 2]), p.input("mask", "bool", [3])];
    p.step({
      kind: "print",
      name: "print",
      format: "x = {}",
      batch: 3,
      mask,
      operands: [{ buffer: x, dtype: "float32", shape: [2] }],
    });
    const lines: string[] = [];
    const executable = cpuSync({ backend }).prepareSync(p.build(), {
      onPrint: (line) => lines.push(line),
    });
    executable.runSync({ x: Float32Array.of(1, 2, 3, 4, 5, 6.5), mask: Uint8Array.of(1, 0, 1) });
    expect(lines).toEqual(["x = [1, 2]", "x = [5, 6.5]"]);
  });

  test("a kernel cut into several calls is whole", () => {
    const p = new PlanBuilder();
    const n = 50_021;
    const [x, y] = [p.input("x", "float32", [n]), p.output("y", "float32", [n])];
    p.map([n], (s) => {
      let v = s.load("float32", x, axis(0, n), [], zeroBits);
      for (let i = 0; i < 6; i++) v = s.add(s.mul(v, v), s.const("float32", i));
      return [write(y, "float32", axis(0, n), v)];
    });
    const xs = Float32Array.from({ length: n }, (_, i) => 1 / (i + 1));
    const expected = xs.map((x0) => {
      let v = x0;
      for (let i = 0; i < 6; i++) v = Math.fround(Math.fround(v * v) + i);
      return v;
    });
    expect(runOn(backend, p.build(), { x: xs }).y).toEqual(expected);
  });
});

test("a 64-bit index value may leave 32 bits", () => {
  const p = new PlanBuilder();
  const y = p.output("y", "int64", [3]);
  const index = add(mul(axis(0, 3), -(2 ** 40)), constant(2 ** 33 + 1));
  p.map([3], (s) => [write(y, "int64", axis(0, 3), s.index("int64", index))]);
  for (const { wasm, js } of compareBackends(p.build(), {})) {
    expect(js).toEqual([0n, 1n, 2n].map((i) => `${2n ** 33n + 1n - i * 2n ** 40n}`));
    expect(wasm).toEqual(js);
  }
});

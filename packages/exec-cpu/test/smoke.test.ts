import { expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { PlanBuilder, rowMajor, stage, write, zeroBits } from "./plan-builder.ts";

const backends = ["wasm", "js"] as const;

test.each(backends)("adds two vectors (%s)", (backend) => {
  for (const n of [1, 3, 4, 7, 8, 13, 1000, 100000]) {
    const p = new PlanBuilder();
    const [x, y, z] = [
      p.input("x", "float32", [n]),
      p.input("y", "float32", [n]),
      p.output("z", "float32", [n]),
    ];
    const i = rowMajor([n]);
    p.map([n], (s) => [
      write(
        z,
        "float32",
        i,
        s.add(s.load("float32", x, i, [], zeroBits), s.load("float32", y, i, [], zeroBits)),
      ),
    ]);
    const xs = Float32Array.from({ length: n }, (_, k) => k);
    const run = cpuSync({ backend }).prepareSync(p.build());
    expect(run.runSync({ x: xs, y: xs }).z).toEqual(xs.map((v) => 2 * v));
  }
});

test.each(backends)("sums rows (%s)", (backend) => {
  for (const [m, n] of [
    [1, 1],
    [3, 5],
    [4, 16],
    [5, 17],
    [2, 300],
    [7, 1000],
    [1000, 3],
    [1, 4097],
  ] as const) {
    const p = new PlanBuilder();
    const x = p.input("x", "int32", [m, n]);
    const z = p.output("z", "int32", [m]);
    p.kernel(
      [m],
      [
        stage([n], (s) => ({
          reductions: [
            {
              op: "add",
              dtype: "int32",
              value: s.load("int32", x, rowMajor([m, n]), [], zeroBits),
            },
          ],
        })),
        stage([], (s) => ({
          writes: [write(z, "int32", rowMajor([m]), s.reduced("int32", 0, 0))],
        })),
      ],
    );
    const xs = Int32Array.from({ length: m * n }, (_, k) => k);
    const expected = Int32Array.from({ length: m }, (_, r) =>
      xs.slice(r * n, r * n + n).reduce((a, b) => a + b, 0),
    );
    expect(cpuSync({ backend }).prepareSync(p.build()).runSync({ x: xs }).z).toEqual(expected);
  }
});

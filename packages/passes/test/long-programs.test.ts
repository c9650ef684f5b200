/** Programs of thousands of ops in a row: no deep recursion, and no kernel that grows without end. */
import { f32, graph, type Tensor, tensor } from "gridfuse";
import { expect, it } from "vitest";
import { compile, report } from "../src/index.ts";

const repeated = (times: number, step: (x: Tensor) => Tensor) =>
  compile(
    graph({ x: tensor(f32, [64]) }, ({ x }) => {
      let y: Tensor = x;
      for (let i = 0; i < times; i++) y = step(y);
      return { y };
    }),
  );

it("cuts a long elementwise chain into kernels of bounded size", () => {
  const told = report(repeated(2000, (x) => x.mul(1.0001).add(1)));
  expect(told.planKernels).toBeGreaterThan(4000 / 256);
  expect(Math.max(...told.kernels.map(({ scalarOps }) => scalarOps))).toBeLessThanOrEqual(256);
});

it("stores every stage of a butterfly instead of computing it twice as often each time", () => {
  const told = report(repeated(1000, (x) => x.add(x.flip(0)).mul(0.5).maximum(-1)));
  expect(told.planKernels).toBeLessThanOrEqual(1001);
  expect(told.kernels.every(({ scalarOps }) => scalarOps <= 8)).toBe(true);
});

/** Programs of thousands of ops in a row: no deep recursion, and no kernel that grows without end. */
import { f32, graph, kernel, programId, type Tensor, tensor, when } from "gridfuse";
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

it("does not follow an index back along every path", () => {
  const block = tensor(f32, [4, 8]).blocks([1, 8], ({ i }) => [i, 0]);
  const scaled = kernel(
    "scaled",
    { grid: { i: 4 }, inputs: { x: block }, outputs: { o: block } },
    ({ x, o }) => {
      let place: Tensor = programId(0);
      for (let k = 0; k < 60; k++) place = place.xor(place.add(1)).and(255);
      o.set(x.get());
      when(place.lt(3), () => o.set(x.get().mul(2)));
    },
  );
  // 2⁶⁰ paths would never end.
  const told = report(compile(graph({ x: tensor(f32, [4, 8]) }, ({ x }) => scaled({ x }))));
  expect(told.gridLoops).toBe(0);
});

it("computes every layer of a butterfly once, however many there are", () => {
  const told = report(repeated(1000, (x) => x.add(x.flip(0)).mul(0.5).maximum(-1)));
  const operations = told.kernels.map(({ scalarOps }) => scalarOps);
  expect(Math.max(...operations)).toBeLessThanOrEqual(1500);
  // The sum is the same from both sides of a pair.
  expect(operations.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(6 * 1000);
});

it("computes a value once, however its readers turn it on the way to memory", () => {
  const square = tensor(f32, [16, 16]);
  const layers = 24;
  const turned = graph({ x: square, y: square }, ({ x, y }) => {
    // Read straight by each layer, and transposed and flipped by all that follow it.
    const dear = x.tanh();
    let value: Tensor = y;
    for (let i = 0; i < layers; i++) value = value.mul(dear).transpose([1, 0]).flip(0).add(dear);
    return { value };
  });
  const told = report(compile(turned));
  const operations = told.kernels.reduce((sum, { scalarOps }) => sum + scalarOps, 0);
  expect(operations).toBeLessThanOrEqual(64 + 4 * layers);
});

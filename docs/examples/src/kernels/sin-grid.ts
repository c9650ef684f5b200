/**
 * sin((x + y) · 2), one element a grid point: the shape of kernel that makes interpreters call back
 * millions of times. Here the grid axis becomes an array axis and the call is one loop.
 */
import { f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, ulp, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

/** x, y: f32[points] → o: f32[points]. */
export function sinGrid(points: number): Graph {
  const each = tensor(f32, [points]).blocks([1], ({ i }) => [i]);
  const sinKernel = kernel(
    "sin_grid",
    { grid: { i: points }, inputs: { x: each, y: each }, outputs: { o: each } },
    ({ x, y, o }) => o.set(x.get().add(y.get()).mul(2).sin()),
  );
  const whole = tensor(f32, [points]);
  return graph({ x: whole, y: whole }, ({ x, y }) => sinKernel({ x, y }), { name: "sin_grid" });
}

export const sinInputs = (points: number): { x: Float32Array; y: Float32Array } => ({
  x: randomFloats(points, 20, 1),
  y: randomFloats(points, 20, 2),
});

/** `Math.sin` of the float32 argument, in float64; its bound is 2.1 units in the last place. */
export function checkSin(inputs: Inputs, { o }: Outputs): Check {
  const [x, y] = [inputs.x as Float32Array, inputs.y as Float32Array];
  const expected = Float64Array.from(x, (value, i) => Math.sin(Math.fround(value + y[i]) * 2));
  return within(o, expected, (i) => 2.1 * ulp(expected[i]));
}

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "sin grid",
    about: "two million grid points of one element each",
    full: 16 * 131_072,
    small: 96,
    graph: sinGrid,
    inputs: sinInputs,
    check: () => checkSin,
  }),
];

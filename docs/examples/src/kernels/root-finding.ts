/**
 * Roots of one equation for every element, in two ways. Bisection halves an interval a known number of times
 * (`fori`). Newton's method stops when a step no longer changes anything (`whileLoop`), which takes every
 * block another number of steps.
 */
import {
  f32,
  fori,
  full,
  type Graph,
  graph,
  i32,
  kernel,
  type Tensor,
  tensor,
  where,
  whileLoop,
} from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

const block = 256;

/** y: f32[n], from 0 to 20 → x: f32[n] with x·eˣ = y, Lambert's W; n is a multiple of 256. */
export function lambertByBisection(n: number): Graph {
  const blocks = tensor(f32, [n]).blocks([block], ({ i }) => [i]);
  const bisect = kernel(
    "bisection",
    { grid: { i: n / block }, inputs: { y: blocks }, outputs: { x: blocks } },
    ({ y, x }) => {
      const wanted = y.get();
      const [low, high] = fori(
        0,
        26,
        [full(f32, [block], 0), full(f32, [block], 3)],
        (_, [low, high]) => {
          const middle = low.add(high).mul(0.5);
          const tooLow = middle.mul(middle.exp()).lt(wanted);
          return [where(tooLow, middle, low), where(tooLow, high, middle)];
        },
      );
      x.set(low.add(high).mul(0.5));
    },
  );
  return graph(bisect.inputs, bisect, { name: "bisection" });
}

/** a: f32[n], at least 1 → root: f32[n] with root³ = a, steps: i32[n]; n is a multiple of 256. */
export function cubeRootByNewton(n: number): Graph {
  const blocks = <D extends "float32" | "int32">(dtype: D) =>
    tensor(dtype, [n]).blocks([block], ({ i }) => [i]);
  const iterate = kernel(
    "newton",
    {
      grid: { i: n / block },
      inputs: { a: blocks(f32) },
      outputs: { root: blocks(f32), steps: blocks(i32) },
    },
    ({ a, root, steps }) => {
      const cube = a.get();
      // From above the steps only go down, until rounding stops them.
      const [found, , count] = whileLoop(
        ([, moving]) => moving.any(),
        ([x, moving, count]) => {
          const next = x
            .mul(2)
            .add(cube.div(x.mul(x)))
            .div(3);
          const moves = moving.and(next.lt(x));
          return [where(moves, next, x), moves, count.add(moving.astype(i32))];
        },
        [cube as Tensor<"float32">, full("bool", [block], true), full(i32, [block], 0)],
      );
      root.set(found);
      steps.set(count);
    },
  );
  return graph(iterate.inputs, iterate, { name: "newton" });
}

/** The definition: x·eˣ in float64 comes back to y, to a few roundings of eˣ and its slope. */
const checkLambert =
  (_: number) =>
  ({ y }: Inputs, { x }: Outputs): Check => {
    const back = Float64Array.from(x as Float32Array, (w) => w * Math.exp(w));
    const slack = (i: number) => 2 ** -20 * (1 + Number(x[i])) * Math.exp(Number(x[i]));
    return within(back as never, Float64Array.from(y as Float32Array), slack);
  };

/** JavaScript's cube root, and a bound on the steps: from a down to ∛a by a third each, then quadratically. */
const checkCubeRoot =
  (_: number) =>
  ({ a }: Inputs, { root, steps }: Outputs): Check => {
    const expected = Float64Array.from(a as Float32Array, Math.cbrt);
    const close = within(root, expected, (i) => 2 ** -22 * expected[i]);
    const most = (steps as Int32Array).reduce((a, b) => Math.max(a, b));
    return close.ok && most > 40 ? { ok: false, detail: `${most} steps` } : close;
  };

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "bisection",
    about: "a known number of halvings for every element",
    full: 262_144,
    small: 512,
    graph: lambertByBisection,
    inputs: (n) => ({ y: randomFloats(n, 10, 60).map((x) => x + 10) }),
    check: checkLambert,
  }),
  defineExample<number>({
    name: "Newton iteration",
    about: "a while loop whose lanes finish at different times",
    full: 262_144,
    small: 512,
    graph: cubeRootByNewton,
    inputs: (n) => ({ a: randomFloats(n, 500, 61).map((x) => x + 501) }),
    check: checkCubeRoot,
  }),
];

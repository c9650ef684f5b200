/**
 * How many steps z ← z² + c stays bounded, for every pixel. The loop ends when no pixel of the block is
 * left; pixels that escaped keep their count. Blocks need different numbers of steps.
 */
import {
  f32,
  full,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  type Tensor,
  tensor,
  where,
  whileLoop,
} from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface Picture {
  /** Pixels on each side: a multiple of the block. */
  readonly size: number;
  readonly steps: number;
}

/** → count: i32[size, size], of the square from −2 − 1.25i on, 2.5 wide. */
export function mandelbrot({ size, steps }: Picture, block = 128): Graph {
  const pixels = tensor(i32, [size, size]).blocks([block, block], ({ i, j }) => [i, j]);
  const iterate = kernel(
    "mandelbrot",
    { grid: { i: size / block, j: size / block }, inputs: {}, outputs: { count: pixels } },
    ({ count }, { i, j }) => {
      const shape = [block, block] as const;
      const place = (axis: 0 | 1, first: Tensor) =>
        iota(i32, shape, axis)
          .add(first.mul(block))
          .astype(f32)
          .mul(2.5 / size);
      const [y, x] = [place(0, i).sub(1.25), place(1, j).sub(2)];
      const [, , , counts] = whileLoop(
        ([re, im, step]) => step.lt(steps).and(alive(re, im).any()),
        ([re, im, step, n]) => {
          const inside = alive(re, im);
          return [
            where(inside, re.mul(re).sub(im.mul(im)).add(x), re),
            where(inside, re.mul(im).mul(2).add(y), im),
            step.add(1),
            n.add(inside.astype(i32)),
          ];
        },
        [full(f32, shape, 0), full(f32, shape, 0), full(i32, [], 0), full(i32, shape, 0)],
      );
      count.set(counts);
    },
  );
  return graph({}, () => iterate({}), { name: "mandelbrot" });
}

const alive = (re: Tensor, im: Tensor): Tensor<"bool"> =>
  re.mul(re).add(im.mul(im)).le(4) as Tensor<"bool">;

/** The same steps in float32, one pixel after the other, to the bit. */
export const checkMandelbrot =
  ({ size, steps }: Picture) =>
  (_: Inputs, { count }: Outputs): Check => {
    const f = Math.fround;
    const scale = f(2.5 / size);
    const expected = new Int32Array(size * size);
    for (let at = 0; at < expected.length; at++) {
      const y = f(f(Math.floor(at / size) * scale) - 1.25);
      const x = f(f((at % size) * scale) - 2);
      let [re, im, n] = [0, 0, 0];
      while (n < steps && f(f(re * re) + f(im * im)) <= 4) {
        const next = f(f(f(re * re) - f(im * im)) + x);
        im = f(f(f(re * im) * 2) + y);
        re = next;
        n++;
      }
      expected[at] = n;
    }
    return exactly(count, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Picture>({
    name: "Mandelbrot set",
    about: "a while loop that blocks leave at different times",
    full: { size: 1024, steps: 64 },
    small: { size: 64, steps: 20 },
    graph: (picture) => mandelbrot(picture, picture.size < 128 ? 16 : 128),
    inputs: () => ({}),
    check: checkMandelbrot,
  }),
];

/**
 * Random numbers without state: what a grid point draws depends on the key and on its own coordinate, folded
 * into the key (Salmon et al., 2011; jax.random). Any order of the grid gives the same numbers, bits,
 * uniform and whole numbers to the bit those of JAX.
 */
import { f32, type Graph, graph, i32, kernel, random, tensor, u32 } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { foldIn, randomBits, type Words } from "../threefry.ts";

export interface Draws {
  readonly blocks: number;
  /** Numbers of a block. */
  readonly each: number;
}
const seed = 42;
const sides = 6;

/** → bits: u32, uniform: f32 in [0, 1), all of [blocks, each]. */
export function uniformDraws({ blocks, each }: Draws): Graph {
  const rows = <D extends "uint32" | "float32">(dtype: D) =>
    tensor(dtype, [blocks, each]).blocks([1, each], ({ i }) => [i, 0]);
  const draw = kernel(
    "uniform",
    { grid: { i: blocks }, inputs: {}, outputs: { bits: rows(u32), uniform: rows(f32) } },
    ({ bits, uniform }, { i }) => {
      const key = random.foldIn(random.key(seed), i);
      bits.set(random.bits(key, [1, each]));
      uniform.set(random.uniform(key, [1, each]));
    },
  );
  return graph({}, () => draw({}), { name: "uniform_draws" });
}

/** → pips: i32[blocks, each] from 1 to 6. */
export function diceThrows({ blocks, each }: Draws): Graph {
  const throwDice = kernel(
    "dice",
    {
      grid: { i: blocks },
      inputs: {},
      outputs: { pips: tensor(i32, [blocks, each]).blocks([1, each], ({ i }) => [i, 0]) },
    },
    ({ pips }, { i }) => {
      const key = random.foldIn(random.key(seed), i);
      pips.set(random.randint(key, [1, each], 1, sides + 1));
    },
  );
  return graph({}, () => throwDice({}), { name: "dice_throws" });
}

/** → normal: f32[blocks, each], mean 0 and variance 1. */
export function normalDraws({ blocks, each }: Draws): Graph {
  const draw = kernel(
    "normal",
    {
      grid: { i: blocks },
      inputs: {},
      outputs: { normal: tensor(f32, [blocks, each]).blocks([1, each], ({ i }) => [i, 0]) },
    },
    ({ normal }, { i }) => {
      const key = random.foldIn(random.key(seed), i);
      normal.set(random.normal(key, [1, each]));
    },
  );
  return graph({}, () => draw({}), { name: "normal_draws" });
}

/** Every number of every block, from its key and its place in the block. */
const everyDraw = ({ blocks, each }: Draws, f: (key: Words, i: number) => number): number[] =>
  Array.from({ length: blocks }, (_, block) => foldIn([0, seed], block)).flatMap((key) =>
    Array.from({ length: each }, (_, i) => f(key, i)),
  );

/** The upper 23 bits, as a multiple of 2⁻²³. */
const unit = (bits: number): number => (bits >>> 9) * 2 ** -23;

const checkUniform =
  (draws: Draws) =>
  (_: Inputs, { bits, uniform }: Outputs): Check => {
    const expected = Uint32Array.from(everyDraw(draws, randomBits));
    const raw = exactly(bits, expected);
    return raw.ok ? exactly(uniform, Float32Array.from(expected, unit)) : raw;
  };

/** Two draws make one of 64 bits, whose remainder by the number of sides is taken. */
const checkDice =
  (draws: Draws) =>
  (_: Inputs, { pips }: Outputs): Check => {
    const pip = (key: Words, i: number) => {
      const [high, low] = [0, 1].map((half) => randomBits(foldIn(key, half), i));
      return 1 + (((high % sides) * (2 ** 32 % sides) + low) % sides);
    };
    return exactly(pips, Int32Array.from(everyDraw(draws, pip)));
  };

/** The distribution function of a normal number is the uniform number it was made from, in float64. */
const checkNormal =
  (draws: Draws) =>
  (_: Inputs, { normal }: Outputs): Check => {
    const least = -1 + 2 ** -24;
    const expected = everyDraw(draws, (key, i) => {
      const scaled = Math.fround(unit(randomBits(key, i)) * 2) + least;
      return Math.max(least, Math.fround(scaled));
    });
    const actual = Float64Array.from(normal as Float32Array, (x) => errorFunction(x / Math.SQRT2));
    // A few units of the last place of x, and the slope of erf.
    const allowed = (i: number) =>
      2 ** -21 * Math.abs(Number(normal[i])) * Math.exp(-(Number(normal[i]) ** 2) / 2) + 2 ** -40;
    return within(actual as never, Float64Array.from(expected), allowed);
  };

/** erf by its Maclaurin series, for |x| below 4 (Abramowitz and Stegun, 7.1.6). */
function errorFunction(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const [full, small] = [
  { blocks: 64, each: 4096 },
  { blocks: 3, each: 32 },
];
export const examples: readonly SuiteExample[] = [
  defineExample<Draws>({
    name: "random bits and uniform numbers",
    about: "jax.random's numbers, drawn block by block",
    full,
    small,
    graph: uniformDraws,
    inputs: () => ({}),
    check: checkUniform,
  }),
  defineExample<Draws>({
    name: "random dice",
    about: "whole numbers in a range by two draws",
    full,
    small,
    graph: diceThrows,
    inputs: () => ({}),
    check: checkDice,
  }),
  defineExample<Draws>({
    name: "normal random numbers",
    about: "uniform numbers through the inverse error function",
    full,
    small,
    graph: normalDraws,
    inputs: () => ({}),
    check: checkNormal,
  }),
];

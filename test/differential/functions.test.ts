/**
 * Every function of floats, in every float dtype, interpreted, in plain JS and in WebAssembly, to the bit: at the
 * corners of the format and of the expansions, their neighbours, and any bit patterns.
 */
import {
  astype,
  type DType,
  fromBits,
  graph,
  itemSize,
  type Tensor,
  tensor,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { mathFunctions } from "../nightly/math/functions.ts";
import { disagreements } from "./support/three-way.ts";
import { Random } from "./support/values.ts";

/** Where expansions change over: limits of exponentials, of reductions by π, of series, of integers. */
const corners = [
  0,
  1,
  0.5,
  2,
  3,
  8,
  10,
  20,
  30,
  64,
  87,
  88.5,
  88.8,
  89,
  104,
  128,
  149,
  150,
  700,
  708,
  709.8,
  745.2,
  1074,
  6400,
  8192,
  1e5,
  1.6e6,
  2 ** 23,
  2 ** 24,
  2 ** 28,
  2 ** 52,
  2 ** 53,
  2 ** 60,
  2 ** 127,
  2 ** 1000,
  2 ** -14,
  2 ** -24,
  2 ** -25,
  2 ** -54,
  2 ** -126,
  2 ** -149,
  2 ** -1022,
  5e-324,
  Math.SQRT1_2,
  Math.SQRT2 - 1,
  Math.SQRT2 + 1,
  0.92,
  1.25,
  Math.PI / 4,
  Math.PI / 2,
  Math.PI,
  1.5 * Math.PI,
  100 * Math.PI,
  Math.LN2 / 2,
  Infinity,
  Number.NaN,
];

const length = 1000;

/** Corners and their neighbours of both signs, then random patterns and numbers of ordinary size in turn. */
function column(dtype: DType, seed: number): HostTensor {
  const random = new Random(seed);
  const anything = (): number => {
    const [lo, hi] = [random.word(), random.word()];
    return Number(fromBits(dtype, itemSize(dtype) === 2 ? { lo: lo >>> 16, hi: 0 } : { lo, hi }));
  };
  const ordinary = (): number => (random.word() / 2 ** 31 - 1) * 2 ** (random.below(12) - 4);
  const values = corners.flatMap((x) => {
    const step = dtype === "float64" ? 2 ** -52 : 2 ** -23;
    return [x, -x, x * (1 + step), -x * (1 - step)];
  });
  while (values.length < length) values.push(values.length % 2 === 0 ? anything() : ordinary());
  // A second operand meets the first one in another order.
  if (seed > 1) for (let i = 0; i < length; i += 1) swap(values, i, random.below(length));
  return tensorOf(dtype, [length], values);
}

function swap(values: number[], i: number, k: number): void {
  const kept = values[i] as number;
  values[i] = values[k] as number;
  values[k] = kept;
}

describe.each(["float16", "bfloat16", "float32", "float64"] as const)("%s", (dtype) => {
  const inputs = { x: column(dtype, 1), y: column(dtype, 2) };

  it.each(Object.entries(mathFunctions))("%s", (_, { of, arity }) => {
    const given = arity === 1 ? { x: inputs.x } : inputs;
    const specs = Object.fromEntries(
      Object.keys(given).map((name) => [name, tensor(dtype, [length])]),
    );
    const { program } = graph(specs, (operands) => ({
      z: astype(of(...(Object.values(operands) as Tensor[])), dtype),
    }));
    expect(disagreements(program, given)).toEqual([]);
  });
});

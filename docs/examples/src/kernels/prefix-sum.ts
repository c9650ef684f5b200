/**
 * Running sums of a long array, block by block, in two ways.
 *
 * `prefixSum` carries the sum so far from block to block in scratch, as one would write it for one core;
 * gridfuse finds that the blocks read prefixes of a sum, and computes those first.
 * `prefixSumTwoLevel` sums every block, adds up the few block sums, and then finishes every block on its
 * own (Blelloch, 1990): two kernels whose grid points need nothing from each other.
 */
import { f32, type Graph, graph, i32, kernel, tensor, vmem, when } from "gridfuse";
import {
  type Check,
  exactly,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

/** x: i32[n] → sums: i32[n], wrapping; n is a multiple of the block. */
export function prefixSum(n: number, block = 4096): Graph {
  const blocks = tensor(i32, [n]).blocks([block], ({ i }) => [i]);
  const scanBlocks = kernel(
    "prefix_sum",
    {
      grid: { i: n / block },
      inputs: { x: blocks },
      outputs: { sums: blocks },
      scratch: { before: vmem(i32, [1]) },
    },
    ({ x, sums, before }, { i }) => {
      when(i.isFirst, () => before.set(0));
      sums.set(x.get().cumsum().add(before.get()));
      before.add(x.get().sum({ keepDims: true }));
    },
  );
  return graph(scanBlocks.inputs, scanBlocks, { name: "prefix_sum" });
}

/** x: f32[n] → sums: f32[n]; n is a multiple of the block. */
export function prefixSumTwoLevel(n: number, block = 1024): Graph {
  const whole = tensor(f32, [n]);
  const blocks = whole.blocks([block], ({ i }) => [i]);
  const one = tensor(f32, [n / block]).blocks([1], ({ i }) => [i]);
  const sumBlocks = kernel(
    "block_sums",
    { grid: { i: n / block }, inputs: { x: blocks }, outputs: { sum: one } },
    ({ x, sum }) => sum.set(x.get().sum({ keepDims: true })),
  );
  const finishBlocks = kernel(
    "block_scans",
    { grid: { i: n / block }, inputs: { x: blocks, before: one }, outputs: { sums: blocks } },
    ({ x, before, sums }) => sums.set(x.get().cumsum().add(before.get())),
  );
  return graph(
    { x: whole },
    ({ x }) => {
      const { sum } = sumBlocks({ x });
      return finishBlocks({ x, before: sum.cumsum().sub(sum) });
    },
    { name: "prefix_sum_two_level" },
  );
}

export const prefixSumInputs = (n: number): { x: Int32Array } => ({
  x: randomInts(n, 2 ** 31, 24),
});
export const prefixSumTwoLevelInputs = (n: number): { x: Float32Array } => ({
  x: randomFloats(n, 1, 25),
});

/** Added one after the other, in 32 bits. */
export function checkPrefixSum({ x }: Inputs, { sums }: Outputs): Check {
  let sum = 0;
  const expected = (x as Int32Array).map((value) => {
    sum = (sum + value) | 0;
    return sum;
  });
  return exactly(sums, expected);
}

/** In float64, within 2⁻²⁴ of the sum of magnitudes so far for every step of the longest chain of additions. */
export const checkPrefixSumTwoLevel =
  (n: number, block = 1024) =>
  ({ x }: Inputs, { sums }: Outputs): Check => {
    let [sum, size] = [0, 0];
    const magnitude = new Float64Array(n);
    const expected = Float64Array.from(x as Float32Array, (value, i) => {
      sum += value;
      size += Math.abs(value);
      magnitude[i] = size;
      return sum;
    });
    return within(
      sums,
      expected,
      (i) => (2 * block + n / block) * 2 ** -24 * magnitude[i] + 2 ** -20,
    );
  };

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "prefix sum, carried",
    about: "the sum so far goes from block to block in scratch",
    full: 1 << 20,
    small: 1 << 13,
    graph: (n) => prefixSum(n),
    inputs: prefixSumInputs,
    check: () => checkPrefixSum,
  }),
  defineExample<number>({
    name: "prefix sum, two levels",
    about: "block sums first, then every block on its own",
    full: 1 << 20,
    small: 1 << 12,
    graph: (n) => prefixSumTwoLevel(n),
    inputs: prefixSumTwoLevelInputs,
    check: (n) => checkPrefixSumTwoLevel(n),
  }),
];

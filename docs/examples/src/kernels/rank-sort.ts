/**
 * Sorting by counting: the place of an element is the number of elements before it in the order. All pairs
 * of elements of a row meet in tiles, j adds up the counts, and a scatter puts every element in its place.
 * Quadratic, but without a single dependent step; in the order of argsort, ties included.
 */
import { f32, type Graph, graph, i32, iota, kernel, tensor, when, zeros } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

/** x: f32[n] → order: i32[n], sorted: f32[n]; n is a multiple of the block. */
export function rankSort(n: number, block = 256): Graph {
  const whole = tensor(f32, [n]);
  const blocks = (axis: "i" | "j") => whole.blocks([block], (at) => [at[axis]]);
  const countBefore = kernel(
    "ranks",
    {
      grid: { i: n / block, j: n / block },
      inputs: { mine: blocks("i"), theirs: blocks("j") },
      outputs: { rank: tensor(i32, [n]).blocks([block], ({ i }) => [i]) },
    },
    ({ mine, theirs, rank }, { i, j }) => {
      when(j.isFirst, () => rank.set(0));
      const [a, b] = [mine.get().reshape([block, 1]), theirs.get()];
      const [at, other] = [
        iota(i32, [block, 1]).add(i.mul(block)),
        iota(i32, [block]).add(j.mul(block)),
      ];
      const before = b.lt(a).or(b.eq(a).and(other.lt(at)));
      rank.add(before.astype(i32).sum({ axis: 1 }));
    },
  );
  return graph(
    { x: whole },
    ({ x }) => {
      const { rank } = countBefore({ mine: x, theirs: x });
      const order = zeros(i32, [n])
        .at(rank)
        .set(iota(i32, [n]));
      return { order, sorted: x.take(order) };
    },
    { name: "rank_sort" },
  );
}

/** With ties. */
export const rankSortInputs = (n: number): { x: Float32Array } => ({
  x: randomFloats(n, 500, 33).map(Math.round),
});

/** JavaScript's stable sort. */
export const checkRankSort =
  (n: number) =>
  (inputs: Inputs, { order, sorted }: Outputs): Check => {
    const x = inputs.x as Float32Array;
    const expected = Int32Array.from({ length: n }, (_, i) => i).sort(
      (a, b) => x[a] - x[b] || a - b,
    );
    const places = exactly(order, expected);
    return places.ok
      ? exactly(
          sorted,
          Float32Array.from(expected, (i) => x[i]),
        )
      : places;
  };

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "argsort by counting",
    about: "all pairs in tiles, then a scatter of places",
    full: 4096,
    small: 512,
    graph: (n) => rankSort(n),
    inputs: rankSortInputs,
    check: checkRankSort,
  }),
];

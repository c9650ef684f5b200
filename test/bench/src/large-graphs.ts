/**
 * Graphs of thousands of nodes, for the time that compiling takes: generated ones that mix elementwise
 * ops, reductions and movement, in several long branches that meet again, and the bitonic sort as it is
 * written for a machine with registers of (8, 128), tile by tile.
 */
import { tileSort, wholeSort } from "@gridfuse/docs/examples";
import { f32, type Graph, graph, type Tensor, tensor, where } from "gridfuse";

export interface LargeGraph {
  readonly name: string;
  readonly graph: () => Graph;
}

/** The compile times that are promised, in milliseconds on the machine of the README. */
export const largeGraphs: readonly LargeGraph[] = [
  { name: "generated 1k", graph: () => generated(1_000) },
  { name: "generated 10k", graph: () => generated(10_000) },
  { name: "generated 100k", graph: () => generated(100_000) },
  { name: "tile-by-tile sort", graph: () => tileSort() },
  { name: "whole-array sort", graph: () => wholeSort() },
];

// ── Generated ───────────────────────────────────────────────────────────────────────────────

const side = 16;
const branches = 8;
/** Ops between two points at which neighbouring branches meet. */
const stride = 24;

/** About `nodes` nodes over [16, 16]: long branches that meet, one output each. */
export function generated(nodes: number): Graph {
  const whole = tensor(f32, [side, side]);
  return graph(
    { x: whole, y: whole },
    ({ x, y }) => {
      let made = 0;
      // The same numbers everywhere: a linear congruential generator (Numerical Recipes).
      let seed = 1;
      const below = (n: number): number => {
        seed = (seed * 1664525 + 1013904223) % 2 ** 32;
        return Math.floor((seed / 2 ** 32) * n);
      };
      /** One of these, with the number of nodes that it makes. */
      const steps: readonly (readonly [number, (value: Tensor, other: Tensor) => Tensor])[] = [
        [1, (value, other) => value.add(other)],
        [1, (value, other) => value.sub(other)],
        [2, (value) => value.mul(0.5 + below(100) / 100)],
        [1, (value, other) => value.maximum(other)],
        [4, (value, other) => where(value.lt(other), value, other.add(below(9)))],
        [1, (value) => value.tanh()],
        [2, (value, other) => value.transpose([1, 0]).add(other)],
        [3, (value) => value.flip(below(2)).sub(1 + below(5))],
        [4, (value) => value.sub(value.sum({ axis: below(2), keepDims: true }))],
        [3, (value, other) => value.mul(other).add(below(7))],
      ];
      const step = (value: Tensor, other: Tensor): Tensor => {
        const [count, apply] = steps[below(steps.length)];
        made += count;
        return apply(value, other);
      };
      let rows: Tensor[] = Array.from({ length: branches }, (_, i) => x.mul(i + 1).add(y));
      while (made < nodes) {
        const before = rows;
        rows = rows.map((row, i) => {
          const partner = before[(i + 1 + below(branches - 1)) % branches];
          let value = row;
          for (let k = 0; k < stride && made < nodes; k++)
            value = step(value, k === 0 ? partner : row);
          return value;
        });
      }
      return Object.fromEntries(rows.map((row, i) => [`o${i}`, row]));
    },
    { name: `generated_${nodes}` },
  );
}

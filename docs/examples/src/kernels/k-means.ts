/**
 * One step of k-means (Lloyd, 1982): every point joins its nearest centre, and centres move to the mean of
 * their points. Distances are a product of matrices, ‖p‖² being the same for all centres; blocks of points
 * accumulate sums and counts for all centres.
 */
import { f32, type Graph, graph, i32, iota, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface Clusters {
  /** A multiple of the block. */
  readonly points: number;
  readonly depth: number;
  readonly centres: number;
}

/** points: f32[points, depth], centres: f32[centres, depth] → moved: f32[centres, depth]. */
export function kMeansStep({ points, depth, centres }: Clusters, block = 512): Graph {
  const few = tensor(f32, [centres, depth]);
  const step = kernel(
    "k_means_step",
    {
      grid: { i: points / block },
      inputs: {
        points: tensor(f32, [points, depth]).blocks([block, depth], ({ i }) => [i, 0]),
        centres: few,
      },
      outputs: { moved: few },
      scratch: { sums: vmem(f32, [centres, depth]), counts: vmem(f32, [centres, 1]) },
    },
    (refs, { i }) => {
      const { sums, counts } = refs;
      when(i.isFirst, () => {
        sums.set(0);
        counts.set(0);
      });
      const [p, c] = [refs.points.get(), refs.centres.get()];
      const distance = c.square().sum({ axis: 1 }).sub(p.dot(c.transpose()).mul(2));
      const nearest = distance.argmin({ axis: 1 });
      const joins = iota(i32, [centres, block]).eq(nearest).astype(f32);
      sums.add(joins.dot(p));
      counts.add(joins.sum({ axis: 1, keepDims: true }));
      when(i.isLast, () => refs.moved.set(sums.get().div(counts.get().maximum(1))));
    },
  );
  return graph(step.inputs, step, { name: "k_means_step" });
}

/** Coordinates are whole numbers, so that float32 distances are exact and there is one right choice. */
export function kMeansInputs({ points, depth, centres }: Clusters): {
  points: Float32Array;
  centres: Float32Array;
} {
  return {
    points: randomFloats(points * depth, 60, 38).map(Math.round),
    centres: randomFloats(centres * depth, 60, 39).map(Math.round),
  };
}

/** One point after the other; sums of whole numbers are exact, one division is rounded. */
export const checkKMeans =
  ({ points, depth, centres }: Clusters) =>
  (inputs: Inputs, { moved }: Outputs): Check => {
    const [p, c] = [inputs.points as Float32Array, inputs.centres as Float32Array];
    const sums = new Float64Array(centres * depth);
    const counts = new Float64Array(centres);
    const distance = (point: number, centre: number) => {
      let sum = 0;
      for (let d = 0; d < depth; d++) sum += (p[point * depth + d] - c[centre * depth + d]) ** 2;
      return sum;
    };
    for (let point = 0; point < points; point++) {
      let nearest = 0;
      for (let centre = 1; centre < centres; centre++) {
        if (distance(point, centre) < distance(point, nearest)) nearest = centre;
      }
      counts[nearest] += 1;
      for (let d = 0; d < depth; d++) sums[nearest * depth + d] += p[point * depth + d];
    }
    const expected = sums.map((sum, i) => sum / Math.max(1, counts[Math.floor(i / depth)]));
    return within(moved, expected, (i) => 2 ** -24 * Math.abs(expected[i]) || 2 ** -149);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Clusters>({
    name: "k-means step",
    about: "assign points to centres and accumulate their means",
    full: { points: 16_384, depth: 16, centres: 32 },
    small: { points: 1024, depth: 3, centres: 4 },
    graph: (clusters) => kMeansStep(clusters),
    inputs: kMeansInputs,
    check: checkKMeans,
  }),
];

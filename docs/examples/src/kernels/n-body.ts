/**
 * Gravity between all pairs of bodies, softened (Aarseth, 1963), and one leapfrog step. The pull on a block
 * of bodies is a sum over blocks of others: i is parallel, j is a reduction.
 */
import { f32, type Graph, graph, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

const [softening, timeStep] = [0.05, 0.01];

/** place, speed: f32[3, n], mass: f32[n] → nextPlace, nextSpeed: f32[3, n]; n is a multiple of the block. */
export function nBody(n: number, block = 128): Graph {
  const vectors = tensor(f32, [3, n]);
  const blocks = (axis: "i" | "j") => vectors.blocks([3, block], (at) => [0, at[axis]]);
  const step = kernel(
    "n_body_step",
    {
      grid: { i: n / block, j: n / block },
      inputs: {
        place: blocks("i"),
        others: blocks("j"),
        mass: tensor(f32, [n]).blocks([block], ({ j }) => [j]),
        speed: blocks("i"),
      },
      outputs: { nextPlace: blocks("i"), nextSpeed: blocks("i") },
      scratch: { pull: vmem(f32, [3, block]) },
    },
    ({ place, others, mass, speed, nextPlace, nextSpeed, pull }, { j }) => {
      when(j.isFirst, () => pull.set(0));
      // [3, mine, theirs]
      const away = others
        .get()
        .reshape([3, 1, block])
        .sub(place.get().reshape([3, block, 1]));
      const distance = away
        .square()
        .sum({ axis: 0 })
        .add(softening ** 2);
      const strength = mass.get().mul(distance.rsqrt()).div(distance);
      pull.add(away.mul(strength).sum({ axis: 2 }));
      when(j.isLast, () => {
        const faster = speed.get().add(pull.get().mul(timeStep));
        nextSpeed.set(faster);
        nextPlace.set(place.get().add(faster.mul(timeStep)));
      });
    },
  );
  return graph(
    { place: vectors, mass: tensor(f32, [n]), speed: vectors },
    ({ place, mass, speed }) => step({ place, others: place, mass, speed }),
    { name: "n_body" },
  );
}

export const nBodyInputs = (
  n: number,
): { place: Float32Array; mass: Float32Array; speed: Float32Array } => ({
  place: randomFloats(3 * n, 1, 40),
  mass: randomFloats(n, 1, 41).map((x) => (1 + x) / n),
  speed: randomFloats(3 * n, 0.1, 42),
});

/** In float64. Masses sum to about 1, so pulls stay below softening⁻². */
export const checkNBody =
  (n: number) =>
  (inputs: Inputs, { nextPlace, nextSpeed }: Outputs): Check => {
    const [x, mass, speed] = [inputs.place, inputs.mass, inputs.speed] as Float32Array[];
    const pull = new Float64Array(3 * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const [dx, dy, dz] = [0, n, 2 * n].map((at) => x[at + j] - x[at + i]);
        const strength = mass[j] * (dx * dx + dy * dy + dz * dz + softening ** 2) ** -1.5;
        pull[i] += dx * strength;
        pull[n + i] += dy * strength;
        pull[2 * n + i] += dz * strength;
      }
    }
    const speeds = pull.map((value, i) => speed[i] + timeStep * value);
    const faster = within(nextSpeed, speeds, () => 2 ** -18);
    if (!faster.ok) return faster;
    return within(
      nextPlace,
      speeds.map((value, i) => x[i] + timeStep * value),
      () => 2 ** -22,
    );
  };

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "n-body step",
    about: "all pairs: one axis is parallel, the other a sum",
    full: 1024,
    small: 256,
    graph: (n) => nBody(n),
    inputs: nBodyInputs,
    check: checkNBody,
  }),
];

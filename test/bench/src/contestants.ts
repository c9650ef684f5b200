/**
 * What runs in the steady rounds: the examples of the documentation, and beside the large elementwise
 * grid the plainest things that touch the same memory.
 */
import { examples, randomFloats } from "@gridfuse/docs/examples";
import {
  type CpuExecutor,
  compile,
  f32,
  type Graph,
  graph,
  kernel,
  type RunInputs,
  tensor,
} from "gridfuse";
import type { Contestant } from "./rounds.ts";

const points = 2_097_152;
const add = `add ${points}`;
const copy = `typed-array copy ${points}`;
const baselines: Readonly<Record<string, string>> = {
  [`sin grid ${points}`]: add,
  [add]: copy,
  [`add in a JS loop ${points}`]: copy,
};

/** o = x + y: one grid point, nothing but memory traffic. */
function addGraph(): Graph {
  const whole = tensor(f32, [points]);
  const sum = kernel(
    "add",
    { grid: 1, inputs: { x: whole, y: whole }, outputs: { o: whole } },
    ({ x, y, o }) => o.set(x.get().add(y.get())),
  );
  return graph({ x: whole, y: whole }, ({ x, y }) => sum({ x, y }), { name: "add" });
}

interface Entry {
  readonly name: string;
  readonly start: (executor: CpuExecutor) => Promise<() => void>;
}

const planned = (name: string, build: () => Graph, makeInputs: () => RunInputs): Entry => ({
  name,
  start: async (executor) => {
    const executable = await executor.prepare(compile(build()));
    const inputs = makeInputs();
    const out = executable.runSync(inputs);
    return () => {
      executable.runSync(inputs, { out });
    };
  },
});

const entries: readonly Entry[] = [
  {
    name: copy,
    start: async () => {
      const x = randomFloats(points, 1);
      const o = new Float32Array(points);
      return () => o.set(x);
    },
  },
  {
    name: `add in a JS loop ${points}`,
    start: async () => {
      const [x, y] = [randomFloats(points, 1), randomFloats(points, 1, 2)];
      const o = new Float32Array(points);
      return () => {
        for (let i = 0; i < points; i++) o[i] = x[i] + y[i];
      };
    },
  },
  planned(add, addGraph, () => ({ x: randomFloats(points, 1), y: randomFloats(points, 1, 2) })),
  ...examples.map(({ name, graph: build, inputs }) => planned(name, build, inputs)),
];

export const contestantNames: readonly string[] = entries.map(({ name }) => name);

/** The contestants of these names, and what they are compared with. */
export async function startContestants(
  executor: CpuExecutor,
  names: ReadonlySet<string>,
): Promise<readonly Contestant[]> {
  const wanted = new Set(names);
  for (const name of names) {
    for (let next = baselines[name]; next !== undefined; next = baselines[next]) wanted.add(next);
  }
  const contestants: Contestant[] = [];
  for (const { name, start } of entries) {
    if (!wanted.has(name)) continue;
    const baseline = baselines[name];
    const run = await start(executor);
    contestants.push(baseline === undefined ? { name, run } : { name, run, baseline });
  }
  return contestants;
}

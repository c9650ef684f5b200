/**
 * gridfuse itself, in fast precision, as its peers are. Inputs and outputs are the executable's own, so that nothing is
 * copied, as NumPy with `out=`.
 */
import { type CpuOptions, compile, cpu } from "gridfuse";
import { type Job, Missing, type Running } from "../subject.ts";
import type { Data, Result } from "../works.ts";
import { graphOf } from "./gridfuse-graphs.ts";

export const start = (job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> =>
  startWith({}, job, inputs);

export async function startWith(
  more: object,
  job: Job,
  inputs: Readonly<Record<string, Data>>,
): Promise<Running> {
  const executable = await (await executorOf(more, job.threads)).prepare(compile(graphOf(job)));
  const own = Object.fromEntries(
    job.inputs.map(({ name }) => [name, executable.tensor(name) as Data]),
  );
  for (const [name, data] of Object.entries(inputs)) own[name].set(data);
  const [output] = executable.plan.outputs;
  const out = { [output.name]: executable.tensor(output.name) };
  return {
    run: (): undefined => {
      executable.runSync(own, { out });
    },
    result: () => out[output.name] as Result,
  };
}

async function executorOf(more: object, threads: number) {
  try {
    return await cpu({ precision: "fast", threads, ...more } as CpuOptions);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Missing(error.message);
  }
}

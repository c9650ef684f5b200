/** gridfuse with pairs of vectors that V8 joins (Node 24 and later). */
import type { Job, Running } from "../subject.ts";
import type { Data } from "../works.ts";
import { startWith } from "./gridfuse.ts";

export const start = (job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> =>
  startWith({ simd: "wide" }, job, inputs);

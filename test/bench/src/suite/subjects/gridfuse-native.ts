/** gridfuse through the system's C compiler. */
import type { Job, Running } from "../subject.ts";
import type { Data } from "../works.ts";
import { startWith } from "./gridfuse.ts";

export const start = (job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> =>
  startWith({ backend: "native" }, job, inputs);

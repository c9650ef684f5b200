/** The cold start: whole processes that sort rows of 8×128 once, from a plan file or with a library, in turns. */
import { spawnSync } from "node:child_process";
import { measureShippedSort, median, quantile } from "@gridfuse/docs/examples";
import type { Row } from "./race.ts";

const python = "import numpy as np; np.sort(np.ones((8, 128), np.float32), 1)";

/** Rows for gridfuse, for Node that does nothing ("js"), and for NumPy where there is one. */
export async function measureCold(rounds: number): Promise<readonly Row[]> {
  const [own, bare, numpy]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    const { processMs, bareNodeMs, ok } = await measureShippedSort(1);
    if (!ok) throw new Error("the plan from the file did not sort");
    own.push(processMs);
    bare.push(bareNodeMs);
    const before = performance.now();
    const { status } = spawnSync("python3", ["-c", python]);
    if (status === 0) numpy.push(performance.now() - before);
  }
  const row = (subject: Row["subject"], times: readonly number[]): Row[] =>
    times.length === 0
      ? []
      : [
          {
            work: "cold",
            size: "8x128",
            subject,
            threads: 1,
            medianUs: Math.round(median(times) * 1000),
            spread: Number((quantile(times, 0.9) / quantile(times, 0.1)).toPrecision(4)),
          },
        ];
  return [...row("gridfuse", own), ...row("js", bare), ...row("numpy", numpy)];
}

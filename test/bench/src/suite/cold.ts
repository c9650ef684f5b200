/** The cold start: whole processes that sort rows of 8×128 once, from a plan file or with a library, in turns. */
import { spawnSync } from "node:child_process";
import { measureShippedSort, median, type Production, quantile } from "@gridfuse/docs/examples";
import type { Row } from "./race.ts";
import { markdownTable } from "./summary.ts";

const python = "import numpy as np; np.sort(np.ones((8, 128), np.float32), 1)";

export interface Cold {
  /** For gridfuse, for Node that does nothing ("js"), and for NumPy where there is one. */
  readonly rows: readonly Row[];
  readonly production: Production;
}

/** Interleaved: every round starts one process of each kind. */
export async function measureCold(rounds: number): Promise<Cold> {
  const production = await measureShippedSort(rounds);
  if (!production.ok) throw new Error("the plan from the file did not sort");
  const numpy: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = performance.now();
    const { status } = spawnSync("python3", ["-c", python]);
    if (status === 0) numpy.push(performance.now() - before);
  }
  const row = (subject: Row["subject"], medianMs: number, spread = 1): Row => ({
    work: "cold",
    size: "8x128",
    subject,
    threads: 1,
    medianUs: Math.round(medianMs * 1000),
    spread: Number(spread.toPrecision(4)),
  });
  const rows = [row("gridfuse", production.processMs), row("js", production.bareNodeMs)];
  if (numpy.length > 0) {
    rows.push(row("numpy", median(numpy), quantile(numpy, 0.9) / quantile(numpy, 0.1)));
  }
  return { rows, production };
}

/** Whole processes, and what of gridfuse's is spent inside. */
export function coldTable({ rows, production }: Cold): string {
  const { bareNodeMs, emptyModuleMs, portable, modules } = production;
  const inside = ({ loadMs, prepareMs, firstRunMs }: Production["portable"]): string =>
    (loadMs + prepareMs + firstRunMs).toFixed(1);
  const line = (name: string, ms: number, within = ""): readonly string[] => [
    name,
    ms.toFixed(1),
    `${ms < bareNodeMs ? "−" : "+"}${Math.abs(ms - bareNodeMs).toFixed(1)}`,
    within,
  ];
  const numpy = rows.find(({ subject }) => subject === "numpy");
  return markdownTable(
    ["process that sorts 8×128 once, ms", "start to end", "beyond `node -e 0`", "load to result"],
    [
      line("`node -e 0`", bareNodeMs),
      line("an empty ES module", emptyModuleMs),
      line("plan file, trusted, one file", production.processMs, inside(production)),
      line("plan file, verified, one file", portable.processMs, inside(portable)),
      line("plan file, trusted, ES modules", modules.processMs, inside(modules)),
      ...(numpy === undefined ? [] : [line("NumPy", numpy.medianUs / 1000)]),
    ],
  );
}

/**
 * The way to production, measured: the plan of a sort goes to a file, and a second process that has only
 * the file and the runtime sorts with it. It runs in turns with a Node that does nothing.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, savePlan } from "gridfuse";
import { checkSort, sort, sortInputs } from "./kernels/sort.ts";
import { median } from "./statistics.ts";

export interface Production {
  /** Inside the process. */
  readonly loadMs: number;
  readonly prepareMs: number;
  readonly firstRunMs: number;
  /** From start to end of the process, and of `node -e 0`. */
  readonly processMs: number;
  readonly bareNodeMs: number;
  readonly ok: boolean;
}

const shape = { rows: 8, n: 128 };

/** Medians over `rounds`. */
export async function measureShippedSort(rounds: number): Promise<Production> {
  const { x } = sortInputs(shape);
  const folder = mkdtempSync(join(tmpdir(), "gridfuse-demo-"));
  try {
    const [planFile, rowsFile] = [join(folder, "sort.plan"), join(folder, "rows.f32")];
    await savePlan(planFile, compile(sort(shape)), { debug: false });
    writeFileSync(rowsFile, x);
    const runs = Array.from({ length: rounds }, () => {
      const bareNodeMs = timedProcess(["-e", "0"]).ms;
      return { ...shippedRun(planFile, rowsFile, x), bareNodeMs };
    });
    const middle = (key: Exclude<keyof Production, "ok">) => median(runs.map((run) => run[key]));
    return {
      loadMs: middle("loadMs"),
      prepareMs: middle("prepareMs"),
      firstRunMs: middle("firstRunMs"),
      processMs: middle("processMs"),
      bareNodeMs: middle("bareNodeMs"),
      ok: runs.every(({ ok }) => ok),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function shippedRun(
  planFile: string,
  rowsFile: string,
  x: Float32Array,
): Omit<Production, "bareNodeMs"> {
  const script = fileURLToPath(new URL("production.js", import.meta.url));
  const { ms, status, stdout, stderr } = timedProcess([script, planFile, rowsFile]);
  const sorted = new Float32Array(new Uint8Array(stdout).buffer);
  const ok = status === 0 && checkSort(shape)({ x }, { sorted }).ok;
  if (status !== 0) {
    console.error(stderr.toString());
    return { loadMs: 0, prepareMs: 0, firstRunMs: 0, processMs: ms, ok };
  }
  const inside = JSON.parse(stderr.toString()) as Pick<
    Production,
    "loadMs" | "prepareMs" | "firstRunMs"
  >;
  return { ...inside, processMs: ms, ok };
}

function timedProcess(args: readonly string[]): {
  readonly ms: number;
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
} {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args);
  return { ms: performance.now() - start, status, stdout, stderr };
}

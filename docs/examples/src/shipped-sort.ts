/**
 * The way to production, measured: the plan of a sort goes to a file with its native code, and a second process
 * that has only the file and the runtime sorts with it: once trusting the file, once verifying it as if it came
 * from a stranger, both as one bundled file; and once more trusting it, from ES modules that Node finds by the package's
 * name. They run in turns with a Node that does nothing.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile, compileNative, savePlan } from "gridfuse";
import { bundleApplication } from "./bundle-application.ts";
import { checkSort, sort, sortInputs } from "./kernels/sort.ts";
import { median } from "./statistics.ts";

export interface ColdStart {
  /** Inside the process. */
  readonly loadMs: number;
  readonly prepareMs: number;
  readonly firstRunMs: number;
  /** From start to end of the process. */
  readonly processMs: number;
  readonly ok: boolean;
}

/** With trust, bundled. */
export interface Production extends ColdStart {
  /** Without trust. */
  readonly portable: ColdStart;
  /** Not bundled. */
  readonly modules: ColdStart;
  /** From start to end of `node -e 0`. */
  readonly bareNodeMs: number;
  /** The same of a module without a line: what Node's loader of ES modules takes. */
  readonly emptyModuleMs: number;
}

const shape = { rows: 8, n: 128 };

/** Medians over `rounds`. */
export async function measureShippedSort(rounds: number): Promise<Production> {
  const { x } = sortInputs(shape);
  const folder = mkdtempSync(join(tmpdir(), "gridfuse-demo-"));
  try {
    const [planFile, rowsFile] = [join(folder, "sort.plan"), join(folder, "rows.f32")];
    const plan = compile(sort(shape));
    await savePlan(planFile, plan, { debug: false, native: [await compileNative(plan)] });
    writeFileSync(rowsFile, x);
    const modules = fileURLToPath(new URL("production.js", import.meta.url));
    const bundle = await bundleApplication(modules, folder);
    const empty = join(folder, "empty.mjs");
    writeFileSync(empty, "");
    const [bare, module, trusted, portable, apart] = inTurns(rounds, [
      () => idleStart(["-e", "0"]),
      () => idleStart([empty]),
      () => shippedRun([bundle, planFile, rowsFile, "trusted"], x),
      () => shippedRun([bundle, planFile, rowsFile], x),
      () => shippedRun([modules, planFile, rowsFile, "trusted"], x),
    ]).map(middleOf) as [ColdStart, ColdStart, ColdStart, ColdStart, ColdStart];
    const idle = { bareNodeMs: bare.processMs, emptyModuleMs: module.processMs };
    return { ...trusted, portable, modules: apart, ...idle };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What each of `subjects` gave, round by round, forwards and backwards: what a process costs depends on which ran before. */
function inTurns<T>(rounds: number, subjects: readonly (() => T)[]): readonly (readonly T[])[] {
  const given = subjects.map((): T[] => []);
  const forwards = subjects.map((subject, i) => () => given[i]?.push(subject()));
  const backwards = forwards.toReversed();
  for (let round = 0; round < rounds; round++) {
    for (const turn of round % 2 === 0 ? forwards : backwards) turn();
  }
  return given;
}

function middleOf(runs: readonly ColdStart[]): ColdStart {
  const middle = (key: Exclude<keyof ColdStart, "ok">) => median(runs.map((run) => run[key]));
  return {
    loadMs: middle("loadMs"),
    prepareMs: middle("prepareMs"),
    firstRunMs: middle("firstRunMs"),
    processMs: middle("processMs"),
    ok: runs.every(({ ok }) => ok),
  };
}

function idleStart(args: readonly string[]): ColdStart {
  const { ms, status } = timedProcess(args);
  return { loadMs: 0, prepareMs: 0, firstRunMs: 0, processMs: ms, ok: status === 0 };
}

function shippedRun(args: readonly string[], x: Float32Array): ColdStart {
  const { ms, status, stdout, stderr } = timedProcess(args);
  const sorted = new Float32Array(new Uint8Array(stdout).buffer);
  const ok = status === 0 && checkSort(shape)({ x }, { sorted }).ok;
  if (status !== 0) {
    console.error(stderr.toString());
    return { loadMs: 0, prepareMs: 0, firstRunMs: 0, processMs: ms, ok };
  }
  const inside = JSON.parse(stderr.toString()) as Pick<
    ColdStart,
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

/**
 * `npm run demo [-- --json FILE]`: every example is traced, compiled and run in a fresh process and
 * checked against a result that gridfuse had no hand in; then the plan of the sort goes to a file, and a
 * second process that has only the file and the runtime sorts with it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compile, savePlan } from "gridfuse";
import { examples } from "./examples.ts";
import { checkSort, sort, sortInputs } from "./kernels/sort.ts";
import type { Measured, Row } from "./measure.ts";
import { printTable } from "./table.ts";

interface Production {
  /** Inside the process. */
  readonly loadMs: number;
  readonly prepareMs: number;
  readonly firstRunMs: number;
  /** From start to end of the process, and of `node -e 0`. */
  readonly processMs: number;
  readonly bareNodeMs: number;
  readonly ok: boolean;
}

const productionRounds = 15;
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

function measured(name: string): Measured {
  const child = spawnSync(process.execPath, ["--enable-source-maps", script("measure.js"), name], {
    encoding: "utf8",
  });
  if (child.status === 0) return JSON.parse(child.stdout) as Measured;
  const row = {
    name,
    gridPoints: 0,
    nodesBefore: 0,
    nodesAfter: 0,
    planKernels: 0,
    gridLoops: 0,
    compileMs: 0,
    firstRunMs: 0,
    runMs: 0,
    planBytes: 0,
    ok: false,
  };
  console.error(child.stderr);
  return { row, peakBytes: 0, detail: "failed, see above" };
}

/** Runs the production process and bare Node in turns; all times are medians. */
async function production(): Promise<Production> {
  const shape = { rows: 8, n: 128 };
  const inputs = sortInputs(shape);
  const folder = mkdtempSync(join(tmpdir(), "gridfuse-demo-"));
  try {
    const [planFile, rowsFile] = [join(folder, "sort.plan"), join(folder, "rows.f32")];
    await savePlan(planFile, compile(sort(shape)), { debug: false });
    writeFileSync(rowsFile, inputs.x);
    const rounds = Array.from({ length: productionRounds }, () => {
      const bare = timedProcess(["-e", "0"]);
      const sorter = timedProcess([script("production.js"), planFile, rowsFile]);
      const bytes = new Uint8Array(sorter.stdout);
      const ok =
        bytes.byteLength === inputs.x.byteLength &&
        checkSort(shape)(inputs, { sorted: new Float32Array(bytes.buffer) }).ok;
      const inside = ok
        ? (JSON.parse(sorter.stderr.toString()) as Record<string, number>)
        : { loadMs: 0, prepareMs: 0, firstRunMs: 0 };
      if (!ok) console.error(sorter.stderr.toString());
      return { ...inside, processMs: sorter.ms, bareNodeMs: bare.ms, ok } as Production;
    });
    const middle = (key: Exclude<keyof Production, "ok">) => median(rounds.map((r) => r[key]));
    return {
      loadMs: middle("loadMs"),
      prepareMs: middle("prepareMs"),
      firstRunMs: middle("firstRunMs"),
      processMs: middle("processMs"),
      bareNodeMs: middle("bareNodeMs"),
      ok: rounds.every(({ ok }) => ok),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function timedProcess(args: readonly string[]): { ms: number; stdout: Buffer; stderr: Buffer } {
  const start = performance.now();
  const { stdout, stderr } = spawnSync(process.execPath, args);
  return { ms: performance.now() - start, stdout, stderr };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

const { values: options } = parseArgs({ options: { json: { type: "string" } } });
const results = examples.map(({ name }) => measured(name));
printTable(results);

const shipped = await production();
const ms = (value: number): string => `${value.toFixed(1)} ms`;
console.log(
  `\nA second process with the plan file of the sort (medians of ${productionRounds}): load ${ms(shipped.loadMs)}, prepare ${ms(shipped.prepareMs)}, first run ${ms(shipped.firstRunMs)}; whole process ${ms(shipped.processMs)}, bare node ${ms(shipped.bareNodeMs)}; ${shipped.ok ? "sorted as expected" : "WRONG RESULT"}.`,
);

const rows: readonly Row[] = results.map(({ row }) => row);
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify({ rows, production: shipped }, null, 2)}\n`);
}
const failed = rows.filter(({ ok }) => !ok).length + (shipped.ok ? 0 : 1);
if (failed > 0) {
  console.error(`${failed} of ${rows.length + 1} checks failed`);
  process.exitCode = 1;
}

/**
 * `npm run demo [-- --json FILE]`: every example is traced, compiled and run in a fresh process and
 * checked against a result that gridfuse had no hand in; then the plan of the sort goes to a file, and a
 * second process that has only the file and the runtime sorts with it.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { examples } from "./examples.ts";
import type { Measured, Row } from "./measure.ts";
import { type ColdStart, measureShippedSort } from "./shipped-sort.ts";
import { bytes, type Column, milliseconds, printTable } from "./table.ts";

const productionRounds = 25;
const measureScript = fileURLToPath(new URL("measure.js", import.meta.url));

function measured(name: string): Measured {
  const child = spawnSync(process.execPath, ["--enable-source-maps", measureScript, name], {
    encoding: "utf8",
  });
  if (child.status === 0) return JSON.parse(child.stdout) as Measured;
  console.error(child.stderr);
  return { row: failed(name), peakBytes: 0, detail: "failed, see above" };
}

const failed = (name: string): Row => ({
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
});

const columns: readonly Column<Measured>[] = [
  { title: "kernel", cell: ({ row }) => row.name, text: true },
  { title: "grid points", cell: ({ row }) => `${row.gridPoints}` },
  { title: "nodes", cell: ({ row }) => `${row.nodesBefore} → ${row.nodesAfter}` },
  { title: "kernels", cell: ({ row }) => `${row.planKernels}` },
  { title: "grid loops", cell: ({ row }) => `${row.gridLoops}` },
  { title: "compile ms", cell: ({ row }) => milliseconds(row.compileMs) },
  { title: "first run ms", cell: ({ row }) => milliseconds(row.firstRunMs) },
  { title: "run ms", cell: ({ row }) => milliseconds(row.runMs) },
  { title: "peak", cell: ({ peakBytes }) => bytes(peakBytes) },
  { title: "plan", cell: ({ row }) => bytes(row.planBytes) },
  {
    title: "check",
    cell: ({ row, detail }) => `${row.ok ? "ok" : "FAILED"}: ${detail}`,
    text: true,
  },
];

const { values: options } = parseArgs({ options: { json: { type: "string" } } });
const results = examples.map(({ name }) => measured(name));
printTable(columns, results);

const production = await measureShippedSort(productionRounds);
const ms = (value: number): string => `${value.toFixed(1)} ms`;
const insideOf = ({ loadMs, prepareMs, firstRunMs, processMs }: ColdStart): string =>
  `load ${ms(loadMs)}, prepare ${ms(prepareMs)}, first run ${ms(firstRunMs)}, whole process ${ms(processMs)}`;
const { portable, modules } = production;
const allSorted = production.ok && portable.ok && modules.ok;
console.log(`
A second process with the plan file of "sort 8×128" and the runtime, medians of ${productionRounds}:
  one file, trusting its native code: ${insideOf(production)}
  one file, verifying the plan:       ${insideOf(portable)}
  ES modules, trusting:               ${insideOf(modules)}
  node -e 0: ${ms(production.bareNodeMs)}
  ${allSorted ? "sorted as expected" : "WRONG RESULT"}`);

const rows = results.map(({ row }) => row);
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify({ rows, production }, null, 2)}\n`);
}
const checks = [...rows, production, portable, modules];
const failures = checks.filter(({ ok }) => !ok).length;
if (failures > 0) {
  console.error(`${failures} of ${checks.length} checks failed`);
  process.exitCode = 1;
}

/**
 * `npm run examples [-- --json FILE] [-- NAME…]`: every kernel of the documentation, or those whose name
 * contains one of the NAMEs, each in a fresh process: compiled, run, checked against a result that gridfuse
 * had no hand in, and its plan against what the example expects of the grid. Exits with 1 if any is not ok.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { suite } from "./kernels/index.ts";
import type { SuiteRow } from "./run-example.ts";
import { bytes, type Column, milliseconds, printTable } from "./table.ts";

const script = fileURLToPath(new URL("run-example.js", import.meta.url));

function runAlone(name: string): SuiteRow {
  const child = spawnSync(process.execPath, ["--enable-source-maps", script, name], {
    encoding: "utf8",
  });
  if (child.status === 0) return JSON.parse(child.stdout) as SuiteRow;
  console.error(child.stderr);
  return {
    name,
    gridPoints: 0,
    axes: [],
    nodesBefore: 0,
    nodesAfter: 0,
    planKernels: 0,
    gridLoops: 0,
    compileMs: 0,
    peakBytes: 0,
    ok: false,
    detail: "failed, see above",
  };
}

const columns: readonly Column<SuiteRow>[] = [
  { title: "kernel", cell: ({ name }) => name, text: true },
  { title: "grid points", cell: ({ gridPoints }) => `${gridPoints}` },
  { title: "axes", cell: describeAxes, text: true },
  { title: "nodes", cell: ({ nodesBefore, nodesAfter }) => `${nodesBefore} → ${nodesAfter}` },
  { title: "kernels", cell: ({ planKernels }) => `${planKernels}` },
  { title: "grid loops", cell: ({ gridLoops }) => `${gridLoops}` },
  { title: "compile ms", cell: ({ compileMs }) => milliseconds(compileMs) },
  { title: "peak", cell: ({ peakBytes }) => bytes(peakBytes) },
  { title: "check", cell: ({ ok, detail }) => `${ok ? "ok" : "FAILED"}: ${detail}`, text: true },
];

/** "i parallel ×8, k reduction ×4", each once though several calls may have it. */
function describeAxes({ axes }: SuiteRow): string {
  const described = axes.map(({ axis, verdict, extent }) => `${axis} ${verdict} ×${extent}`);
  return [...new Set(described)].join(", ");
}

const { values: options, positionals: wanted } = parseArgs({
  options: { json: { type: "string" } },
  allowPositionals: true,
});
const chosen = suite.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const rows = chosen.map(({ name }) => runAlone(name));
printTable(columns, rows);

const ordered = chosen.flatMap(({ expects }) => Object.entries(expects.sequential ?? {}));
if (ordered.length > 0) console.log("\nAxes that stay in order:");
for (const [axis, reason] of ordered) console.log(`  ${axis}: ${reason}`);

if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
const failures = rows.filter(({ ok }) => !ok).length;
console.log(`\n${rows.length} examples, ${failures} failed`);
if (failures > 0 || rows.length === 0) process.exitCode = 1;

/**
 * `npm run bench [-- WORK…] [-- --json FILE] [-- --svg FILE]` prints medians as Markdown.
 *
 * A work (sinadd, softmax, sort, …, `cold`) is measured against everybody who is there: NumPy and XLA where Python has
 * them, C where there is a compiler, libraries for JavaScript after `--install-peers`. `compile` measures compile times in
 * processes of their own and writes [{ graph, nodes, compileMs, firstCompileMs }, …]: medians of compilations that follow one
 * another, and of the first ones of their processes. Any other name chooses the examples that contain it, in steady runs. Without names, everything is measured.
 *
 * `jax` alone compares with JAX's interpret modes: jax.ts.
 *
 *   --rounds N           turns of each subject (default 15)
 *   --quiet              on a machine with others: turns in which a subject waited for a processor are done over
 *   --cpu                time on processors, of all threads together, in place of the clock on the wall
 *   --memory             watches memory: a process for each work and subject
 *   --threads 1,2,4      numbers of threads that gridfuse runs with (default 1,2)
 *   --subjects a,b       only these
 *   --sizes 8x128,…      only these
 *   --json FILE          [{ work, size, subject, threads, medianUs, spread, firstUs }, …]
 *   --svg FILE           how many times as fast as each peer, as bars
 *   --install-peers      fetches what only the benchmarks need, into test/bench/peers
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { examples } from "@gridfuse/docs/examples";
import { cpu } from "gridfuse";
import { type CompileTiming, measureCompileTimes } from "./compile-times.ts";
import { contestantNames, startContestants } from "./contestants.ts";
import { compareWithJax } from "./jax.ts";
import { largeGraphs } from "./large-graphs.ts";
import { measureInRounds, type Timing } from "./rounds.ts";
import { chartOf } from "./suite/chart.ts";
import { coldTable } from "./suite/cold.ts";
import type { SubjectName } from "./suite/subject.ts";
import { installPeers } from "./suite/subjects/peers.ts";
import { allSubjects, runSuite, type SuiteResult } from "./suite/suite.ts";
import {
  absencesText,
  firstCallsTable,
  markdownTable,
  mediansTable,
  memoryTable,
  ratiosTable,
  rooflineTable,
  scalingTable,
  targetsTable,
} from "./suite/summary.ts";
import { isWork, workNames } from "./suite/works.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "string" },
    svg: { type: "string" },
    rounds: { type: "string", default: "15" },
    quiet: { type: "boolean", default: false },
    cpu: { type: "boolean", default: false },
    memory: { type: "boolean", default: false },
    threads: { type: "string", default: "1,2" },
    subjects: { type: "string" },
    sizes: { type: "string" },
    "install-peers": { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
// Subjects are processes of their own.
if (options.cpu) process.env.GRIDFUSE_BENCH_CLOCK = "cpu";
const all = positionals.length === 0;
const wants = (name: string): boolean => all || positionals.includes(name);
const ms = (value: number): string => value.toFixed(value < 0.1 ? 4 : value < 10 ? 3 : 1);
const listOf = (text: string | undefined): readonly string[] => text?.split(",") ?? [];

function steadyTable(timings: readonly Timing[]): string {
  return markdownTable(
    ["steady run", "median ms", "fastest ms", "spread", "compared"],
    timings.map(({ name, medianMs, fastestMs, spread, ratio, baseline }) => [
      name,
      ms(medianMs),
      ms(fastestMs),
      `×${spread.toFixed(2)}`,
      ratio === undefined ? "" : `${ratio.toFixed(2)} × ${baseline}`,
    ]),
  );
}

function compileTable(timings: readonly CompileTiming[]): string {
  return markdownTable(
    [
      "each in its own process",
      "nodes",
      "first trace ms",
      "first compile ms",
      "compile ms",
      "first prepare ms",
    ],
    timings.map(({ name, nodes, traceMs, firstCompileMs, compileMs, prepareMs }) => [
      name,
      String(nodes),
      ms(traceMs),
      ms(firstCompileMs),
      ms(compileMs),
      prepareMs === 0 ? "" : ms(prepareMs),
    ]),
  );
}

function subjectsWanted(): readonly SubjectName[] {
  const wanted = listOf(options.subjects);
  const unknown = wanted.filter((name) => !(allSubjects as readonly string[]).includes(name));
  if (unknown.length > 0) throw new Error(`no subject is called ${unknown.join(", ")}`);
  return wanted.length === 0 ? allSubjects : allSubjects.filter((name) => wanted.includes(name));
}

function threadsWanted(): readonly number[] {
  const counts = listOf(options.threads).map(Number);
  const isGood = (count: number): boolean => Number.isInteger(count) && count > 0;
  if (!counts.every(isGood)) throw new Error(`--threads takes numbers: 1,2,4`);
  return counts;
}

if (positionals[0] === "jax") process.exit(compareWithJax(options.json));

if (options["install-peers"]) {
  process.exitCode = installPeers() ? 0 : 1;
  if (all) process.exit();
}

console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0].model.trim()}\n`);

const chosenWorks = workNames.filter(wants);
const withCold = wants("cold");
let suite: SuiteResult | undefined;
if (chosenWorks.length > 0 || withCold) {
  suite = await runSuite({
    works: chosenWorks,
    withCold,
    subjects: subjectsWanted(),
    sizes: listOf(options.sizes),
    rounds,
    quiet: options.quiet === true,
    memory: options.memory === true,
    threads: threadsWanted(),
    onProgress: (text) => process.stderr.write(`${text}\n`),
  });
  const { rows, absences, cold } = suite;
  for (const text of [
    mediansTable(rows),
    ratiosTable(rows),
    targetsTable(rows),
    firstCallsTable(rows),
    rooflineTable(rows),
    scalingTable(rows),
    memoryTable(rows),
    cold === undefined ? "" : coldTable(cold),
    absencesText(absences),
  ]) {
    if (text !== "") console.log(text);
  }
  if (options.svg !== undefined) writeFileSync(options.svg, chartOf(rows));
}

const parts = positionals.filter((name) => !isWork(name) && name !== "cold" && name !== "compile");
const chosen = new Set(
  contestantNames.filter((name) => all || parts.some((part) => name.includes(part))),
);
const steady =
  chosen.size === 0 ? [] : measureInRounds(await startContestants(await cpu(), chosen), rounds);
if (steady.length > 0) console.log(steadyTable(steady));

const compiled = wants("compile")
  ? measureCompileTimes(
      [...examples, ...largeGraphs].map(({ name }) => name),
      Math.min(rounds, 5),
    )
  : [];
if (compiled.length > 0) console.log(compileTable(compiled));

if (parts.length > 0 && chosen.size === 0) {
  console.error(`no benchmark is called ${parts.map((name) => `"${name}"`).join(" or ")}`);
  console.error(`there are: ${[...workNames, "cold", "compile", ...contestantNames].join(", ")}`);
  process.exitCode = 1;
}
if (options.json !== undefined) {
  const onlyCompiled = suite === undefined && steady.length === 0;
  const others = onlyCompiled
    ? compiled.map(({ name, nodes, compileMs, firstCompileMs }) => ({
        graph: name,
        nodes,
        compileMs,
        firstCompileMs,
      }))
    : { steady, compiled };
  writeFileSync(options.json, `${JSON.stringify(suite?.rows ?? others, null, 2)}\n`);
}

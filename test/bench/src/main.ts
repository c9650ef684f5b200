/**
 * `npm run bench [-- --json FILE] [-- --rounds N] [-- name…]` prints medians as Markdown: steady runs in
 * interleaved rounds, compile times and the cold start in fresh processes. A name chooses every benchmark
 * that contains it. `compile --json FILE` writes [{ graph, nodes, compileMs }, …].
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { examples, measureShippedSort, type Production } from "@gridfuse/docs/examples";
import { cpu } from "gridfuse";
import { type CompileTiming, measureCompileTimes } from "./compile-times.ts";
import { contestantNames, startContestants } from "./contestants.ts";
import { largeGraphs } from "./large-graphs.ts";
import { measureInRounds, type Timing } from "./rounds.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "string" }, rounds: { type: "string", default: "15" } },
});
const rounds = Number(options.rounds);
const isWanted = (name: string): boolean =>
  positionals.length === 0 || positionals.some((part) => name.includes(part));

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const rows = [header, header.map((_, i) => (i === 0 ? "---" : "---:")), ...lines];
  return `${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}
const ms = (value: number): string => value.toFixed(value < 0.1 ? 4 : value < 10 ? 3 : 1);

function steadyTable(timings: readonly Timing[]): string {
  return table(
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
  return table(
    ["in a fresh process", "nodes", "trace ms", "compile ms", "prepare ms"],
    timings.map(({ name, nodes, traceMs, compileMs, prepareMs }) => [
      name,
      String(nodes),
      ms(traceMs),
      ms(compileMs),
      prepareMs === 0 ? "" : ms(prepareMs),
    ]),
  );
}

function coldStartTable({ portable, bareNodeMs, ...trusted }: Production): string {
  return table(
    ["cold start, sort 8×128 from its plan file, median ms", "trusted", "verified"],
    [
      ["load the plan", ms(trusted.loadMs), ms(portable.loadMs)],
      ["prepare", ms(trusted.prepareMs), ms(portable.prepareMs)],
      ["first run", ms(trusted.firstRunMs), ms(portable.firstRunMs)],
      ["whole process", ms(trusted.processMs), ms(portable.processMs)],
      ["node -e 0", ms(bareNodeMs), ms(bareNodeMs)],
    ],
  );
}

console.log(`Node ${process.versions.node}, ${cpus().length} × ${cpus()[0].model.trim()}\n`);

const chosen = new Set(contestantNames.filter(isWanted));
const steady =
  chosen.size === 0 ? [] : measureInRounds(await startContestants(await cpu(), chosen), rounds);
if (steady.length > 0) console.log(steadyTable(steady));

const compiled = isWanted("compile")
  ? measureCompileTimes(
      [...examples, ...largeGraphs].map(({ name }) => name),
      Math.min(rounds, 5),
    )
  : [];
if (compiled.length > 0) console.log(compileTable(compiled));

const cold = isWanted("cold start") ? await measureShippedSort(rounds) : undefined;
if (cold !== undefined) console.log(coldStartTable(cold));

if (steady.length + compiled.length === 0 && cold === undefined) {
  console.error(`no benchmark is called ${positionals.map((name) => `"${name}"`).join(" or ")}`);
  console.error(`there are: ${[...contestantNames, "compile", "cold start"].join(", ")}`);
  process.exitCode = 1;
}
if (options.json !== undefined) {
  const onlyCompiled = steady.length === 0 && cold === undefined;
  const written = onlyCompiled
    ? compiled.map(({ name, nodes, compileMs }) => ({ graph: name, nodes, compileMs }))
    : { steady, compiled, cold };
  writeFileSync(options.json, `${JSON.stringify(written, null, 2)}\n`);
}

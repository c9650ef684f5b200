/**
 * `npm run nightly -- SUITE [--json FILE] [--cases N] [--seed N]`, and
 * `npm run nightly -- math [--json FILE] [--functions a,b] [--dtypes a,b] [--sample N] [--threads N] [--seed N]
 * [--record docs/reference/mathematics.json]`
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMainThread } from "node:worker_threads";
import { type Coverage, showCoverage } from "../differential/support/kernels/coverage.ts";
import { runMath } from "./math/suite.ts";
import { serve } from "./math/team.ts";
import { runNative } from "./native.ts";
import { type Failure, type Suite, suites } from "./suites.ts";

const chunk = 200;
const maxFailures = 20;

interface Options {
  readonly json?: string;
  readonly cases?: string;
  readonly seed?: string;
}

/** Runs random cases of a suite; gives the exit status. */
function runCases(name: string, suite: Suite, values: Options): number {
  const total = Number(values.cases ?? suite.cases);
  const seed = Number(values.seed ?? Date.now() % 2 ** 31);
  const coverage: Coverage = new Map();
  const failures: Failure[] = [];
  const started = performance.now();
  let cases = 0;
  for (let part = 0; cases < total && failures.length < maxFailures; part += 1) {
    const size = Math.min(chunk, total - cases);
    const failure = suite.run(seed + part, size, coverage);
    cases += size;
    if (failure !== undefined) {
      failures.push(failure);
      console.error(
        `\nagain: GRIDFUSE_SEED=${failure.seed} GRIDFUSE_PATH=${failure.path}\n${failure.message}\nplan: ${JSON.stringify(failure.plan)}`,
      );
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.error(`${name}: ${cases} of ${total}, ${failures.length} failures, ${seconds} s`);
  }

  const figures = {
    suite: name,
    seed,
    cases,
    failures,
    ms: Math.round(performance.now() - started),
    coverage: Object.fromEntries([...coverage].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  }
  console.log(showCoverage(coverage));
  console.log(`${name}: ${cases} cases from seed ${seed}, ${failures.length} failures`);
  return failures.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const text = { type: "string" } as const;
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      json: text,
      record: text,
      cases: text,
      seed: text,
      functions: text,
      dtypes: text,
      sample: text,
      threads: text,
    },
  });
  const [name = ""] = positionals;
  if (name === "math") return (await runMath(values)) === 0 ? 0 : 1;
  if (name === "native") return runNative(values);
  const suite = suites[name];
  if (suite !== undefined) return runCases(name, suite, values);
  console.error(
    `nightly: no suite "${name}"; there are ${Object.keys(suites).join(", ")}, math, native`,
  );
  return 2;
}

if (isMainThread) process.exitCode = await main();
else serve();

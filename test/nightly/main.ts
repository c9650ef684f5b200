/** `npm run nightly -- SUITE [--json FILE] [--cases N] [--seed N]` */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Coverage, showCoverage } from "../differential/support/kernels/coverage.ts";
import { type Failure, suites } from "./suites.ts";

const chunk = 200;
const maxFailures = 20;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "string" },
    cases: { type: "string" },
    seed: { type: "string" },
  },
});
const [name = ""] = positionals;
const suite = suites[name];
if (suite === undefined) {
  console.error(`nightly: no suite "${name}"; there are ${Object.keys(suites).join(", ")}`);
  process.exit(2);
}

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
process.exitCode = failures.length === 0 ? 0 : 1;

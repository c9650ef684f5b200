/**
 * Traces, compiles and prepares one example in a process of its own:
 * `node fresh-compile.js "sort 8×128"` prints one JSON line.
 */
import { examples } from "@gridfuse/docs/examples";
import { compile, cpu } from "gridfuse";

export interface CompileTimes {
  readonly traceMs: number;
  readonly compileMs: number;
  readonly prepareMs: number;
}

const example = examples.find(({ name }) => name === process.argv[2]);
if (example === undefined) throw new Error(`there is no example "${process.argv[2]}"`);
const executor = await cpu();

const start = performance.now();
const graph = example.graph();
const traced = performance.now();
const plan = compile(graph);
const compiled = performance.now();
await executor.prepare(plan);
const prepared = performance.now();

const times: CompileTimes = {
  traceMs: traced - start,
  compileMs: compiled - traced,
  prepareMs: prepared - compiled,
};
console.log(JSON.stringify(times));

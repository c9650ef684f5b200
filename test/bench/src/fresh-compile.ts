/**
 * Traces, compiles and (examples only) prepares one graph in a process of its own, and then compiles it anew as a
 * process does that has compiled before: `node fresh-compile.js "sort 8×128"` prints one JSON line.
 */
import { examples, median } from "@gridfuse/docs/examples";
import { compile, countNodes, cpu, type Graph } from "gridfuse";
import { largeGraphs } from "./large-graphs.ts";

export interface CompileTimes {
  /** Nodes of the graph, inner ones too, before any pass. */
  readonly nodes: number;
  readonly traceMs: number;
  /** The first compilation of the process: most of the compiler runs for the first time. */
  readonly compileMs: number;
  /** The middle one of some that follow, each of a graph traced anew. */
  readonly warmCompileMs: number;
  /** 0 for the large graphs: they are there for the compiler. */
  readonly prepareMs: number;
}

const name = process.argv[2];
const example = examples.find((candidate) => candidate.name === name);
const large = largeGraphs.find((candidate) => candidate.name === name);
const build: (() => Graph) | undefined = example?.graph ?? large?.graph;
if (build === undefined) throw new Error(`there is no graph "${name}"`);
const executor = await cpu();

const start = performance.now();
const graph = build();
const traced = performance.now();
const plan = compile(graph);
const compiled = performance.now();
if (example !== undefined) await executor.prepare(plan);
const prepared = performance.now();

const warmRounds = 3;
const warm = Array.from({ length: warmRounds }, () => {
  const again = build();
  const from = performance.now();
  compile(again);
  return performance.now() - from;
});

const { table, main } = graph.program;
const times: CompileTimes = {
  nodes: countNodes(table, main),
  traceMs: traced - start,
  compileMs: compiled - traced,
  warmCompileMs: median(warm),
  prepareMs: example === undefined ? 0 : prepared - compiled,
};
console.log(JSON.stringify(times));

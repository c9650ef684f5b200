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
  readonly firstCompileMs: number;
  /** Once V8 knows the compiler: the middle one of the later half of those that follow, each of a graph traced anew. */
  readonly compileMs: number;
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

/** V8 needs several rounds until it has made its best code of all that is called. */
const mostRounds = 24;
const patienceMs = 12_000;
const warm: number[] = [];
const from = performance.now();
while (warm.length < 3 || (warm.length < mostRounds && performance.now() - from < patienceMs)) {
  const again = build();
  const begin = performance.now();
  compile(again);
  warm.push(performance.now() - begin);
}

const { table, main } = graph.program;
const times: CompileTimes = {
  nodes: countNodes(table, main),
  traceMs: traced - start,
  firstCompileMs: compiled - traced,
  compileMs: median(warm.slice(Math.floor(warm.length / 2))),
  prepareMs: example === undefined ? 0 : prepared - compiled,
};
console.log(JSON.stringify(times));

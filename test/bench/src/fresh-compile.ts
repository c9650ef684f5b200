/**
 * Traces, compiles and (examples only) prepares one graph in a process of its own:
 * `node fresh-compile.js "sort 8×128"` prints one JSON line.
 */
import { examples } from "@gridfuse/docs/examples";
import { compile, countNodes, cpu, type Graph } from "gridfuse";
import { largeGraphs } from "./large-graphs.ts";

export interface CompileTimes {
  /** Nodes of the graph, inner ones too, before any pass. */
  readonly nodes: number;
  readonly traceMs: number;
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

const { table, main } = graph.program;
const times: CompileTimes = {
  nodes: countNodes(table, main),
  traceMs: traced - start,
  compileMs: compiled - traced,
  prepareMs: example === undefined ? 0 : prepared - compiled,
};
console.log(JSON.stringify(times));
